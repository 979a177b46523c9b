"""Channels of octets: over TCP on loopback, and to programs of our own."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import socket
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sipstack.agents import streams
from sipstack.agents.channel import Channel
from sipstack.agents.streams import connect_tcp, start_program
from sipstack.agents.wire import AUDIO, CONTROL, framed
from sipstack.errors import ParseError, TransportError

ECHO = """
    import struct, sys
    while header := sys.stdin.buffer.read(3):
        kind, length = struct.unpack(">cH", header)
        payload = sys.stdin.buffer.read(length)
        if kind == b"A":
            sys.stdout.buffer.write(header + payload)
            sys.stdout.buffer.flush()
"""


@contextlib.asynccontextmanager
async def peer_that(*says: bytes, then_closes: bool = True) -> AsyncIterator[Channel]:
    """A channel to a TCP server that says these octets one by one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for octet in b"".join(says):
            writer.write(bytes([octet]))
            await writer.drain()
        if not then_closes:
            await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        channel = await connect_tcp("127.0.0.1", server.sockets[0].getsockname()[1])
        try:
            yield channel
        finally:
            await channel.close()


@contextlib.asynccontextmanager
async def program(text: str, tmp_path: Path) -> AsyncIterator[Channel]:
    """A channel to a Python program."""
    path = tmp_path / "agent.py"
    path.write_text(textwrap.dedent(text))
    channel = await start_program((sys.executable, str(path)))
    try:
        yield channel
    finally:
        await channel.close()


async def talk_on(channel: Channel) -> None:
    """For a second."""
    for _ in range(100):
        await channel.send_audio(bytes(640))
        await asyncio.sleep(0.01)


# -- what goes wrong -----------------------------------------------------------------------------------------


async def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(TransportError, match=f"no agent at tcp:127.0.0.1:{port}: "):
        await connect_tcp("127.0.0.1", port)


async def test_a_program_that_is_not_there() -> None:
    with pytest.raises(TransportError, match="the agent nonesuch --fast cannot be started: No such file"):
        await start_program(("nonesuch", "--fast"))


async def test_an_agent_that_goes_in_the_middle_of_a_message() -> None:
    async with peer_that(framed(AUDIO, b"\1\0")[:-1]) as channel:
        with pytest.raises(TransportError, match="in the middle of a message"):
            await channel.receive()


async def test_an_agent_that_speaks_another_protocol() -> None:
    async with peer_that(b"HTTP/1.1 400 Bad Request\r\n") as channel:
        with pytest.raises(ParseError, match="b'HTT' where a frame begins"):
            await channel.receive()


async def test_a_program_that_prints(tmp_path: Path) -> None:
    async with program("print('Hello, I am ready')", tmp_path) as channel:
        with pytest.raises(ParseError, match="does it print to standard output"):
            await channel.receive()


async def test_a_program_that_fails_is_told_with_its_exit_code(tmp_path: Path) -> None:
    async with program("raise SystemExit(3)", tmp_path) as channel:
        with pytest.raises(TransportError, match="the agent has ended, with exit code 3"):
            await channel.receive()


async def test_writing_to_a_program_that_has_ended(tmp_path: Path) -> None:
    async with program("", tmp_path) as channel:
        with pytest.raises(TransportError, match="has ended, with exit code 0"):
            await channel.receive()
        with pytest.raises(TransportError, match="has ended, with exit code 0"):
            await talk_on(channel)


@pytest.mark.parametrize(
    "text",
    [
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
        "import sys; [sys.stdout.buffer.write(b'A' * 65536) for _ in range(1 << 30)]",
        "import subprocess; subprocess.run(['sleep', '60'])",
    ],
    ids=["deaf to SIGTERM", "never stops talking", "with a child of its own"],
)
async def test_a_program_that_does_not_end_is_made_to(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "FAREWELL", 0.3)
    async with program(text, tmp_path):
        await asyncio.sleep(0.2)
        began = time.monotonic()
    assert time.monotonic() - began < 5


# -- what works ----------------------------------------------------------------------------------------------


async def test_messages_in_pieces() -> None:
    async with peer_that(
        framed(AUDIO, b"\1\0" * 200), framed(CONTROL, '{"command": "é"}'.encode()), framed(AUDIO, b"")
    ) as channel:
        assert await channel.receive() == b"\1\0" * 200
        assert await channel.receive() == '{"command": "é"}'
        assert await channel.receive() == b""
        assert await channel.receive() is None


async def test_the_program_of_the_documentation_sends_back_what_it_hears(tmp_path: Path) -> None:
    async with program(ECHO, tmp_path) as channel:
        await channel.send_control('{"event": "start"}')
        pcm = bytes(range(256)) * 300
        await channel.send_audio(pcm)
        back = b""
        while len(back) < len(pcm):
            message = await channel.receive()
            assert isinstance(message, bytes)
            back += message
        assert back == pcm


def test_that_program_stands_in_the_documentation() -> None:
    from sipstack.agents import wire

    said = [line.strip() for line in (wire.__doc__ or "").splitlines()]
    assert all(line.strip() in said for line in ECHO.strip().splitlines())


async def test_a_program_that_ends_by_itself_is_not_killed(tmp_path: Path) -> None:
    mark = tmp_path / "ended"
    text = f"import sys; sys.stdin.buffer.read(); open({str(mark)!r}, 'w').close()"
    async with program(text, tmp_path):
        pass
    assert mark.exists()


async def test_a_command_line_has_arguments(tmp_path: Path) -> None:
    channel = await start_program(tuple(shlex.split("printf 'A\\000\\002%s' 'no'")))
    try:
        assert await channel.receive() == b"no"
    finally:
        await channel.close()
