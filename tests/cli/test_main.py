"""The command line as a whole: usage errors, and the program without its libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sipstack
from sipstack.cli.main import main
from sipstack.cli.status import ExitStatus
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
        (["answer", "--echo", "--play", __file__], ["--echo and --play exclude each other"]),
        (["register", "sip:pbx"], ["write: sipstack register sip:pbx --from sip:you@pbx"]),
        (["register", "sip:a@x", "--from", "sip:b@x"], ["names a user", "leave out --from"]),
        (["message", "sip:a@x"], ["Missing argument 'TEXT'"]),
        (["cal"], ["No such command 'cal'"]),
        ([], ["Commands:"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_usage_error_says_what_to_type(arguments: list[str], says: list[str]) -> None:
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
    assert result.stderr == "The command line needs more libraries: pip install 'sipstack[cli]'\n"


def test_another_missing_module_is_not_blamed_on_the_extra() -> None:
    code = "import sys; sys.modules['sipstack.cli.main'] = None\nfrom sipstack.__main__ import main; main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 1
    assert "ModuleNotFoundError" in result.stderr
