"""Two calls joined: what one side says, the other hears."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from sipstack.errors import CallEnded
from sipstack.media.audio import Audio
from sipstack.media.port import MediaPort, audio_of
from sipstack.media.relay import Relay, RelayEnd
from sipstack.ua.call import Call
from sipstack.ua.invitation import Invitation
from sipstack.ua.outgoing import OutgoingInvite
from sipstack.until_first import until_first


async def bridge(one: Call | OutgoingInvite | Invitation, other: Call | OutgoingInvite | Invitation) -> None:
    """Relay audio between two calls until either ends. The calls stay yours: hang them up, or do more.

    Packets are passed on as they are, DTMF too, as long as both sides use the same codec and nothing is
    played, muted or recorded on the way out; else audio is decoded and encoded anew. For early media give the
    outgoing call, and the invitation once it has ``progress(early_media=True)``: the bridge goes on when both
    are answered. Raises MediaError when the sample rate of one cannot be made that of the other.
    """
    ends = one._port, other._port
    await until_first(_carry(*ends), _carry(*reversed(ends)))


async def _carry(source: MediaPort, sink: MediaPort) -> None:
    """One direction; ends when either call does."""
    heard, said = audio_of(source), audio_of(sink)
    changed = asyncio.Event()
    forget = [audio.when_ended(changed.set) for audio in (heard, said)]
    try:
        with contextlib.suppress(CallEnded):
            if isinstance(source, RelayEnd) and isinstance(sink, RelayEnd):
                await _relay(source, sink, changed)
            else:
                await _transcode(heard, said, lambda: False)
    finally:
        for each in forget:
            each()


async def _relay(source: RelayEnd, sink: RelayEnd, changed: asyncio.Event) -> None:
    """Packets as they are, and audio for as long as they cannot be passed on."""
    with Relay(source, sink, changed.set) as relay:
        while not (source.audio.is_over or sink.audio.is_over):
            if relay.passes:
                await changed.wait()
                changed.clear()
            else:
                await _transcode(source.audio, sink.audio, lambda: relay.passes)


async def _transcode(source: Audio, sink: Audio, stop: Callable[[], bool]) -> None:
    async for frame in source.frames(sample_rate=sink.sample_rate):
        if stop():
            return
        await sink.send(frame)
