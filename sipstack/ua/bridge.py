"""Two calls joined: what one side says, the other hears."""

from __future__ import annotations

import asyncio
import contextlib

from sipstack.errors import CallEnded
from sipstack.media.audio import Audio
from sipstack.ua.call import Call


async def bridge(one: Call, other: Call) -> None:
    """Relay audio between two calls until either ends. The calls stay yours: hang them up, or do more.

    Raises MediaError when the sample rate of one cannot be made that of the other, LocalProtocolError when
    one of them is listened to already.
    """
    pumps = [
        asyncio.ensure_future(_pump(one.audio, other.audio)),
        asyncio.ensure_future(_pump(other.audio, one.audio)),
    ]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            if pump.done():
                pump.result()
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(source: Audio, sink: Audio) -> None:
    """Ends when either call does."""
    with contextlib.suppress(CallEnded):
        async for frame in source:
            await sink.send(frame)
