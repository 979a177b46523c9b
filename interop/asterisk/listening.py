"""Answer calls, listen to their sound, and wait for the other side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np

from interop.asterisk.sound import RATE, SILENCE, Samples, consists_of, loudness, samples_of
from sipstack import Audio, Call, Frame, Invitation, UserAgent

TIMEOUT = 5.0  # seconds; on an idle machine each wait takes a fraction of one
WINDOW = 0.2  # seconds of sound in which a tone is recognised


async def hear(audio: Audio, duration: float) -> Samples:
    """The next seconds of sound."""
    heard = np.empty(0)
    async with asyncio.timeout(duration + TIMEOUT):
        async for frame in audio:
            heard = np.concatenate((heard, _samples(frame)))
            if len(heard) >= duration * RATE:
                return heard
    raise EOFError(f"the media ended after {len(heard) / RATE} s")


async def hear_tone(audio: Audio, *frequencies: float) -> None:
    """Listen until there is this tone, or are these together, and nothing else; raises TimeoutError when that
    does not come.
    """
    length = int(WINDOW * RATE)
    latest = np.empty(0)
    async with asyncio.timeout(TIMEOUT):
        async for frame in audio:
            latest = np.concatenate((latest, _samples(frame)))[-length:]
            if len(latest) == length and loudness(latest) > SILENCE and consists_of(latest, *frequencies):
                return
    raise EOFError("the media ended")


async def eventually(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until it holds; raises TimeoutError when it does not."""
    async with asyncio.timeout(TIMEOUT):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def answering(ua: UserAgent) -> AsyncIterator[asyncio.Queue[Call]]:
    """Accept every call and hand it over. It lasts until one of the parties ends it."""
    calls: asyncio.Queue[Call] = asyncio.Queue()

    async def accept(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            calls.put_nowait(call)
            await call.ended()

    async with ua.serving(accept):
        yield calls


async def next_call(calls: asyncio.Queue[Call]) -> Call:
    return await asyncio.wait_for(calls.get(), TIMEOUT)


def _samples(frame: Frame) -> Samples:
    assert frame.sample_rate == RATE
    return samples_of(frame.pcm)
