"""Two calls joined: what one side says, the other hears."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeGuard

from sipstack.errors import CallEnded, LocalProtocolError
from sipstack.media.audio import Audio
from sipstack.media.digit_relay import DigitRelay
from sipstack.media.port import MediaPort
from sipstack.media.relay import Relay, RelayEnd
from sipstack.ua.call import Call
from sipstack.ua.invitation import Invitation
from sipstack.ua.outgoing import OutgoingInvite
from sipstack.ua.session_ids import join
from sipstack.until_first import until_first

Party = Call | OutgoingInvite | Invitation


async def bridge(one: Party, other: Party) -> None:
    """Relay audio and digits between two calls until either ends. The calls stay yours: hang them up, or do
    more.

    Packets are passed on as they are, as long as both sides use the same codec and nothing is played, muted
    or recorded on the way out; else audio is decoded and encoded anew. Digits go on in the way that the other
    side takes: RFC 4733, INFO or tones; you may read ``call.dtmf`` all the same.

    For early media give the outgoing call, and the invitation once it has ``progress(early_media=True)``: the
    bridge goes on when both are answered. Raises MediaError when the sample rate of one cannot be made that
    of the other.
    """
    if isinstance(one, Call) and isinstance(other, Call):
        join(one._session, other._session)
    await until_first(_carry(one, other), _carry(other, one))


async def _carry(source: Party, sink: Party) -> None:
    """One direction; ends when either call does. What both have now goes on in the calls that they become."""
    ends = source._port, sink._port
    heard, said = source.audio, sink.audio
    changed = asyncio.Event()
    forget = [audio.when_ended(changed.set) for audio in (heard, said)]
    relay = Relay(*ends, changed.set) if _are_relay_ends(ends) else None
    try:
        with contextlib.suppress(CallEnded), _digits(source, sink, relay) as digits:
            if relay is None:
                await _transcode(heard, said, lambda: False)
                return
            with relay:
                while not (heard.is_over or said.is_over):
                    await _relay(relay, heard, said, changed)
                    if digits is not None:
                        digits.follow()
    finally:
        for each in forget:
            each()


def _are_relay_ends(ends: tuple[MediaPort, MediaPort]) -> TypeGuard[tuple[RelayEnd, RelayEnd]]:
    return all(isinstance(end, RelayEnd) for end in ends)


async def _relay(relay: Relay, heard: Audio, said: Audio, changed: asyncio.Event) -> None:
    """Packets as they are, or audio for as long as they cannot be passed on."""

    def passes() -> bool:
        relay.attach()
        return relay.passes

    if passes():
        await changed.wait()
        changed.clear()
    else:
        await _transcode(heard, said, passes)


def _digits(source: Party, sink: Party, relay: Relay | None) -> AbstractContextManager[DigitRelay | None]:
    try:
        return DigitRelay(source.dtmf, sink.dtmf, lambda: relay is not None and relay.events_pass)
    except LocalProtocolError:  # one has none
        return contextlib.nullcontext()


async def _transcode(source: Audio, sink: Audio, stop: Callable[[], bool]) -> None:
    async for frame in source.frames(sample_rate=sink.sample_rate):
        if stop():
            return
        await sink.send(frame)
