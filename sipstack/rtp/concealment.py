"""What is heard in place of a lost packet: the last frame again, faded out over 80 ms, then silence."""

from __future__ import annotations

import struct

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
        return _fade(self._last, 1 - step / FADE, 1 - (step + 1) / FADE)


def _fade(pcm: bytes, start: float, end: float) -> bytes:
    layout = struct.Struct(f"<{len(pcm) // 2}h")
    samples = layout.unpack(pcm)
    slope = (end - start) / len(samples)
    return layout.pack(*[int(sample * (start + slope * index)) for index, sample in enumerate(samples)])
