"""What need not be sent: the pauses of who speaks. The peer gets their noise in a few octets (RFC 3389)."""

from __future__ import annotations

import math

from sipstack.rtp.comfort_noise import ComfortNoise
from sipstack.rtp.level import SILENT
from sipstack.rtp.voice_activity import VoiceActivity

REFRESH = 4.0
"""Seconds from one description of the noise to the next at most: a peer may take silence for a dead line, and
who passes packets on (``media.relay``) sends its own silence where nothing comes for five."""
ADAPTION = 0.2
"""Seconds from one to the next at least."""
AUDIBLE = 3
"""Decibels by which the noise must have changed to be described again."""
FLOOR = -55.0
"""dBov of noise to begin with: a call may begin with a word."""
WEIGHT = 0.25
"""Of the last piece in the mean that is told."""


class Pauses:
    """Takes what is said in pieces of any length, s16le, and tells what goes out in place of it.

    A loud noise that lasts, or a tone, is a voice for some seconds: until the floor has risen to it.
    """

    __slots__ = ("_activity", "_octets_per_second", "_power", "_since", "_told")

    def __init__(self, sample_rate: int = 8000) -> None:
        self._activity = VoiceActivity(sample_rate, FLOOR)
        self._octets_per_second = 2 * sample_rate
        self._power = 0.0  # of the noise; 1 is that of 0 dBov
        self._told: int | None = None  # the last level, in this pause
        self._since = 0.0  # seconds since then

    def instead(self, pcm: bytes | None, seconds: float = 0.02) -> bytes | None:
        """What to send in place of this: None for a voice, which is sent as it is; the payload that describes
        the noise; or b"", nothing at all. ``pcm`` is None when there is nothing to say: nothing is cut off
        then, and ``seconds`` is how long that lasts.
        """
        if pcm is None:
            self._power, level = 0.0, -round(SILENT)
        else:
            seconds = len(pcm) / self._octets_per_second
            is_voice = self._activity.hear(pcm)
            self._follow()
            if is_voice:
                self._told = None
                return None
            level = self._level()
        self._since += seconds
        if self._told is not None and self._since < (
            REFRESH if abs(level - self._told) < AUDIBLE else ADAPTION
        ):
            return b""
        self._told, self._since = level, 0.0
        return bytes(ComfortNoise(level))

    def _follow(self) -> None:
        """The noise is what is heard between words."""
        activity = self._activity
        if not activity.is_loud:
            power: float = 10 ** (activity.level / 10)
            self._power += (power - self._power) * (WEIGHT if self._power else 1.0)

    def _level(self) -> int:
        """Of the noise, in -dBov."""
        return min(round(-10 * math.log10(self._power)) if self._power else 127, 127)
