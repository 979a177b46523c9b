"""``sipstack call --repeat``: many calls, their summary, their report."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import sys
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import attrs
import pytest

import sipstack
from sipstack.cli.main import main
from sipstack.cli.status import ExitStatus
from tests.cli.commands.test_answer import recordings
from tests.cli.commands.test_call import LINUX_ONLY, Phone, closed_port
from tests.cli.running import ANY_PORT, agent, command, echo, line, outcome, process, write_tune
from tests.cli.streams import Terminal, environment, text

SHORT = (*ANY_PORT, "--duration", "0.1")


class Busy:
    """A callee that refuses every third call, and counts those that it has at a time."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.quiet = asyncio.Event()
        self.at_once = self.most = self.ended = 0

    async def __call__(self, invitation: sipstack.Invitation) -> None:
        if next(self.numbers) % 3 == 0:
            await invitation.reject(486, "Busy \x1b[2J", headers={"Warning": '399 x "\x1b]0;owned\x07"'})
            return
        async with invitation.accept() as call:
            self.at_once += 1
            self.quiet.clear()
            self.most = max(self.most, self.at_once)
            await call.ended()
            self.at_once -= 1
            self.ended += 1
            if not self.at_once:
                self.quiet.set()


# -- usage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--rate", "5"), "--rate is about several calls: give --repeat N as well"),
        (("--parallel", "5"), "--parallel is about several calls"),
        (("--junit", "calls.xml"), "--junit is about several calls"),
        (("--repeat", "0"), "0 is not in the range"),
        (("--repeat", "2", "--rate", "0"), "0 is not in the range"),
        (("--repeat", "2", "--audio", "device"), "--repeat and --audio device exclude each other"),
        (
            ("--repeat", "2", "--replace", "a;to-tag=b;from-tag=c"),
            "--repeat and --replace exclude each other",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_what_cannot_be_repeated(options: tuple[str, ...], said: str) -> None:
    async with command("call", closed_port(), *options, *SHORT) as run:
        assert await run.status() == ExitStatus.USAGE
    assert said in " ".join(run.stderr.split())


async def test_a_report_that_cannot_be_written_is_known_before_anybody_is_called(tmp_path: Path) -> None:
    phone, path = Phone(), tmp_path / "missing" / "calls.xml"
    async with agent() as bob, bob.serving(phone.ring):
        arguments = ("--repeat", "3", "--junit", str(path), "--json")
        async with command("call", bob.contact, *SHORT, *arguments) as run:
            assert await run.status() == ExitStatus.MEDIA
        assert not phone.invited.is_set()
    assert [event["reason"] for event in run.events] == [f"cannot write {path}: No such file or directory"]


@LINUX_ONLY
async def test_a_report_that_fills_the_disk_is_told_after_the_summary() -> None:
    async with agent() as bob, bob.serving(echo):
        arguments = ("--repeat", "2", "--junit", "/dev/full", "--json")
        async with command("call", bob.contact, *SHORT, *arguments) as run:
            assert await run.status() == ExitStatus.MEDIA
    assert run.event_names[-2:] == ["summary", "failed"]
    assert run.events[-1]["reason"] == "cannot write /dev/full: No space left on device"


async def test_a_target_that_is_no_uri_after_all_ends_it_at_the_first_call() -> None:
    async with command("call", "sip:bob@127.0.0.1:x", *SHORT, "--repeat", "50", "--json") as run:
        assert await run.status() == ExitStatus.USAGE
    assert run.event_names == ["calling", "summary", "failed"]
    summary = run.events[1]["summary"]
    assert (summary["placed"], summary["failed"], summary["statuses"]) == (1, 1, {"error": 1})


# -- calls that fail ---------------------------------------------------------------------------------------


async def test_calls_that_fail_do_not_end_the_others(tmp_path: Path) -> None:
    path = tmp_path / "calls.xml"
    async with agent() as bob, bob.serving(Busy()):
        arguments = ("--repeat", "6", "--junit", str(path), "--json")
        async with command("call", bob.contact, *SHORT, *arguments) as run:
            assert await run.status() == ExitStatus.FAILED
        target = bob.contact
    call, refused = ["calling", "answered", "ended"], ["calling", "rejected"]
    assert run.event_names == [*call, *call, *refused, *call, *call, *refused, "summary", "failed"]
    numbers = [event["number"] for event in run.events[:-2]]
    assert numbers == [1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6]
    assert len({event["call_id"] for event in run.events[:-2]}) == 6
    assert run.events[-1]["reason"] == "2 of 6 calls failed"
    summary = run.events[-2]["summary"]
    assert (summary["calls"], summary["placed"], summary["answered"]) == (6, 6, 4)
    assert (summary["failed"], summary["interrupted"]) == (2, 0)
    assert summary["statuses"] == {"200": 4, "486": 2}
    setup = summary["setup"]
    assert 0 < setup["min"] <= setup["p50"] <= setup["p90"] <= setup["p99"] <= setup["max"] < 5
    (suite,) = ElementTree.parse(path).getroot()
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == (
        f"sipstack call {target}",
        "6",
        "2",
    )
    kinds = [[(each.tag, each.get("type")) for each in case] for case in suite]
    assert kinds == [[], [], [("failure", "486")], [], [], [("failure", "486")]]
    assert [float(case.get("time") or 0) >= 0.1 for case in suite] == [True, True, False, True, True, False]


async def test_people_see_failures_and_the_summary_and_nothing_raw() -> None:
    async with agent() as bob, bob.serving(Busy()):
        async with command("call", bob.contact, *SHORT, "--repeat", "3") as run:
            assert await run.status() == ExitStatus.FAILED
    assert run.stderr == (
        "rejected    call 3, 486 Busy ?[2J\n"
        '  Warning       399 x "?]0;owned?"\n'
        "failed      1 of 3 calls failed\n"
    )
    lines = text(run.environment.stdout).splitlines()
    assert lines[0].startswith("summary     3 calls, 2 answered, 1 failed, ")
    assert [each.split()[:2] for each in lines[1:]] == [["200", "2"], ["486", "1"], ["set-up", "min"]]


async def test_nobody_is_there() -> None:
    arguments = ("--repeat", "4", "--parallel", "2", "--json")
    async with command("call", closed_port(), *SHORT, *arguments) as run:
        assert await run.status() == ExitStatus.FAILED
    summary = run.events[-2]["summary"]
    assert (summary["failed"], summary["statuses"], summary["setup"]) == (4, {"network": 4}, None)


async def test_a_phone_that_nobody_picks_up() -> None:
    phone = Phone()
    async with agent() as bob, bob.serving(phone.ring):
        arguments = ("--repeat", "3", "--parallel", "3", "--ring-timeout", "0.3", "--json")
        async with command("call", bob.contact, *SHORT, *arguments) as run:
            assert await run.status() == ExitStatus.FAILED
    assert run.events[-2]["summary"]["statuses"] == {"no answer": 3}
    assert sorted(
        event["number"] for event in run.events if event["event"] == "failed" and event["number"]
    ) == [
        1,
        2,
        3,
    ]


# -- Ctrl-C ------------------------------------------------------------------------------------------------


async def test_ctrl_c_hangs_everything_up_and_sums_up(tmp_path: Path) -> None:
    busy, path = Busy(), tmp_path / "calls.xml"
    async with agent() as bob, bob.serving(busy):
        arguments = ("--repeat", "1000", "--rate", "50", "--duration", "60", "--junit", str(path), "--json")
        async with command("call", bob.contact, *ANY_PORT, *arguments) as run:
            await run.event("answered", 10)
            run.interrupt()
            assert await run.status() == ExitStatus.INTERRUPTED
        async with asyncio.timeout(5):
            await busy.quiet.wait()
        assert busy.ended >= 10
    assert run.event_names[-2:] == ["summary", "interrupted"]
    summary = run.events[-2]["summary"]
    assert 10 <= summary["answered"] <= summary["placed"] < 1000
    assert summary["interrupted"] == summary["placed"] - summary["failed"]
    (suite,) = ElementTree.parse(path).getroot()
    assert (suite.get("tests"), suite.get("skipped")) == (str(summary["placed"]), str(summary["interrupted"]))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send this signal to one process")
async def test_a_real_ctrl_c_while_they_ring() -> None:
    phone = Phone()
    async with agent() as bob, bob.serving(phone.ring):
        arguments = ("--repeat", "20", "--parallel", "20", "--json")
        async with process("call", bob.contact, *SHORT, *arguments) as running:
            await line(running, "progress")
            running.send_signal(signal.SIGINT)
            status, said, errors = await outcome(running)
        assert phone.cancelled.is_set()
    assert (status, errors) == (ExitStatus.INTERRUPTED, "")
    assert [event["event"] for event in said][-2:] == ["summary", "interrupted"]


# -- calls that work ---------------------------------------------------------------------------------------


async def test_one_after_the_other_where_nothing_else_is_said() -> None:
    async with agent() as bob, bob.serving(echo):
        async with command("call", bob.contact, *SHORT, "--repeat", "3", "--json") as run:
            assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["calling", "answered", "ended"] * 3 + ["summary"]
    assert run.events[-1]["summary"]["statuses"] == {"200": 3}


async def test_the_rate_is_held_and_calls_overlap() -> None:
    async with agent() as bob, bob.serving(echo):
        arguments = ("--repeat", "10", "--rate", "20", "--duration", "0.5", "--json")
        async with command("call", bob.contact, *ANY_PORT, *arguments) as run:
            assert await run.status() == ExitStatus.DONE
    times = [datetime.fromisoformat(event["time"]) for event in run.events if event["event"] == "calling"]
    assert len(times) == 10
    assert (times[-1] - times[0]).total_seconds() == pytest.approx(0.45, abs=0.2)
    assert run.events[-1]["summary"]["seconds"] < 5  # of 10 times 0.5 s


async def test_no_more_at_a_time_than_allowed() -> None:
    busy = Busy()
    async with agent() as bob, bob.serving(busy):
        arguments = ("--repeat", "12", "--rate", "200", "--parallel", "3", "--json")
        async with command("call", bob.contact, *SHORT, *arguments) as run:
            assert await run.status() == ExitStatus.FAILED
    assert busy.most == 3
    assert run.events[-2]["summary"]["late"] > 0.1


async def test_each_call_has_its_recording(tmp_path: Path) -> None:
    tune = write_tune(tmp_path / "tune.wav")
    files = ("--play", str(tune), "--record", str(tmp_path / "out.wav"))
    async with agent() as bob, bob.serving(echo):
        arguments = ("--repeat", "3", "--parallel", "3", "--duration", "0.4")
        async with command("call", bob.contact, *ANY_PORT, *files, *arguments) as run:
            assert await run.status() == ExitStatus.DONE
    assert sorted(recordings(tmp_path)) == ["out-2.wav", "out-3.wav", "out.wav", "tune.wav"]


async def test_a_bar_on_a_terminal_and_nowhere_else() -> None:
    async with agent() as bob, bob.serving(Busy()):
        for terminal in (True, False):
            env = environment(signals=contextlib.nullcontext)
            if terminal:
                env = attrs.evolve(env, stderr=Terminal())
            arguments = ["call", bob.contact, *SHORT, "--repeat", "3"]
            assert await asyncio.to_thread(main, arguments, env) == ExitStatus.FAILED
            said = text(env.stderr)
            assert ("3/3" in said) is terminal
            assert said.count("rejected") == 1
            assert "\x1b[2J" not in said
            assert "summary     3 calls" in text(env.stdout)
