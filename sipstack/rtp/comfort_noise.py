"""Comfort noise (RFC 3389): what a pause of the peer sounds like, told in a few octets."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

import attrs

from sipstack.errors import ParseError
from sipstack.rtp.level import level
from sipstack.rtp.prediction import sumprod

PAYLOAD_TYPE = 13
"""The static one, at 8000 Hz (RFC 3551 §6)."""
ORDER = 16
"""Coefficients that are used: what comes after them is left unread, as §3.2 allows."""
STEEPEST = 0.98
"""A reflection coefficient of 1 would never end."""


@attrs.frozen
class ComfortNoise:
    """``level`` is in -dBov, 0 (loudest) to 127. Without ``reflection`` coefficients the noise is white."""

    level: int
    reflection: tuple[float, ...] = ()

    @classmethod
    def parse(cls, payload: bytes) -> ComfortNoise:
        """Raises ParseError for an empty payload."""
        if not payload:
            raise ParseError("comfort noise without a level")
        reflection = tuple((octet - 127) * 258 / 32768 for octet in payload[1 : 1 + ORDER])
        return cls(payload[0] & 0x7F, reflection)

    @classmethod
    def measured(cls, pcm: bytes) -> ComfortNoise:
        """As loud as this."""
        return cls(round(-level(pcm)))

    def __bytes__(self) -> bytes:
        """The payload. Raises ValueError for a level that is not 0 to 127."""
        if not 0 <= self.level <= 127:
            raise ValueError(f"a level of comfort noise is 0 to 127, not {self.level}")
        codes = (round(each * 32768 / 258) + 127 for each in self.reflection)
        return bytes([self.level, *(min(max(code, 0), 255) for code in codes)])


class NoiseGenerator:
    """Makes the noise that was described. ``octets`` gives random ones."""

    __slots__ = ("_amplitude", "_filter", "_octets", "_tail")

    def __init__(self, noise: ComfortNoise, octets: Callable[[int], bytes]) -> None:
        reflection = [min(max(each, -STEEPEST), STEEPEST) for each in noise.reflection]
        self._octets = octets
        self._filter = _direct(reflection)
        self._tail = [0.0] * len(reflection)
        power = math.prod(1 - each * each for each in reflection)  # what the filter makes louder
        # Uniformly distributed, so that its level is its amplitude by the root of three.
        self._amplitude = 32768 * 10 ** (-noise.level / 20) * math.sqrt(3 * power)

    def take(self, octets: int) -> bytes:
        """PCM (s16le) of this length."""
        count = octets // 2
        scale = self._amplitude / 32768
        white = struct.unpack(f"<{count}h", self._octets(2 * count))
        if not self._filter and scale < 1.0:
            return struct.pack(f"<{count}h", *[int(each * scale) for each in white])
        samples = [each * scale for each in white]
        if self._filter:
            samples = self._filtered(samples)
        return struct.pack(f"<{count}h", *[int(min(max(each, -32768.0), 32767.0)) for each in samples])

    def _filtered(self, white: list[float]) -> list[float]:
        size, coefficients, samples = len(self._filter), self._filter, self._tail
        for start, each in enumerate(white):
            samples.append(each + sumprod(coefficients, samples[start : start + size]))
        self._tail = samples[len(white) :]
        return samples[size:]


def _direct(reflection: list[float]) -> list[float]:
    """The prediction filter of a lattice, for the samples before in their order."""
    forward: list[float] = []
    for each in reflection:
        forward = [a + each * b for a, b in zip(forward, reversed(forward), strict=True)]
        forward.append(each)
    return [-each for each in reversed(forward)]
