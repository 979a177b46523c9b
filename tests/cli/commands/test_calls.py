"""``sipstack calls``, and ``--records`` of the commands that have calls."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

from sipstack.cli.commands.calls import calls
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.main import main
from sipstack.cli.status import ExitStatus
from sipstack.errors import CallRejected
from tests.cli.registrar import registrar_here
from tests.cli.running import ANY_PORT, agent, command, echo, line, process, write_tune
from tests.cli.streams import environment, text
from tests.records.books import call, lines, rewrite, ticking, write


def run(*arguments: object) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of ``sipstack calls ARGUMENTS``."""
    env = environment()
    status = main(["calls", *map(str, arguments)], env)
    return status, text(env.stdout), text(env.stderr)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "calls.jsonl"
    refused = call(3, outcome="refused", status=486, answered=None, incoming=False)
    figures = {"packets_sent": 250, "mos_hundredths": 435}
    answered = call(2, by="local", duration=12_300, codec="PCMU", quality=figures, user="Alice")
    write(path, [call(1, session_id=f"{'a' * 32};remote={'b' * 32}"), answered, refused])
    return path


def key(path: Path) -> Path:
    return path.with_name(path.name + ".key.pub")


# -- list and show -----------------------------------------------------------------------------------------


def test_each_call_is_a_line(path: Path) -> None:
    status, out, err = run("list", path)
    assert (status, err) == (ExitStatus.DONE, "")
    first, second, third = out.splitlines()
    assert "sip:caller1@example.com -> sip:bob@example.com  ended by" in first
    assert second.endswith("ended by us  12.3 s  PCMU")
    assert second.startswith("2026-09-21 ")
    assert third.endswith("sip:bob@example.com -> sip:caller3@example.com  refused 486")


def test_programs_get_an_object_for_each_call(path: Path) -> None:
    status, out, _ = run("list", path, "--json")
    assert status == ExitStatus.DONE
    objects = [json.loads(each) for each in out.splitlines()]
    assert [each["call_id"] for each in objects] == ["call-1", "call-2", "call-3"]
    assert (
        objects[1]
        == call(
            2,
            by="local",
            duration=12_300,
            codec="PCMU",
            quality={"packets_sent": 250, "mos_hundredths": 435},
            user="Alice",
        ).as_values()
    )


def test_all_of_one_call_is_shown(path: Path) -> None:
    status, out, _ = run("show", path, "call-2")
    assert status == ExitStatus.DONE
    shown = dict(each.split(maxsplit=1) for each in out.splitlines())
    assert shown["remote"] == "sip:caller2@example.com"
    assert shown["user"] == "Alice"
    assert shown["duration"] == "12.3 s"
    assert shown["quality"] == "mos_hundredths 435, packets_sent 250"
    assert shown["ended"] == "2026-09-21 14:13:20 UTC"


@pytest.mark.parametrize("half", ["a", "b"])
def test_a_call_is_found_by_its_session_id(path: Path, half: str) -> None:
    status, out, _ = run("show", path, half * 32, "--json")
    assert status == ExitStatus.DONE
    assert json.loads(out)["call_id"] == "call-1"


def test_a_call_that_is_not_there_is_a_usage_error(path: Path) -> None:
    status, out, err = run("show", path, "call-9")
    assert (status, out) == (ExitStatus.USAGE, "")
    assert "there is no call call-9" in err


def test_what_a_stranger_wrote_reaches_no_terminal_raw(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, [call(1, remote="sip:\x1b[31mred@example.com", reason="\x07")])
    for arguments in (("list", path), ("show", path, "call-1"), ("verify", path)):
        _, out, err = run(*arguments)
        assert "\x1b" not in out + err
        assert "\x07" not in out + err


def test_times_beyond_any_calendar_are_shown_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, [call(1, began=2**52)])
    assert str(2**52) in run("list", path)[1]


def test_who_only_looks_is_told_as_well_that_something_is_wrong(path: Path) -> None:
    content = lines(path)
    del content[2]
    rewrite(path, content)
    status, _, err = run("list", path)
    assert status == ExitStatus.DONE
    assert "1 things are wrong" in err


@pytest.mark.parametrize("content", [b"", b"junk\n", b"\xff" * 100, b"SQLite format 3\0" + b"x" * 5000])
def test_files_that_are_something_else_are_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_bytes(content)
    status, _, _ = run("verify", path)
    assert status in (1, ExitStatus.USAGE)


# -- verify ------------------------------------------------------------------------------------------------


