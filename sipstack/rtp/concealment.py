"""What is heard in place of a lost packet: the last frame again, faded out over 80 ms, then silence."""

from __future__ import annotations

import struct
from functools import lru_cache

FADE = 4
"""Frames (of 20 ms) until silence."""


class Concealer:
    """Keeps the last good frame of one stream; frames are PCM (s16le), all of one length."""

    __slots__ = ("_concealed", "_last", "concealed")

    def __init__(self) -> None:
        self._last = b""
        self._concealed = 0
        self.concealed = 0
        """Frames made up so far."""

    def good(self, pcm: bytes) -> None:
        """This frame was played as it came."""
        self._last = pcm
        self._concealed = 0

    def conceal(self, octets: int) -> bytes:
        """A frame of ``octets`` in place of one that is missing."""
        step = self._concealed
        self._concealed = step + 1
        self.concealed += 1
        if step >= FADE or len(self._last) != octets:
            return bytes(octets)
        return _fade(self._last, step)


def _fade(pcm: bytes, step: int) -> bytes:
    gains = _gains(len(pcm) // 2, step)
    layout = f"<{len(gains)}h"
    samples = struct.unpack(layout, pcm)
    return struct.pack(layout, *[sample * gain >> 14 for sample, gain in zip(samples, gains, strict=True)])


@lru_cache(maxsize=64)
def _gains(samples: int, step: int) -> tuple[int, ...]:
    """The gain of each sample in the ``step``-th concealed frame, in 1/16384: a straight line down to 0."""
    whole = FADE * samples
    return tuple((whole - step * samples - index << 14) // whole for index in range(samples))
