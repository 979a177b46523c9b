"""Real signals to real processes, a reader that goes away, and a disk that fills up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import pytest

import sipstack
from sipstack.cli.status import ExitStatus
from tests.cli.commands.test_call import Listener, Phone
from tests.cli.registrar import registrar_here
from tests.cli.running import ANY_PORT, agent, line, outcome, process, write_tune

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows cannot send these signals to one process"
)
BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@BOTH
async def test_while_it_rings(number: signal.Signals) -> None:
    phone = Phone()
    async with agent() as bob, bob.serving(phone.ring):
        async with process("call", bob.contact, *ANY_PORT, "--json") as running:
            await line(running, "progress")
            running.send_signal(number)
            status, said, errors = await outcome(running)
        assert phone.cancelled.is_set()
    assert (status, [event["event"] for event in said], errors) == (
        ExitStatus.INTERRUPTED,
        ["interrupted"],
        "",
    )


@BOTH
async def test_in_a_call(number: signal.Signals) -> None:
    async with agent() as bob:
        listener = Listener()
        async with bob.serving(listener.answer):
            async with process("call", bob.contact, *ANY_PORT, "--json") as running:
                await line(running, "answered")
                running.send_signal(number)
                status, said, errors = await outcome(running)
            assert await listener.end() == "remote"
    assert (status, errors) == (ExitStatus.INTERRUPTED, "")
    assert [event["event"] for event in said] == ["ended", "interrupted"]


@BOTH
async def test_while_registered(number: signal.Signals) -> None:
    async with registrar_here() as registrar:
        arguments = ("register", registrar.uri, "--from", "sip:alice@example.com", *ANY_PORT, "--json")
        async with process(*arguments) as running:
            await line(running, "registered")
            running.send_signal(number)
            status, said, errors = await outcome(running)
        assert registrar.asked == [600, 0]
    assert (status, [event["event"] for event in said], errors) == (
        ExitStatus.INTERRUPTED,
        ["interrupted"],
        "",
    )


async def test_the_second_ctrl_c_does_not_wait_for_a_peer_that_is_gone() -> None:
    """The callee vanishes, so that our BYE goes unanswered."""
    async with process("answer", *ANY_PORT, "--json") as callee:
        contact = (await line(callee, "listening"))["local"]
        async with process("call", contact, *ANY_PORT, "--json") as running:
            await line(running, "answered")
            callee.send_signal(signal.SIGSTOP)
            running.send_signal(signal.SIGINT)
            await asyncio.sleep(0.3)
            assert running.returncode is None
            running.send_signal(signal.SIGINT)
            async with asyncio.timeout(2):
                assert await running.wait() == ExitStatus.INTERRUPTED


async def test_a_peer_that_does_not_answer_the_bye_is_left_in_bounded_time() -> None:
    async with process("answer", *ANY_PORT, "--json") as callee:
        contact = (await line(callee, "listening"))["local"]
        async with process("call", contact, *ANY_PORT, "--json") as running:
            await line(running, "answered")
            callee.send_signal(signal.SIGSTOP)
            running.send_signal(signal.SIGINT)
            status, said, _ = await outcome(running)
    assert status == ExitStatus.INTERRUPTED
    assert [(event["event"], event["reason"]) for event in said] == [
        ("ended", "no answer to our BYE"),
        ("interrupted", None),
    ]


async def test_output_that_nobody_reads_any_more_ends_the_call() -> None:
    ended = asyncio.get_running_loop().create_future()

    async def refuse_then_see(invitation: sipstack.Invitation) -> None:
        async with invitation.accept() as call:
            ended.set_result((await call.ended()).by)

    reader, writer = os.pipe()
    async with agent() as bob, bob.serving(refuse_then_see):
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sipstack",
            "call",
            bob.contact,
            *ANY_PORT,
            "--json",
            "--duration",
            "0.5",
            stdout=writer,
            stderr=asyncio.subprocess.PIPE,
        )
        os.close(writer)
        os.read(reader, 20)
        os.close(reader)
        _, errors = await running.communicate()
        assert await ended == "remote"
    assert (running.returncode, errors) == (ExitStatus.INTERRUPTED, b"")


async def test_a_disk_that_fills_up_during_the_call_ends_it_with_a_bye(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="this system has no resource limits")
    tune, record = write_tune(tmp_path / "tune.wav", repeat=8), tmp_path / "out.wav"
    ended = asyncio.get_running_loop().create_future()

    async def echo_and_see(invitation: sipstack.Invitation) -> None:
        async with invitation.accept() as call:
            with contextlib.suppress(sipstack.CallEnded):  # it may end while a frame waits to be said
                async for frame in call.audio:
                    await call.audio.send(frame)
            ended.set_result((await call.ended()).by)

    async with agent() as bob, bob.serving(echo_and_see):
        arguments = ("call", bob.contact, *ANY_PORT, "--play", str(tune), "--record", str(record), "--json")
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # noqa: E731
        async with process(*arguments, preexec_fn=limit) as running:
            status, said, _ = await outcome(running)
        assert await ended == "remote"
    assert status == ExitStatus.MEDIA
    assert [event["event"] for event in said] == ["calling", "answered", "ended", "failed"]
    assert said[2]["duration"] < 5  # the tune would last 14 s
    assert said[3]["reason"] == f"{record}: File too large"
    assert record.stat().st_size <= 20_000


async def test_calls_whose_output_nobody_reads_any_more_are_hung_up() -> None:
    ended: list[str] = []

    async def answer(invitation: sipstack.Invitation) -> None:
        async with invitation.accept() as call:
            ended.append((await call.ended()).by)

    reader, writer = os.pipe()
    async with agent() as bob, bob.serving(answer):
        many = ("--repeat", "1000", "--rate", "20", "--duration", "0.5")
        arguments = ("call", bob.contact, *ANY_PORT, *many, "--json")
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sipstack", *arguments, stdout=writer, stderr=asyncio.subprocess.PIPE
        )
        os.close(writer)
        os.read(reader, 20)
        os.close(reader)
        _, errors = await running.communicate()
    assert (running.returncode, errors) == (ExitStatus.INTERRUPTED, b"")
    assert set(ended) == {"remote"}
