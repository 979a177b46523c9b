"""The audio codecs that a call can use, by their names in SDP."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Protocol

import attrs

from sipstack.media.io import FRAMES_PER_SECOND, frame_octets
from sipstack.rtp import g711
from sipstack.sdp import STATIC_CODECS, Codec


class Encoder(Protocol):
    """Makes the payloads of one stream that we send."""

    @property
    def silence(self) -> bytes | None:
        """The payload of 20 ms of silence, where that is always the same; None: it has to be encoded."""

    def encode(self, pcm: bytes) -> bytes:
        """The payload of a packet; nothing where none need be sent.

        Takes 20 ms, or as many (10 to 120) as the peer's a=ptime asks for.
        """


class Decoder(Protocol):
    """Reads the payloads of one stream that we receive."""

    def decode(self, payload: bytes) -> bytes:
        """PCM. Takes any octets: they come from the network."""

    def conceal(self, samples: int, following: bytes | None) -> bytes | None:
        """PCM in place of a lost packet; ``following`` is the payload after it, where that is there already.

        None where the codec cannot: then the gap is filled from what was heard before it.
        """


@attrs.frozen
class AudioCodec:
    """Turns PCM into payloads and payloads into PCM."""

    description: Codec
    """As SDP names it, under the payload type number that our offers prefer."""
    sample_rate: int
    """Of the PCM."""
    encoder: Callable[[Codec], Encoder]
    """Called once for each stream that is sent, with the codec as the peer described it."""
    decoder: Callable[[], Decoder]
    """Called once for each stream that is received."""
    duration: Callable[[bytes], int]
    """Timestamp units that a payload lasts; 0 for one that cannot be read."""

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


@attrs.frozen
class Stateless:
    """The encoder and decoder of a codec whose payloads have nothing to do with one another."""

    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes], bytes]
    silence: bytes

    def conceal(self, samples: int, following: bytes | None) -> bytes | None:
        """Nothing is known of a packet that is lost."""
        return None


def stateless(
    description: Codec,
    sample_rate: int,
    encode: Callable[[bytes], bytes],
    decode: Callable[[bytes], bytes],
    duration: Callable[[bytes], int],
) -> AudioCodec:
    """A codec that is two functions."""
    coder = Stateless(encode, decode, encode(bytes(frame_octets(sample_rate))))
    return AudioCodec(description, sample_rate, lambda agreed: coder, lambda: coder, duration)


CODECS = MappingProxyType(
    {
        codec.name: codec
        for codec in (
            stateless(STATIC_CODECS[0], 8000, g711.encode_ulaw, g711.decode_ulaw, len),
            stateless(STATIC_CODECS[8], 8000, g711.encode_alaw, g711.decode_alaw, len),
        )
    }
)
"""Those that can be asked for by name."""
