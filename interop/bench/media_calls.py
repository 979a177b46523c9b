"""Our calls under measurement: ``media_calls plain|sink|sdes|opus|relay CALLS PORT...``; see ``media_seat``.

Each call plays a tone, and a task of its own takes what is heard, frame by frame; with ``sink`` it is written
to a sink instead, as a recording is. With ``relay`` the packets of two calls are passed on to each other, as
``sipstack.bridge`` does where the codecs match.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

from interop.bench.media_seat import HOST, destinations, serve
from interop.bench.media_streams import STREAMS
from sipstack import AudioSession, sdp
from sipstack.media.io import FRAMES_PER_SECOND, PcmSource
from sipstack.media.relay import Relay
from sipstack.media.tones import sine


async def opened(kind: str, destination: int) -> tuple[AudioSession, int]:
    """The media of a call that comes from the load, and its port."""
    stream = STREAMS[kind]
    session = AudioSession(HOST, codecs=(stream.codec,), insecure_keys=True)
    answer = await session.answer(sdp.parse(stream.offer(HOST, destination)))
    session.confirmed()
    return session, answer.media[0].port


async def listen(session: AudioSession) -> None:
    """Takes all frames."""
    async for _ in session.audio:
        pass


class Nowhere:
    """A sink that keeps nothing."""

    def write(self, pcm: bytes) -> None:
        """Gets what is heard."""

    def close(self) -> None:
        """There is nothing to complete."""


async def talk(kind: str, session: AudioSession, stack: contextlib.AsyncExitStack) -> None:
    """Say a tone, and listen."""
    rate = session.audio.sample_rate
    source = sine(440, 1.0, sample_rate=rate)
    tone = b"".join(source.read() or b"" for _ in range(FRAMES_PER_SECOND))
    await stack.enter_async_context(session.audio.playing(PcmSource(tone, rate), loop=True))
    if kind == "sink":
        await stack.enter_async_context(session.audio.recording(Nowhere()))
    else:
        stack.callback(asyncio.create_task(listen(session)).cancel)


def join(one: AudioSession, other: AudioSession, stack: contextlib.AsyncExitStack) -> None:
    """Pass on the packets of each to the other."""
    for source, sink in ((one, other), (other, one)):
        stack.enter_context(Relay(source, sink, lambda: None))


async def main(kind: str, arguments: list[str]) -> None:
    """Serves until the standard input ends."""
    calls = [await opened(kind, port) for port in destinations(arguments)]
    sessions = [session for session, _ in calls]
    async with contextlib.AsyncExitStack() as stack:
        for session in sessions:
            stack.push_async_callback(session.close)
        if kind == "relay":
            for one, other in zip(sessions[::2], sessions[1::2], strict=True):
                join(one, other, stack)
        else:
            for session in sessions:
                await talk(kind, session, stack)
        await serve(
            [port for _, port in calls],
            lambda: sum(session.audio.statistics.packets_received for session in sessions),
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
