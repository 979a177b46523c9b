"""A peer that follows no rules but those of its test: it describes itself, sends and hears by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sipstack import sdp
from sipstack.media.codecs import AudioCodec, Encoder
from sipstack.media.io import AudioSource
from sipstack.media.peer_address import Address
from sipstack.rtp.packet import RtpPacket
from sipstack.sdp import SessionDescription
from tests.media.calls import rtp_of
from tests.media.wire import Wire

HOST = "192.0.2.9"


class ScriptedPeer:
    """At port 5000 of a host of its own, on a wire where we are at 192.0.2.1."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._version = 0
        self._number, self._timestamp = 100, 1000

    def describes(self, formats: str, *attributes: str) -> SessionDescription:
        """Its offer or answer: the payload types of the m-line, and what stands below it."""
        self._version += 1
        lines = [
            "v=0",
            f"o=- 1 {self._version} IN IP4 {HOST}",
            "s=-",
            f"c=IN IP4 {HOST}",
            "t=0 0",
            f"m=audio 5000 RTP/AVP {formats}",
            *(f"a={attribute}" for attribute in attributes),
        ]
        return sdp.parse("".join(f"{line}\r\n" for line in lines).encode())

    async def says(
        self, to: SessionDescription, number: int, codec: AudioCodec, source: AudioSource
    ) -> list[bytes]:
        """Sends a source to its end, 20 ms in each packet. Returns the payloads."""
        encoder: Encoder = codec.encoder(codec.description)
        payloads = []
        while len(pcm := source.read() or b"") == codec.sample_rate // 50 * 2:
            payloads.append(encoder.encode(pcm))
            if payloads[-1]:
                self.send(to, number, payloads[-1])
            self._timestamp += codec.frame_units
            await asyncio.sleep(0.02)
        return payloads

    def send(self, to: SessionDescription, number: int, payload: bytes) -> None:
        """One packet."""
        port = to.media[0].port
        destination: Address = ("192.0.2.1", port)
        packet = RtpPacket(number, self._number, self._timestamp & 0xFFFFFFFF, 7, payload)
        self._number = (self._number + 1) & 0xFFFF
        self.wire.send((HOST, 5000), destination, bytes(packet))

    @property
    def heard(self) -> Sequence[RtpPacket]:
        """What has been sent to it so far."""
        return rtp_of(self.wire, "192.0.2.1")
