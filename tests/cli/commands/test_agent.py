"""``sipstack agent``: bots on a WebSocket, on TCP and as programs, in calls on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

import sipstack
from sipstack.cli.main import main
from sipstack.cli.status import ExitStatus
from sipstack.errors import CallRejected
from sipstack.media.tones import sine
from tests.cli.running import ANY_PORT, Command, agent, command
from tests.cli.streams import environment, text
from tests.media.hearing import purity
from tests.ua.handlers import CLEARED

BOT = """
    import json, struct, sys

    def read():
        header = sys.stdin.buffer.read(3)
        if not header:
            raise SystemExit
        kind, length = struct.unpack(">cH", header)
        return kind, sys.stdin.buffer.read(length)

    def write(kind, payload):
        sys.stdout.buffer.write(struct.pack(">cH", kind, len(payload)) + payload)
        sys.stdout.buffer.flush()
"""
ECHO = """
    while True:
        kind, payload = read()
        if kind == b"A":
            write(kind, payload)
        else:
            print(payload.decode(), file=open(sys.argv[1], "a"))
"""


def usage_error(*arguments: str) -> str:
    env = environment()
    assert main(("agent", *arguments), env) == ExitStatus.USAGE
    return " ".join(text(env.stderr).split())


def program(folder: Path, body: str) -> str:
    """A command line that starts a bot; it writes what it is told into ``told``."""
    path = folder / "bot.py"
    path.write_text(textwrap.dedent(BOT) + textwrap.dedent(body))
    return shlex.join([sys.executable, str(path), str(folder / "told")])


def told(folder: Path) -> list[dict[str, Any]]:
    path = folder / "told"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def contact(run: Command) -> str:
    local = (await run.event("listening"))["local"]
    assert isinstance(local, str)
    return local


async def tone_back(call: sipstack.Call) -> float:
    """Play a tone until it comes back; how pure it is."""
    pcm = bytearray()
    async with asyncio.timeout(15), call.playing(sine(1000.0, 0.1), loop=True):
        async for frame in call.audio:
            pcm = (pcm + frame.pcm)[-4800:]
            if len(pcm) == 4800 and (pure := purity(bytes(pcm), 1000.0)) > 0.7:
                return pure
    return 0.0


# -- what cannot work ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "where is the bot?"),
        (["http://127.0.0.1"], "write ws://HOST:PORT/PATH or tcp:HOST:PORT"),
        (["ws://127.0.0.1:1", "--exec", "bot"], "exclude each other"),
        (["--exec", ""], "no program is named"),
        (["--exec", "bot 'x"], "No closing quotation"),
        (["--exec", "bot", "--rate", "11025"], "11025 is no multiple of 50"),
        (["--exec", "bot", "--rate", "100"], "8000<=x<=48000"),
        (["--exec", "bot", "--ring-timeout", "5"], "--ring-timeout is for --call"),
        (["--exec", "bot", "--call", "sip:b@h", "--calls", "2"], "leave them or --call out"),
        (["--exec", "bot", "--register"], "--register needs to know who we are"),
    ],
)
def test_usage(arguments: list[str], words: str) -> None:
    assert words in usage_error(*arguments)


async def test_a_bot_that_is_not_there_costs_the_caller_a_503() -> None:
    async with command("agent", "--exec", "nonesuch", *ANY_PORT, "--calls", "1", "--json") as run:
        async with agent("alice") as alice:
            with pytest.raises(CallRejected) as refused:
                async with alice.call(await contact(run)):
                    pass
        assert await run.status() == ExitStatus.DONE
    assert refused.value.status == 503
    assert run.event_names == ["listening", "invited", "failed"]
    assert "the agent nonesuch cannot be started" in run.events[-1]["reason"]


async def test_a_bot_that_is_not_there_calls_nobody() -> None:
    called = asyncio.Event()

    async def pick_up(invitation: sipstack.Invitation) -> None:
        called.set()

    async with agent() as bob, bob.serving(pick_up):
        arguments = ("agent", "--exec", "nonesuch", "--call", bob.contact, *ANY_PORT, "--json")
        async with command(*arguments) as run:
            assert await run.status() == ExitStatus.NETWORK
    assert not called.is_set()
    assert run.event_names == ["failed"]


async def test_a_bot_that_dies_ends_its_call_and_others_go_on(tmp_path: Path) -> None:
    bot = program(tmp_path, "read(); read(); raise SystemExit(7)")
    async with command("agent", "--exec", bot, *ANY_PORT, "--calls", "2", "--json") as run:
        async with agent("alice") as alice:
            for number in (1, 2):
                async with alice.call(await contact(run)) as call, asyncio.timeout(10):
                    assert (await call.ended()).by == "remote"
                await run.event("failed", number)
        assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["listening", *(["invited", "answered", "ended", "failed"] * 2)]
    assert run.events[-1]["reason"] == "the agent has ended, with exit code 7"


async def test_a_bot_that_dies_in_a_call_that_it_placed() -> None:
    async def listen(invitation: sipstack.Invitation) -> None:
        async with invitation.accept() as call:
            await call.ended()

    async with agent() as bob, bob.serving(listen):
        bot = f"{sys.executable} -c 'print(1)'"
        async with command("agent", "--exec", bot, "--call", bob.contact, *ANY_PORT, "--json") as run:
            assert await run.status() == ExitStatus.NETWORK
    assert run.event_names == ["calling", "answered", "ended", "failed"]
    reason = run.events[-1]["reason"]  # whichever is seen first
    assert any(words in reason for words in ("b'2\\n' where a frame begins", "went away", "with exit code 0"))


# -- what works ----------------------------------------------------------------------------------------------


async def test_a_program_talks_with_a_caller(tmp_path: Path) -> None:
    bot = program(tmp_path, ECHO)
    async with command("agent", "--exec", bot, *ANY_PORT, "--calls", "1", "--json") as run:
        async with agent("alice") as alice:
            async with alice.call(await contact(run)) as call:
                assert await tone_back(call) > 0.7
        assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["listening", "invited", "answered", "ended"]
    start, end = told(tmp_path)
    assert (start["event"], start["from"], start["rate"]) == ("start", "sip:alice@127.0.0.1", 16000)
    assert end == {"event": "end", "by": "remote", "reason": CLEARED}


async def test_a_bot_on_tcp_places_a_call_and_hangs_up() -> None:
    heard: list[bytes] = []

    async def listen(invitation: sipstack.Invitation) -> None:
        async with invitation.accept() as call:
            heard.extend([frame.pcm async for frame in call.audio])

    async def bot(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pcm = b"".join(iter(lambda: source.read() or b"", b""))
        for start in range(0, len(pcm), 1000):
            writer.write(b"A" + len(pcm[start : start + 1000]).to_bytes(2, "big") + pcm[start : start + 1000])
        said = b'{"command": "hang_up"}'
        writer.write(b"J" + len(said).to_bytes(2, "big") + said)
        await reader.read()
        writer.close()

    source = sine(1000.0, 1.0)
    async with await asyncio.start_server(bot, "127.0.0.1", 0) as server, agent() as bob, bob.serving(listen):
        address = f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}"
        arguments = ("agent", address, "--rate", "8000", "--call", bob.contact, *ANY_PORT, "--json")
        async with command(*arguments) as run:
            assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["calling", "answered", "ended"]
    assert run.events[-1]["by"] == "local"
    assert run.events[-1]["duration"] == pytest.approx(1.15, abs=0.5)
    assert purity(b"".join(heard)[3200:12800], 1000.0) > 0.7


class Conversation:
    """A bot that is a WebSocket server: it sends back what it hears, and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.over = asyncio.Event()

    async def __call__(self, connection: ServerConnection) -> None:
        async for message in connection:
            if isinstance(message, bytes):
                await connection.send(message)
            else:
                self.told.append(json.loads(message))
        self.over.set()


