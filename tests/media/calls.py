"""Two AudioSessions that talk: over real loopback sockets or a wire in memory, in virtual time."""

from __future__ import annotations

import asyncio
import random
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from sipstack import sdp
from sipstack.identifiers import Identifiers
from sipstack.media.clock import MediaClock
from sipstack.media.codecs import AudioCodec
from sipstack.media.session import AudioSession
from sipstack.rtp.packet import RtpPacket
from sipstack.sdp import Direction
from tests.media.wire import Wire

Codecs = Sequence[str | AudioCodec]


def numbers(seed: int) -> Identifiers:
    return Identifiers(random.Random(seed))


class Call:
    """Two sessions that talk; ``async with`` closes them and looks for what they left behind."""

    def __init__(self, alice: AudioSession, bob: AudioSession) -> None:
        self.alice, self.bob = alice, bob

    async def __aenter__(self) -> Self:
        self._files = _files_watched()
        await self.describe()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.alice.close()
        await self.bob.close()
        assert _files_watched() == self._files
        assert MediaClock.shared().participants == 0

    async def describe(self, direction: Direction = Direction.SENDRECV) -> tuple[str, str]:
        """Alice offers, Bob answers; both descriptions travel as text."""
        offer = bytes(await self.alice.offer(direction))
        answer = bytes(await self.bob.answer(sdp.parse(offer)))
        await self.alice.answered(sdp.parse(answer))
        self.bob.confirmed()
        return offer.decode(), answer.decode()


def loopback(host: str = "127.0.0.1") -> Call:
    return Call(AudioSession(host, random=numbers(1)), AudioSession(host, random=numbers(2)))


def wired(wire: Wire) -> Call:
    return Call(
        AudioSession("192.0.2.1", random=numbers(1), bind=wire.bind),
        AudioSession("192.0.2.2", random=numbers(2), bind=wire.bind),
    )


def talking(wire: Wire, alice: Codecs, bob: Codecs, *, sample_rate: int | None = None) -> Call:
    """As ``wired``, with codecs of their own; ``sample_rate`` is that of both."""
    return Call(
        AudioSession("192.0.2.1", random=numbers(1), bind=wire.bind, codecs=alice, sample_rate=sample_rate),
        AudioSession("192.0.2.2", random=numbers(2), bind=wire.bind, codecs=bob, sample_rate=sample_rate),
    )


def _files_watched() -> list[int]:
    """The descriptors that the loop waits for."""
    return list(vars(asyncio.get_running_loop())["_selector"].get_map())


def rtp_of(wire: Wire, host: str) -> list[RtpPacket]:
    return [RtpPacket.parse(data) for _, source, _, data in wire.sent if source[0] == host and data]


def pcm_of(path: Path) -> bytes:
    with wave.open(str(path), "rb") as file:
        return file.readframes(file.getnframes())
