"""Arithmetic on 16-bit PCM: sums that saturate, gain, silence, two sides side by side.

A frame is taken as one large integer whose lanes of 32 bits hold every other sample, each raised by 32768 to
be positive: one addition adds a whole frame, at some 30 times the speed of a loop over its samples.
"""

from __future__ import annotations

from array import array

QUIET = 64
"""No sample of silence goes beyond it: -54 dB of full scale."""
LOUDEST = 24.0
"""The most gain, in dB."""

_OFFSET = 0x8000
_BASE = 1 << 28  # set in lanes that did not fall below zero
_FRACTION = 11  # bits of a gain that are behind the point

Voice = tuple[int, int]
"""A frame, or the sum of several: its even and its odd samples."""


class Lanes:
    """Works on frames of ``octets``, which are a multiple of four."""

    __slots__ = ("_beyond", "_gained", "_low", "_octets", "_offset", "_one", "_over", "_quiet")

    def __init__(self, octets: int) -> None:
        self._octets = octets
        self._one = one = int.from_bytes(b"\1\0\0\0" * (octets // 4), "little")
        self._offset = one * 0x80008000
        self._low = one * 0xFFFF
        self._over = one * 0x07FF0000
        self._gained = one * (0xFFFFFFFF >> _FRACTION)
        self._quiet = one * (_BASE - _OFFSET + QUIET)
        self._beyond = one * (0xFFFFFFFF ^ (2 * QUIET - 1))

    def voice(self, pcm: bytes) -> Voice:
        """The frame, to count with."""
        raised = int.from_bytes(pcm, "little") ^ self._offset
        return raised & self._low, raised >> 16 & self._low

    def is_silent(self, voice: Voice) -> bool:
        """Whether no sample of one frame goes beyond ``QUIET``."""
        base = self._one * _BASE
        return not any((samples + self._quiet ^ base) & self._beyond for samples in voice)

    def pcm(self, voice: Voice, count: int = 1) -> bytes:
        """The sum of ``count`` frames (up to 1,000), cut off where it goes beyond 16 bits."""
        return self._pcm(voice, _OFFSET * count)

    def gained(self, pcm: bytes, factor: float) -> bytes:
        """The frame times ``factor``, up to 15."""
        by = round(factor * (1 << _FRACTION))
        even, odd = self.voice(pcm)
        scaled = (even * by >> _FRACTION & self._gained, odd * by >> _FRACTION & self._gained)
        return self._pcm(scaled, _OFFSET * by >> _FRACTION)

    def mixed(self, one: bytes, other: bytes) -> bytes:
        """The sum of two frames."""
        first, second = self.voice(one), self.voice(other)
        return self.pcm((first[0] + second[0], first[1] + second[1]), 2)

    def _pcm(self, voice: Voice, zero: int) -> bytes:
        shift = self._one * (_BASE + _OFFSET - zero)
        even, odd = self._cut_off(voice[0] + shift), self._cut_off(voice[1] + shift)
        return ((even | odd << 16) ^ self._offset).to_bytes(self._octets, "little")

    def _cut_off(self, lanes: int) -> int:
        """The low 16 bits where the rest is ``_BASE``; nothing below it, all ones beyond."""
        positive = lanes >> 28 & self._one
        beyond = (lanes & self._over) + self._over >> 27 & self._one
        return (lanes & self._low | beyond * 0xFFFF) & positive * 0xFFFF


def side_by_side(left: bytes, right: bytes) -> bytes:
    """Two frames as one in stereo."""
    both = array("h", bytes(2 * len(left)))
    both[0::2], both[1::2] = array("h", left), array("h", right)
    return both.tobytes()


def factor_of(gain: float) -> float:
    """What samples are multiplied with for ``gain`` dB."""
    return float(10 ** (min(gain, LOUDEST) / 20))
