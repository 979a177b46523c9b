"""Agents on a stream of octets: a TCP connection, or the standard input and output of a program."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence

from sipstack.agents.channel import Channel
from sipstack.agents.wire import AUDIO, CONTROL, HEADER, LONGEST, framed, header
from sipstack.errors import TransportError

UNSENT = 16_384
"""Octets that may wait for an agent that is slow to read: half a second at 16 kHz."""
FAREWELL = 3.0
"""Seconds that an agent has to end by itself, once its input has ended; then it is made to."""
BLOCK = 32_000
"""Octets of audio in a frame at the most: a whole number of samples, below what a length can say."""


class StreamChannel:
    """A channel of frames."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        writer.transport.set_write_buffer_limits(UNSENT)

    async def send_audio(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), BLOCK):
            await self._send(AUDIO, pcm[start : start + BLOCK])

    async def send_control(self, text: str) -> None:
        await self._send(CONTROL, text.encode()[:LONGEST])

    async def receive(self) -> bytes | str | None:
        try:
            kind, length = header(await self._reader.readexactly(HEADER.size))
            payload = await self._reader.readexactly(length)
        except IncompleteReadError as error:
            if error.partial:
                raise TransportError("the agent went away in the middle of a message") from error
            return None
        except OSError as error:
            raise _lost(error) from error
        return payload if kind == AUDIO else payload.decode(errors="replace")

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await self._writer.wait_closed()

    async def _send(self, kind: int, payload: bytes) -> None:
        try:
            self._writer.write(framed(kind, payload))
            await self._writer.drain()
        except OSError as error:
            raise await self._reason(error) from error

    async def _reason(self, error: OSError) -> TransportError:
        """Why nothing can be said to it any more."""
        return _lost(error)


class ProgramChannel(StreamChannel):
    """A channel to a program of our own."""

    def __init__(self, program: Process, reader: StreamReader, writer: StreamWriter) -> None:
        super().__init__(reader, writer)
        self._program = program

    async def receive(self) -> bytes | str | None:
        message = await super().receive()
        ended = await self._ended() if message is None else None
        if ended is not None:
            raise ended
        return message

    async def _reason(self, error: OSError) -> TransportError:
        return await self._ended() or await super()._reason(error)

    async def _ended(self) -> TransportError | None:
        """How the program has ended; None when it has not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                return TransportError(f"the agent has ended, with exit code {await self._program.wait()}")
        return None

    async def close(self) -> None:
        """End its input, which tells it to end; then SIGTERM, then SIGKILL, to what it started as well."""
        await super().close()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._program.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    while await self._reader.read(BLOCK):
                        """It may wait for us to read before it ends."""
                    await self._program.wait()
                    return


async def connect_tcp(host: str, port: int) -> Channel:
    """A channel to a program that listens. Raises TransportError."""
    try:
        return StreamChannel(*await asyncio.open_connection(host, port))
    except OSError as error:
        raise TransportError(f"no agent at tcp:{host}:{port}: {error.strerror or error}") from error


async def start_program(command: Sequence[str]) -> Channel:
    """A channel to a program that is started for it. Its standard error is ours. Raises TransportError."""
    try:
        # A session of its own: Ctrl-C is for us, who tell the agent, and it hears the end of the call.
        program = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, start_new_session=True
        )
    except OSError as error:
        raise TransportError(
            f"the agent {shlex.join(command)} cannot be started: {error.strerror or error}"
        ) from error
    assert program.stdin is not None
    assert program.stdout is not None
    return ProgramChannel(program, program.stdout, program.stdin)


def _lost(error: OSError) -> TransportError:
    return TransportError(f"the connection to the agent is lost: {error.strerror or error}")
