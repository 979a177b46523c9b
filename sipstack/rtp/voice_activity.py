"""Whether somebody speaks, by energy: above a floor of noise that follows the surroundings."""

from __future__ import annotations

from sipstack.rtp.level import SILENT, level

ABOVE = 9.0
"""Decibels above the floor that are a voice."""
FAINTEST = -55.0
"""dBov below which nothing is a voice."""
RISE = 3.0
"""Decibels a second by which the floor rises under a sound that lasts."""
HANGOVER = 0.2
"""Seconds after a voice that count as voice, so that the ends of words are not cut off."""


class VoiceActivity:
    """Takes what is heard in pieces of any length, s16le.

    ``floor`` is the noise to begin with, in dBov; without one the first piece is taken for it.
    """

    __slots__ = ("_floor", "_octets_per_second", "_quiet", "is_loud", "is_voice", "level")

    def __init__(self, sample_rate: int = 8000, floor: float | None = None) -> None:
        self._octets_per_second = 2 * sample_rate
        self._floor = floor
        self._quiet = HANGOVER  # seconds since a voice
        self.is_voice = False
        """At the end of the last piece."""
        self.is_loud = False
        """Whether the last piece was above the floor: not in the pause after a voice."""
        self.level = SILENT
        """Of the last piece, in dBov."""

    @property
    def floor(self) -> float | None:
        """The noise, in dBov; None before anything was heard."""
        return self._floor

    def hear(self, pcm: bytes) -> bool:
        """Whether this is a voice, or the pause after one."""
        if len(pcm) < 2:
            return self.is_voice
        seconds, loud = len(pcm) / self._octets_per_second, level(pcm)
        floor = loud if self._floor is None else min(loud, self._floor + RISE * seconds)
        self._floor = floor
        self.level, self.is_loud = loud, loud > max(floor + ABOVE, FAINTEST)
        self._quiet = 0.0 if self.is_loud else self._quiet + seconds
        self.is_voice = self._quiet < HANGOVER
        return self.is_voice
