"""One RTP stream, whose time and packets a test moves by hand."""

from __future__ import annotations

import random

from sipstack.identifiers import Identifiers
from sipstack.media import codecs
from sipstack.media.audio import Audio, MediaStatistics
from sipstack.media.peer_address import Address
from sipstack.media.stream import AudioStream
from sipstack.media.tones import sine
from sipstack.rtp import g711
from sipstack.rtp.packet import RtpPacket
from tests.media.hearing import Ear
from tests.media.stepped import Notebook

PEER = ("192.0.2.1", 4000)
PEER_RTCP = ("192.0.2.1", 4001)
STRANGER = ("203.0.113.66", 666)
PCMU, PCMA = codecs.PCMU, codecs.PCMA
TONE = g711.encode_ulaw(sine(400.0, 0.02).read() or b"")
"""20 ms of 400 Hz: eight whole waves, so that one frame goes on in the next."""


class Bench:
    """A stream, its network and its time."""

    def __init__(self, *, sends: bool = True) -> None:
        self.now = 100.0
        self.network = Notebook()
        self.audio = Audio(lambda: self.stream.statistics())
        self.stream = AudioStream(self.audio, self.network, Identifiers(random.Random(7)), self.now)
        self.stream.expect({0: PCMU, 8: PCMA})
        self.stream.connect(PEER, PEER_RTCP)
        self.stream.speak(PCMU, PCMU.description, sends=sends)
        self.ear = Ear()
        self._number = self._left_out = 0

    def ticks(self, count: int) -> None:
        for _ in range(count):
            self.now += 0.02
            self.stream.tick(self.now, 1)

    def receive(self, data: bytes | RtpPacket, source: Address = PEER) -> None:
        """A datagram arrives in the middle between two ticks."""
        self.stream.receive_rtp(bytes(data), source, self.now + 0.01)

    def hear(self, count: int, payload: bytes = TONE, *, payload_type: int = 0) -> None:
        """The peer talks for ``count`` frames of 20 ms."""
        for _ in range(count):
            number, self._number = self._number, self._number + 1
            timestamp = (number + self._left_out) * 160
            self.receive(RtpPacket(payload_type, number, timestamp, 0xCAFE, payload))
            self.ticks(1)

    def skip(self, count: int) -> None:
        """So many frames are no packets: the peer was silent."""
        self._left_out += count

    async def listen(self) -> None:
        await self.audio.recording(self.ear).__aenter__()

    @property
    def statistics(self) -> MediaStatistics:
        return self.audio.statistics