def test_what_is_in_order_exits_with_0(path: Path) -> None:
    status, out, err = run("verify", path, "--key", key(path))
    assert (status, out, err) == (0, "3 calls in 1 chains: as it was written\n", "")


def test_without_a_key_it_says_what_that_is_worth(path: Path) -> None:
    status, _, err = run("verify", path)
    assert status == 0
    assert "without --key" in err


def test_what_was_changed_exits_with_1_and_says_which_line_and_how(path: Path) -> None:
    content = lines(path)
    content[2] = content[2].replace(b"12300", b"1230")
    rewrite(path, content)
    status, out, _ = run("verify", path, "--key", key(path))
    assert status == 1
    first, last = out.splitlines()
    assert first == f"{path}:3: changed: entry 2 is not what was hashed"
    assert last == "3 calls in 1 chains: NOT as it was written"


def test_programs_get_an_object_for_each_finding_and_one_for_all(path: Path) -> None:
    content = lines(path)
    content[1], content[2] = content[2], content[1]
    rewrite(path, content)
    status, out, _ = run("verify", path, "--key", key(path), "--json")
    assert status == 1
    *findings, summary = [json.loads(each) for each in out.splitlines()]
    assert [(each["kind"], each["line"], each["wrong"]) for each in findings] == [
        ("reordered", 2, True),
        ("reordered", 3, True),
    ]
    assert (summary["verified"], summary["calls"], summary["entries"]) == (False, 3, 5)


