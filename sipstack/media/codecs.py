"""The audio codecs that a call can use, by their names in SDP."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import attrs

from sipstack.media.io import FRAMES_PER_SECOND, frame_octets
from sipstack.rtp import g711


@attrs.frozen
class AudioCodec:
    """How PCM becomes payloads and payloads become PCM."""

    name: str
    clock_rate: int
    """Of the RTP timestamps."""
    sample_rate: int
    """Of the PCM."""
    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes], bytes]
    """Takes any octets: they come from the network."""
    duration: Callable[[bytes], int]
    """Timestamp units that a payload lasts."""
    silence: bytes
    """The payload of a silent frame."""

    @property
    def frame_units(self) -> int:
        """Timestamp units of a frame."""
        return self.clock_rate // FRAMES_PER_SECOND


def _g711(name: str, encode: Callable[[bytes], bytes], decode: Callable[[bytes], bytes]) -> AudioCodec:
    return AudioCodec(name, 8000, 8000, encode, decode, len, encode(bytes(frame_octets(8000))))


CODECS = MappingProxyType(
    {
        "PCMU": _g711("PCMU", g711.encode_ulaw, g711.decode_ulaw),
        "PCMA": _g711("PCMA", g711.encode_alaw, g711.decode_alaw),
    }
)
