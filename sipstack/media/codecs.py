"""The audio codecs that a call can use, by their names in SDP."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import attrs

from sipstack.media.io import FRAMES_PER_SECOND, frame_octets
from sipstack.rtp import g711
from sipstack.sdp import STATIC_CODECS, Codec


@attrs.frozen
class AudioCodec:
    """Turns PCM into payloads and payloads into PCM."""

    description: Codec
    """As SDP names it, under the payload type number that our offers prefer."""
    sample_rate: int
    """Of the PCM."""
    encode: Callable[[bytes], bytes]
    """Takes 20 ms, or as many (10 to 120) as the peer's a=ptime asks for."""
    decode: Callable[[bytes], bytes]
    """Takes any octets: they come from the network."""
    duration: Callable[[bytes], int]
    """Timestamp units that a payload lasts."""
    silence: bytes
    """The payload of a silent frame."""

    @property
    def name(self) -> str:
        """The encoding name of a=rtpmap."""
        return self.description.name

    @property
    def clock_rate(self) -> int:
        """Of the RTP timestamps, in hertz."""
        return self.description.clock_rate

    @property
    def frame_units(self) -> int:
        """Timestamp units of a frame."""
        return self.clock_rate // FRAMES_PER_SECOND


def _g711(number: int, encode: Callable[[bytes], bytes], decode: Callable[[bytes], bytes]) -> AudioCodec:
    silence = encode(bytes(frame_octets(8000)))
    return AudioCodec(STATIC_CODECS[number], 8000, encode, decode, len, silence)


CODECS = MappingProxyType(
    {
        codec.name: codec
        for codec in (
            _g711(0, g711.encode_ulaw, g711.decode_ulaw),
            _g711(8, g711.encode_alaw, g711.decode_alaw),
        )
    }
)
"""Those that can be asked for by name."""
