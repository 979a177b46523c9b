"""The command line as a whole: usage errors, and the program without its libraries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sipstack
from sipstack.cli.main import main, program
from sipstack.cli.status import ExitStatus
from tests.cli.running import write_tune
from tests.cli.streams import environment, text

EXAMPLE = "For example: sipstack call sip:600@pbx.example.com --play hello.wav --record out.wav"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["call"], ["Missing argument 'TARGET'", EXAMPLE]),
        (["call", "600@pbx"], ["'600@pbx' is not a SIP URI: write sip:600@pbx", EXAMPLE]),
        (["call", "sip:600@pbx", "--play", "missing.wav"], ["'missing.wav' does not exist", EXAMPLE]),
        (["call", "sip:600@pbx", "--duration", "0"], ["'--duration'", EXAMPLE]),
        (["call", "sip:600@pbx", "--password", "x"], ["No such option", EXAMPLE]),
        (["call", "sip:600@pbx", "--listen", "5060"], ["write udp:0.0.0.0:5060", EXAMPLE]),
        (
            ["call", "sip:600@pbx", "--user", "alice"],
            ["set the environment variable SIPSTACK_PASSWORD", EXAMPLE],
        ),
        (["call", "sip:600@pbx", "--from", "tel:+358"], ["names no domain: write sip:alice@example.com"]),
        (["answer", "--reject", "200"], ["'--reject'", "For example: sipstack answer --echo"]),
        (["answer", "--echo", "--play", "TUNE"], ["--echo and --play exclude each other"]),
        (
            ["answer", "--reject", "486", "--echo"],
            ["--reject excludes --echo, --play, --audio, --record and --duration"],
        ),
        (["answer", "--reject", "486", "--record", "x.wav"], ["a call that is refused has no audio"]),
        (["answer", "--reject", "486", "--duration", "3"], ["a call that is refused has no audio"]),
        (["answer", "--register"], ["give --from sip:you@pbx.example.com"]),
        (["answer", "--register", "sip:pbx"], ["sipstack answer --register sip:pbx --from sip:you@pbx"]),
        (["answer", "--register", "pbx"], ["'pbx' is not a SIP URI: write sip:pbx"]),
        (["answer", "--record", "x.mp3"], ["what is written is WAV: write x.wav"]),
        (["call", "sip:600@pbx", "--record", "x.MP3"], ["what is written is WAV: write x.wav", EXAMPLE]),
        (["demo", "--record", "x.ogg"], ["what is written is WAV: write x.wav"]),
        (["call", "sip:600@pbx", "--play", __file__], ["it cannot be played: ", EXAMPLE]),
        (["call", "sip:600@pbx", "--play", "FIFO"], ["is no regular file", EXAMPLE]),
        (["call", "sip:600@pbx", "--record", "FIFO"], ["is a FIFO", EXAMPLE]),
        (["call", "sip:600@pbx", "--play", "TUNE", "--record", "TUNE"], ["name the same file", EXAMPLE]),
        (["options", "sip:600@pbx", "--timeout", "0"], ["'--timeout'"]),
        (["register", "sip:pbx"], ["write: sipstack register sip:pbx --from sip:you@pbx"]),
        (["register", "sip:a@x", "--from", "sip:b@x"], ["names a user", "leave out --from"]),
        (["message", "sip:a@x"], ["Missing argument 'TEXT'"]),
        (["cal"], ["No such command 'cal'"]),
        ([], ["Commands:"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_usage_error_says_what_to_type(arguments: list[str], says: list[str], tmp_path: Path) -> None:
    files = {"TUNE": str(write_tune(tmp_path / "tune.wav")), "FIFO": str(tmp_path / "fifo")}
    if hasattr(os, "mkfifo"):
        os.mkfifo(files["FIFO"])
    elif "FIFO" in arguments:
        pytest.skip("this system has no FIFOs")
    arguments = [files.get(each, each) for each in arguments]
    env = environment()
    assert main(arguments, env) == ExitStatus.USAGE
    assert text(env.stdout) == ""
    assert [said for said in says if said not in text(env.stderr)] == []


def test_a_password_prompt_that_is_interrupted() -> None:
    def interrupted(prompt: str) -> str:
        raise KeyboardInterrupt

    env = environment(terminal=True, ask_secret=interrupted)
    assert main(["options", "sip:pbx", "--user", "alice"], env) == ExitStatus.INTERRUPTED


def test_the_version() -> None:
    env = environment()
    assert main(["--version"], env) == ExitStatus.DONE
    assert text(env.stdout) == f"sipstack {sipstack.__version__}\n"


def test_python_m_sipstack_is_the_same_program() -> None:
    result = subprocess.run([sys.executable, "-m", "sipstack", "--version"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, f"sipstack {sipstack.__version__}\n")


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_one_line_says_what_to_install(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\nfrom sipstack.__main__ import main; sys.exit(main())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (ExitStatus.USAGE, "")
    assert result.stderr == (
        "The command line needs click and rich: pip install 'sipstack[cli]'\n"
        "From a checkout: uvx --from '.[cli]' sipstack\n"
    )


def test_another_missing_module_is_not_blamed_on_the_extra() -> None:
    code = "import sys; sys.modules['sipstack.cli.main'] = None\nfrom sipstack.__main__ import main; main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 1
    assert "ModuleNotFoundError" in result.stderr


def test_a_bug_is_told_without_commanding_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **more: object) -> None:
        raise ZeroDivisionError("\x1b]0;owned\x07")

    monkeypatch.setattr(program, "main", broken)
    env = environment()
    assert main([], env) == 1
    assert text(env.stderr).startswith("Traceback (most recent call last):\n")
    assert text(env.stderr).endswith("\nZeroDivisionError: ?]0;owned?\n")