@contextlib.asynccontextmanager
async def websocket_bot() -> AsyncIterator[tuple[Conversation, str]]:
    bot = Conversation()
    async with serve(bot, "127.0.0.1", 0) as server:
        yield bot, f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"


async def test_a_bot_on_a_websocket_talks_and_ctrl_c_hangs_up() -> None:
    async with websocket_bot() as (bot, url), command("agent", url, *ANY_PORT, "--json") as run:
        async with agent("alice") as alice:
            async with alice.call(await contact(run)) as call:
                assert await tone_back(call) > 0.7
                run.interrupt()
                async with asyncio.timeout(10):
                    assert (await call.ended()).by == "remote"
        assert await run.status() == ExitStatus.INTERRUPTED
        async with asyncio.timeout(10):
            await bot.over.wait()
    assert run.event_names == ["listening", "invited", "answered", "ended", "interrupted"]
    assert [each["event"] for each in bot.told] == ["start", "end"]
    assert bot.told[-1]["by"] == "local"


async def test_two_calls_are_two_connections() -> None:
    async with websocket_bot() as (bot, url):
        async with command("agent", url, *ANY_PORT, "--calls", "2", "--json") as run, agent("alice") as alice:
            target = await contact(run)
            async with alice.call(target) as one, alice.call(target) as two:
                assert min(await asyncio.gather(tone_back(one), tone_back(two))) > 0.7
            assert await run.status() == ExitStatus.DONE
    assert {each["call"] for each in bot.told if each["event"] == "start"} == {one.id, two.id}
