"""The audio codecs that a call can use, by their names in SDP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import attrs

from sipstack.errors import MediaError
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


@runtime_checkable
class AdaptiveEncoder(Encoder, Protocol):
    """An encoder that can make up for losses."""

    def lost(self, fraction: float) -> None:
        """The peer reports that it has lost this much of what was sent lately, 0 to 1."""


class Decoder(Protocol):
    """Reads the payloads of one stream that we receive."""

    @property
    def is_silent(self) -> bool:
        """Whether the peer has said that it sends less or nothing while it is silent (DTX inside the codec):
        what ``conceal`` makes is then the noise of its room.
        """

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
    packet_times: tuple[int, ...] = ()
    """Milliseconds that a packet of ours can last, rising; () for any."""

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

    def packet_time(self, ptime: float) -> float:
        """The longest that a packet of ours can last, of what is not longer than ``ptime``; milliseconds."""
        times = self.packet_times
        return max((time for time in times if time <= ptime), default=times[0]) if times else ptime


@attrs.frozen
class Stateless:
    """The encoder and decoder of a codec whose payloads have nothing to do with one another."""

    encode: Callable[[bytes], bytes]
    decode: Callable[[bytes], bytes]
    silence: bytes
    is_silent = False

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


PCMU = stateless(STATIC_CODECS[0], 8000, g711.encode_ulaw, g711.decode_ulaw, len)
PCMA = stateless(STATIC_CODECS[8], 8000, g711.encode_alaw, g711.decode_alaw, len)


def _opus(sample_rate: int | None) -> AudioCodec:
    from sipstack.media.opus import CLOCK_RATE, opus

    return opus(sample_rate or CLOCK_RATE)


def _g722(sample_rate: int | None) -> AudioCodec:
    from sipstack.media.avcodec import g722

    return g722()


def _l16(clock_rate: int, channels: int = 1) -> Make:
    def make(sample_rate: int | None) -> AudioCodec:
        from sipstack.media.l16 import l16

        return l16(clock_rate, channels)

    return make


Make = Callable[[int | None], AudioCodec]
"""Makes a codec, whose PCM has this sample rate if it can choose. Raises MediaError without its library."""

CODECS: Mapping[str, Make] = MappingProxyType(
    {
        "PCMU": lambda sample_rate: PCMU,
        "PCMA": lambda sample_rate: PCMA,
        "opus": _opus,
        "G722": _g722,
        **{f"L16/{rate}": _l16(rate) for rate in (8000, 16000, 44100, 48000)},
        **{f"L16/{rate}/2": _l16(rate, 2) for rate in (8000, 16000, 44100, 48000)},
    }
)
"""Those that can be asked for by name: that of a=rtpmap, with clock and channels where there are several."""


def codec_named(name: str, sample_rate: int | None = None) -> AudioCodec:
    """The codec of this name, in capitals or not; ``sample_rate`` is that of the call, if it is known.

    Raises MediaError, which says what there is, or what has to be installed.
    """
    for known, make in CODECS.items():
        if known.lower() == name.lower():
            return make(sample_rate)
    raise MediaError(f"no such codec: {name} (there are {', '.join(CODECS)})")
