"""What is sent to the calls under measurement: the kinds of streams, and their packets."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from sipstack.media.codecs import codec_named
from sipstack.media.io import FRAMES_PER_SECOND
from sipstack.media.tones import sine
from sipstack.rtp.packet import HEADER
from sipstack.sdp.crypto import Crypto

SSRC = 0x600DCA11
KEY = Crypto(1, "AES_CM_128_HMAC_SHA1_80", bytes(range(30)))
"""What the load protects its packets with: they are the same in all calls."""


@attrs.frozen
class Stream:
    """One kind of stream."""

    codec: str
    payload_type: int = 0
    is_protected: bool = False

    @property
    def clock_rate(self) -> int:
        """Of its timestamps."""
        return codec_named(self.codec).clock_rate

    def offer(self, host: str, port: int) -> bytes:
        """The description of one who sends and receives it."""
        described = codec_named(self.codec).description
        channels = f"/{described.channels}" if described.channels > 1 else ""
        rtpmap = f"{self.payload_type} {described.name}/{described.clock_rate}{channels}"
        lines = [
            *("v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"),
            f"m=audio {port} {'RTP/SAVP' if self.is_protected else 'RTP/AVP'} {self.payload_type}",
            f"a=rtpmap:{rtpmap}",
            *([f"a={KEY.attribute()}"] if self.is_protected else []),
        ]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def packets(self) -> Callable[[int], bytes]:
        """The packet with this number. Ask for each one once: they are protected in their order."""
        payloads = list(self._payloads())
        units = codec_named(self.codec).frame_units
        protect = _protection() if self.is_protected else bytes

        def packet(number: int) -> bytes:
            marker = 0 if number else 0x80
            header = HEADER.pack(
                0x80, marker | self.payload_type, number & 0xFFFF, number * units & 0xFFFFFFFF, SSRC
            )
            return protect(header + payloads[number % len(payloads)])

        return packet

    def _payloads(self) -> Iterable[bytes]:
        """A second of a tone."""
        codec = codec_named(self.codec)
        encoder, source = codec.encoder(codec.description), sine(440, 1.0, sample_rate=codec.sample_rate)
        return [encoder.encode(source.read() or b"") for _ in range(FRAMES_PER_SECOND)]


STREAMS = {
    "plain": Stream("PCMU"),
    "sink": Stream("PCMU"),
    "sdes": Stream("PCMU", is_protected=True),
    "opus": Stream("opus", 111),
    "relay": Stream("PCMU"),
}


def _protection() -> Callable[[bytes], bytes]:
    from sipstack.media.srtp import Sending

    return Sending(KEY.suite, KEY.key).rtp