def test_another_key_exits_with_1(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    write(other)
    status, out, _ = run("verify", path, "--key", key(other))
    assert status == 1
    assert "is signed with another key" in out


def test_what_is_no_key_is_a_usage_error(path: Path) -> None:
    status, _, err = run("verify", path, "--key", path)
    assert status == ExitStatus.USAGE
    assert "no key of Ed25519" in err


def test_a_copy_of_the_signatures_shows_what_was_cut_with_them(path: Path, tmp_path: Path) -> None:
    signatures, copy = path.with_name("calls.jsonl.sig"), tmp_path / "copy"
    copy.write_bytes(signatures.read_bytes())
    rewrite(path, lines(path)[:1])
    rewrite(signatures, lines(signatures)[:1])
    assert run("verify", path)[0] == 0
    status, out, _ = run("verify", path, "--signatures", copy)
    assert status == 1
    assert "cut: entry 4 was signed and is not there" in out


def test_one_copy_of_signatures_is_for_one_file(path: Path) -> None:
    assert run("verify", path, path, "--signatures", key(path))[0] == ExitStatus.USAGE


# -- export and redact -------------------------------------------------------------------------------------


def test_an_export_of_two_nodes_can_be_verified_with_their_keys(path: Path, tmp_path: Path) -> None:
    second, merged = tmp_path / "second.sqlite", tmp_path / "all.jsonl"
    write(second, [call(7, nodes=("node 2",)), call(1, epoch=1)], node="node 2", clock=ticking(1.0))
    status, out, err = run("export", path, second, "--output", merged)
    assert (status, out) == (ExitStatus.DONE, "")
    assert "duplicate" in err
    assert merged.stat().st_mode & 0o077 == 0
    status, out, _ = run("verify", merged, "--key", key(path), "--key", key(second))
    assert status == 0
    assert "4 calls in 2 chains: as it was written" in out
    assert "duplicate" in out
    assert run("verify", merged, "--key", key(path))[0] == 1
    assert run("list", merged)[1].count("redacted -> redacted") == 4


def test_an_export_overwrites_nothing(path: Path) -> None:
    before = path.read_bytes()
    status, _, err = run("export", path, "--output", path)
    assert status == ExitStatus.USAGE
    assert "cannot write" in err
    assert path.read_bytes() == before


def test_an_export_goes_to_standard_output(path: Path, tmp_path: Path) -> None:
    _, out, _ = run("export", path)
    (tmp_path / "copy.jsonl").write_text(out, encoding="utf-8")
    assert run("verify", tmp_path / "copy.jsonl", "--key", key(path))[0] == 0


@pytest.mark.parametrize(
    ("choice", "left"),
    [
        (("--who", "sip:CALLER2@example.com"), [True, False, True]),
        (("--who", "caller2"), [True, False, True]),
        (("--call-id", "call-3"), [True, True, False]),
        (("--before", "2026-09-22"), [False, False, False]),
        (("--before", "2026-09-21"), [True, True, True]),
        (("--call-id", "call-1", "--who", "caller3"), [False, True, False]),
    ],
)
def test_who_is_redacted_is_gone_and_verify_holds(
    path: Path, choice: tuple[str, str], left: list[bool]
) -> None:
    assert run("redact", path, *choice)[0] == ExitStatus.DONE
    calls = [json.loads(each) for each in run("list", path, "--json")[1].splitlines()]
    assert [each["remote"] != "redacted" for each in calls] == left
    assert run("verify", path, "--key", key(path))[0] == 0


def test_redacting_says_how_much(path: Path) -> None:
    assert run("redact", path, "--call-id", "call-2")[1] == "3 texts deleted\n"
    assert run("redact", path, "--call-id", "call-2")[1] == "0 texts deleted\n"


@pytest.mark.parametrize("choice", [(), ("--before", "yesterday")])
def test_redacting_nobody_is_a_usage_error(path: Path, choice: tuple[str, ...]) -> None:
    assert run("redact", path, *choice)[0] == ExitStatus.USAGE


# -- the help ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(calls.commands))
def test_every_example_parses(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    each = calls.commands[name]
    assert isinstance(each, CommandWithExamples)
    assert len(each.examples) in (2, 3, 4)
    for _, example in each.examples:
        words = shlex.split(example)
        assert words[:3] == ["sipstack", "calls", name]
        for word in words[3:]:
            if "." in word and "@" not in word and word != "all.jsonl" or name == "verify":
                Path(word).touch()
        each.make_context(name, words[3:])


# -- --records ---------------------------------------------------------------------------------------------


async def test_answer_and_call_keep_records(tmp_path: Path) -> None:
    bob, alice = tmp_path / "bob.jsonl", tmp_path / "alice.sqlite"
    tune = write_tune(tmp_path / "tune.wav")
    answering = ("answer", *ANY_PORT, "--echo", "--calls", "1", "--json", "--records", str(bob))
    async with command(*answering) as answer:
        target = (await answer.event("listening"))["local"]
        calling = ("call", target, *ANY_PORT, "--play", str(tune), "--records", str(alice))
        async with command(*calling) as caller:
            assert await caller.status() == ExitStatus.DONE, caller.stderr
        assert await answer.status() == ExitStatus.DONE
    for path, by in ((bob, "remote"), (alice, "local")):
        assert run("verify", path, "--key", key(path))[0] == 0
        record: dict[str, Any] = json.loads(run("list", path, "--json")[1])
        assert (record["outcome"], record["by"], record["codec"]) == ("answered", by, "PCMU")
        assert record["quality"]["packets_received"] > 50
        assert record["remote"].startswith("sip:")


async def test_a_process_that_is_killed_in_a_call_leaves_a_chain_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "bob.jsonl"
    answering = ("answer", *ANY_PORT, "--echo", "--json", "--records", str(path))
    async with process(*answering) as running:
        target = (await line(running, "listening"))["local"]
        async with agent("alice") as alice:
            async with alice.call(target):
                pass
            await line(running, "ended")
            async with asyncio.timeout(10):
                while not run("list", path)[1]:  # noqa: ASYNC110 - a thread of its own writes it
                    await asyncio.sleep(0.02)
            async with asyncio.timeout(10), alice.call(target):
                await line(running, "answered")
                running.send_signal(signal.SIGKILL)
                await running.wait()
    assert run("verify", path)[0] == 0
    async with command(*answering, "--calls", "1", "--reject", "486") as answer:
        pass
    async with command(*answering, "--calls", "1") as answer, agent("alice") as alice:
        async with alice.call((await answer.event("listening"))["local"]):
            pass
        assert await answer.status() == ExitStatus.DONE
    assert run("verify", path, "--key", key(path))[0] == 0
    assert run("list", path)[1].count("\n") == 2


async def test_register_keeps_records_of_what_it_refuses(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    async with registrar_here() as registrar:
        registering = ("register", registrar.uri, *ANY_PORT, "--from", "sip:alice@127.0.0.1", "--json")
        async with command(*registering, "--records", str(path)) as run_, agent("bob") as bob:
            await run_.event("registered")
            (contact,) = registrar.bindings
            with pytest.raises(CallRejected):
                async with bob.call(contact):
                    pass
    assert [each.split("  ")[-1] for each in run("list", path)[1].splitlines()] == ["refused 480"]


async def test_records_that_cannot_be_written_are_told_before_anything_is_sent(tmp_path: Path) -> None:
    async with agent("bob") as bob, bob.serving(echo):
        calling = ("call", bob.contact, *ANY_PORT, "--records", str(tmp_path / "none" / "calls.jsonl"))
        async with command(*calling, "--json") as caller:
            assert await caller.status() == ExitStatus.USAGE
        (event,) = caller.events
        assert event["event"] == "failed"
        assert "none" in event["reason"]
