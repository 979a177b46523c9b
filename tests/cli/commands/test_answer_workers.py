"""``sipstack answer --workers N``: real processes at one port, called from one address."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from pathlib import Path

import pytest

from sipstack import SharedPort
from sipstack.cli.status import ExitStatus
from tests.cli.running import agent, command, line, outcome, process, write_tune

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks at processes as Linux shows them")

ANSWER = ("answer", "--listen", "udp:127.0.0.1:0", "--json", "--workers", "2")


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def contact(running: Process) -> str:
    local = (await line(running, "listening"))["local"]
    assert isinstance(local, str)
    return local


# -- what fails --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--calls", "3"], "--calls"),
        (["--record", "x.wav"], "--record"),
        (["--pcap", "x.pcap"], "--pcap"),
        (["--listen", "tcp:127.0.0.1:0"], "one UDP port"),
        (["--listen", "udp:127.0.0.1:0", "--listen", "udp:127.0.0.1:0"], "one UDP port"),
    ],
)
async def test_what_one_process_alone_can_do_is_refused_before_any_begins(
    options: list[str], words: str
) -> None:
    async with command("answer", "--workers", "2", *options) as run:
        assert await run.status() == ExitStatus.USAGE
        assert words in run.stderr


async def test_a_port_that_is_taken_is_told_once() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        listen = f"udp:127.0.0.1:{taken.getsockname()[1]}"
        async with process("answer", "--listen", listen, "--json", "--workers", "2") as running:
            status, events, _ = await outcome(running)
    assert status == ExitStatus.NETWORK
    assert [event["event"] for event in events] == ["failed"]
    assert listen in events[0]["reason"]


async def test_two_programs_do_not_share_one_port_by_mistake() -> None:
    first = SharedPort("udp:127.0.0.1:0", 1)
    try:
        async with process("answer", "--listen", first.listen, "--json", "--workers", "2") as running:
            status, events, _ = await outcome(running)
    finally:
        first.close()
    assert status == ExitStatus.NETWORK
    assert "in use" in events[0]["reason"]


async def test_a_worker_that_is_killed_is_started_again_and_the_other_goes_on() -> None:
    async with process(*ANSWER) as running, agent("alice") as alice:
        uri = await contact(running)
        async with alice.call(uri):
            calls = [alice.call(uri) for _ in range(5)]
            for each in calls:
                async with each:
                    pass
        first, _ = children(running.pid)
        os.kill(first, signal.SIGKILL)
        died = await line(running, "died")
        assert died["reason"] == "worker 1: killed by SIGKILL"
        assert died["retry_in"] == 0.5
        for _ in range(6):  # those for the one that is away wait for it
            async with asyncio.timeout(20), alice.call(uri):
                pass
        assert first not in children(running.pid)
        running.send_signal(signal.SIGTERM)
        status, _, errors = await outcome(running)
        assert (status, errors) == (ExitStatus.INTERRUPTED, "")


# -- calls -------------------------------------------------------------------------------------------------


async def test_calls_from_one_address_are_dealt_out_and_numbered() -> None:
    async with process(*ANSWER, "--echo") as running, agent("alice") as alice:
        uri = await contact(running)
        for _ in range(10):
            async with alice.call(uri):
                pass
        invited = [(await line(running, "invited"))["number"] for _ in range(10)]
        assert len(set(invited)) == 10
        assert {number % 2 for number in invited} == {0, 1}
        pids = children(running.pid)
        running.send_signal(signal.SIGINT)
        status, _, errors = await outcome(running)
        assert (status, errors) == (ExitStatus.INTERRUPTED, "")
        assert len(pids) == 2
        assert not any(map(is_there, pids))


async def test_what_is_under_way_is_hung_up_at_the_end(tmp_path: Path) -> None:
    tune = write_tune(tmp_path / "tune.wav", repeat=20)
    async with process(*ANSWER, "--play", str(tune)) as running, agent("alice") as alice:
        uri = await contact(running)
        async with alice.call(uri) as one, alice.call(uri) as two:
            running.send_signal(signal.SIGTERM)
            async with asyncio.timeout(20):
                for call in (one, two):
                    assert (await call.ended()).by == "remote"
        status, _, _ = await outcome(running)
        assert status == ExitStatus.INTERRUPTED


async def test_a_worker_that_is_told_to_leave_lets_its_calls_end() -> None:
    async with process(*ANSWER, "--echo", "--drain", "20") as running, agent("alice") as alice:
        async with alice.call(await contact(running)) as call:
            running.send_signal(signal.SIGTERM)
            await line(running, "draining")
            await call.hold()
        status, _, errors = await outcome(running)
        assert (status, errors) == (ExitStatus.INTERRUPTED, "")
