"""Calls of a command that is killed with kill -9 and started again: ``--session-store``."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path

import pytest

from sipstack import Call, Invitation
from sipstack.cli.status import ExitStatus
from sipstack.media.tones import sine
from tests.cli.running import agent, command, line, outcome, process
from tests.media.hearing import Ear, loudness, purity

killing = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no kill -9")


def answering(folder: Path, *more: str) -> tuple[str, tuple[str, ...]]:
    """Where the command is reached, and its arguments: the same at each start."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = ("--session-store", str(folder / "calls.db"))
    return f"sip:127.0.0.1:{port}", ("answer", "--listen", f"udp:127.0.0.1:{port}", *store, "--json", *more)


async def hears(call: Call) -> bool:
    """Whether what we say comes back."""
    ear = Ear()
    async with call.recording(ear), call.playing(sine(1000.0, 2.0)):
        await asyncio.sleep(0.6)
    pcm = b"".join(ear.frames[-10:])
    return loudness(pcm) > 1000 and purity(pcm, 1000.0) > 0.9


# --- on the command line ---


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--resume",), "give --session-store"),
        (("--session-store", "f", "--resume", "--hang-up-old"), "exclude each other"),
        (("--session-store", "f", "--listen", "udp:127.0.0.1:0"), "needs the same port at each start"),
    ],
)
async def test_what_cannot_work_is_said(arguments: tuple[str, ...], reason: str) -> None:
    async with command("answer", *arguments) as run:
        assert await run.status() == ExitStatus.USAGE
    assert reason in " ".join(run.stderr.split())


async def test_a_file_that_cannot_be_made_is_said_before_listening(tmp_path: Path) -> None:
    _, arguments = answering(tmp_path / "missing")
    async with command(*arguments) as run:
        assert await run.status() == ExitStatus.USAGE
    assert run.event_names == ["failed"]


async def test_without_a_kill_nothing_is_left_in_the_file(tmp_path: Path) -> None:
    target, arguments = answering(tmp_path)
    for _ in range(2):
        async with command(*arguments, "--calls", "1") as run, agent("alice") as alice:
            await run.event("listening")
            async with alice.call(target):
                pass
            assert await run.status() == ExitStatus.DONE
        assert run.event_names == ["listening", "invited", "answered", "ended"]


# --- kill -9 ---


@killing
async def test_resume_has_the_audio_back_and_answers_the_peer(tmp_path: Path) -> None:
    target, arguments = answering(tmp_path, "--echo", "--resume")
    async with agent("alice") as alice:
        async with process(*arguments) as first:
            await line(first, "listening")
            async with alice.call(target) as call:
                assert await hears(call)
                described = call._session.exchange.remote
                first.send_signal(signal.SIGKILL)
                await first.wait()
                async with process(*arguments) as second:
                    resumed = await line(second, "resumed")
                    assert resumed["call_id"] == call.id
                    assert resumed["codec"] == call.codec == "PCMU"
                    assert await hears(call)
                    assert call._session.exchange.remote == described  # at the same port
                    await call.hold()
                    await call.resume()
                    assert await hears(call)
                    await call.hang_up()
                    assert (await call.ended()).by == "local"
                    assert (await line(second, "ended"))["by"] == "remote"


@killing
async def test_by_default_the_call_is_kept_in_silence(tmp_path: Path) -> None:
    target, arguments = answering(tmp_path, "--echo")
    async with agent("alice") as alice:
        async with process(*arguments) as first:
            await line(first, "listening")
            async with alice.call(target) as call:
                first.send_signal(signal.SIGKILL)
                await first.wait()
                async with process(*arguments) as second:
                    await line(second, "resumed")
                    before = call.statistics.packets_received
                    assert not await hears(call)
                    assert call.statistics.packets_received - before > 20
                    await call.hang_up()
                    assert (await line(second, "ended"))["call_id"] == call.id


@killing
async def test_hang_up_old_ends_it_and_takes_new_ones(tmp_path: Path) -> None:
    target, arguments = answering(tmp_path, "--hang-up-old")
    async with agent("alice") as alice:
        async with process(*arguments) as first:
            await line(first, "listening")
            async with alice.call(target) as call:
                first.send_signal(signal.SIGKILL)
                await first.wait()
                async with process(*arguments) as second:
                    ended = await line(second, "ended")
                    assert (ended["call_id"], ended["by"]) == (call.id, "local")
                    assert (await call.ended()).by == "remote"
                    await line(second, "listening")
                    async with alice.call(target):
                        pass


@killing
async def test_a_call_that_we_placed_goes_on_with_its_plan(tmp_path: Path) -> None:
    async def answer(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            calls.put_nowait(call)
            async for frame in call.audio:
                await call.audio.send(frame)

    calls: asyncio.Queue[Call] = asyncio.Queue()
    _, (_, *options) = answering(tmp_path)
    async with agent("bob") as bob, bob.serving(answer):
        arguments = ("call", bob.contact, *options, "--resume", "--duration", "2")
        async with process(*arguments) as first:
            await line(first, "answered")
            call = await calls.get()
            await asyncio.sleep(0.3)  # it is answered before its ACK, which waits for the file
            first.send_signal(signal.SIGKILL)
            await first.wait()
            async with process(*arguments) as second:
                status, said, _ = await outcome(second)
        assert (status, [each["event"] for each in said]) == (ExitStatus.DONE, ["resumed", "ended"])
        assert said[0]["call_id"] == call.id
        assert (await call.ended()).by == "remote"
        assert said[1]["packets_received"] > 50
        assert calls.empty()
