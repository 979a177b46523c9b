"""What is heard in place of lost packets: the last 20 ms again, faded out over 80 ms, then silence."""

from __future__ import annotations

import struct
from functools import lru_cache

FADE = 4
"""Frames (of 20 ms) until silence."""


class Concealer:
    """Keeps the last good 20 ms of one stream, which are ``octets`` of PCM (s16le).

    Packets may have any length: what is made up goes on from where the last piece ended.
    """

    __slots__ = ("_concealed", "_last", "_octets", "concealed")

    def __init__(self, octets: int = 320) -> None:
        self._octets = octets
        self._last = b""
        self._concealed = 0  # samples, since the last good one
        self.concealed = 0
        """Pieces made up so far."""

    def good(self, pcm: bytes) -> None:
        """This was played as it came."""
        octets = self._octets
        self._last = pcm[-octets:] if len(pcm) >= octets else (self._last + pcm)[-octets:]
        self._concealed = 0

    def conceal(self, octets: int) -> bytes:
        """``octets`` in place of those that are missing."""
        start, last = self._concealed, self._last
        count = octets // 2
        self._concealed = start + count
        self.concealed += 1
        whole = FADE * self._octets // 2
        if start >= whole or not last:
            return bytes(octets)
        place = 2 * start % len(last)
        pcm = (last[place:] + last * (octets // len(last) + 1))[:octets]
        layout = f"<{count}h"
        faded = zip(struct.unpack(layout, pcm), _gains(whole, start, count), strict=True)
        return struct.pack(layout, *[sample * gain >> 14 for sample, gain in faded])


@lru_cache(maxsize=64)
def _gains(whole: int, start: int, count: int) -> tuple[int, ...]:
    """The gain of each of ``count`` samples from ``start`` on, in 1/16384: a straight line down to 0."""
    return tuple((max(whole - index, 0) << 14) // whole for index in range(start, start + count))
