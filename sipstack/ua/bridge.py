"""Two calls joined: what one side says, the other hears."""

from __future__ import annotations

import asyncio

from sipstack.media.audio import Audio
from sipstack.ua.call import Call


async def bridge(one: Call, other: Call) -> None:
    """Relay audio between two calls until either ends. The calls stay yours: hang them up, or do more."""
    pumps = [
        asyncio.ensure_future(_pump(one.audio, other.audio)),
        asyncio.ensure_future(_pump(other.audio, one.audio)),
    ]
    ends = [asyncio.ensure_future(one.ended()), asyncio.ensure_future(other.ended())]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*pumps, *ends):
            task.cancel()
        await asyncio.gather(*pumps, *ends, return_exceptions=True)


async def _pump(source: Audio, sink: Audio) -> None:
    async for frame in source:
        await sink.send(frame)
