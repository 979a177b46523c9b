"""What is heard in a call, at the rate of whoever listens."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sipstack import Call
from sipstack.media.wav import load_conversion


async def heard(call: Call, sample_rate: int) -> AsyncIterator[bytes]:
    """16-bit mono PCM of what is heard from now on, 20 ms at a time, silence included; ends with the call."""
    if sample_rate == call.audio.sample_rate:
        async for frame in call.audio:
            yield frame.pcm
        return
    await load_conversion()
    from sipstack.media.conversion import Resampler

    resampler = Resampler(call.audio.sample_rate, sample_rate)
    async for frame in call.audio:
        yield resampler.push(frame.pcm)
