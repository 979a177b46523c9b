"""L16: the samples themselves, in network byte order (RFC 3551 §4.5.11)."""

from __future__ import annotations

import sys
from array import array

import attrs

from sipstack.media.codecs import AudioCodec, stateless
from sipstack.sdp import STATIC_CODECS, Codec

_NUMBERS = {
    (8000, 1): 112,
    (16000, 1): 118,
    (48000, 1): 119,
    (44100, 1): 11,
    (8000, 2): 113,
    (16000, 2): 114,
    (48000, 2): 115,
    (44100, 2): 10,
}
"""The payload types of our offers: static ones (RFC 3551 table 4) and dynamic ones."""
_LARGEST = 1400
"""Octets of a payload at most: it has to fit into a datagram."""


def encode(pcm: bytes) -> bytes:
    """Mono PCM (s16le) in network byte order; also the other way round."""
    samples = array("H", pcm)
    samples.byteswap()
    return samples.tobytes()


def decode(payload: bytes) -> bytes:
    """Mono PCM (s16le). Half a sample at the end is left out."""
    return encode(payload[: len(payload) & ~1])


def encode_stereo(pcm: bytes) -> bytes:
    """The same on the left and on the right."""
    mono = array("H", encode(pcm))
    both = array("H", bytes(4 * len(mono)))
    both[0::2] = both[1::2] = mono
    return both.tobytes()


def decode_stereo(payload: bytes) -> bytes:
    """The middle of left and right as mono PCM (s16le)."""
    samples = array("h", payload[: len(payload) & ~3])
    if sys.byteorder == "little":
        samples.byteswap()
    mono = array("h", [left + right >> 1 for left, right in zip(samples[0::2], samples[1::2], strict=True)])
    if sys.byteorder == "big":
        mono.byteswap()
    return mono.tobytes()


def l16(clock_rate: int, channels: int = 1) -> AudioCodec:
    """L16 at this rate. What is stereo is sent the same on both sides, and heard as mono."""
    number = _NUMBERS[clock_rate, channels]
    description = STATIC_CODECS.get(number) or Codec(number, "L16", clock_rate, channels)
    to_payload, to_pcm = (encode, decode) if channels == 1 else (encode_stereo, decode_stereo)
    sample = 2 * channels
    longest = _LARGEST * 1000 // (clock_rate * sample)
    times = tuple([time for time in (5, 10, 20, 40, 60) if time <= longest])
    return attrs.evolve(
        stateless(description, clock_rate, to_payload, to_pcm, lambda payload: len(payload) // sample),
        packet_times=times,
    )
