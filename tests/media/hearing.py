"""How the tests listen: pure Python, enough to say which tone is heard and when."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from sipstack.media.io import AudioSource


class Ear:
    """A sink that keeps all of it."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def write(self, pcm: bytes) -> None:
        self.frames.append(pcm)

    def close(self) -> None:
        """Nothing to close."""


def everything(source: AudioSource) -> list[bytes]:
    """The frames of a source to its end."""
    return list(iter(lambda: source.read() or b"", b""))


def samples(pcm: bytes) -> tuple[int, ...]:
    """The values of 16-bit little-endian PCM."""
    return struct.unpack(f"<{len(pcm) // 2}h", pcm)


def purity(pcm: bytes, frequency: float, sample_rate: int = 8000) -> float:
    """The share of the power at ``frequency`` (Goertzel): 1.0 for a pure tone, 0.0 in silence."""
    values = samples(pcm)
    power = sum(value * value for value in values)
    if not power:
        return 0.0
    coefficient = 2 * math.cos(2 * math.pi * frequency / sample_rate)
    one, two = 0.0, 0.0
    for value in values:
        one, two = value + coefficient * one - two, one
    return 2 * (one * one + two * two - coefficient * one * two) / (len(values) * power)


def loudness(pcm: bytes) -> float:
    """The root mean square, 0 to 32767."""
    values = samples(pcm)
    return math.sqrt(sum(value * value for value in values) / len(values)) if values else 0.0


def lag(heard: bytes, said: bytes, *, most: int, step: int = 1) -> tuple[int, float]:
    """By how many samples ``heard`` is behind ``said``, and the correlation there (1.0: the same shape)."""
    one, two = samples(heard), samples(said)
    return max(
        ((shift, _correlation(one[shift : shift + len(two)], two)) for shift in range(0, most + 1, step)),
        key=lambda candidate: candidate[1],
    )


def _correlation(one: Sequence[int], two: Sequence[int]) -> float:
    product = sum(left * right for left, right in zip(one, two, strict=False))
    scale = math.sqrt(sum(value * value for value in one) * sum(value * value for value in two))
    return product / scale if scale else 0.0
