"""The time of a store that outlives its processes: no clock that is set, and none that begins at each boot.

Within one boot of the machine it is the monotonic clock, which all processes share. When the machine was
started again it goes on from where it was last seen, and of the wall clock only this is believed: how long
that was ago, and at most ``MOST_AWAY``. So a clock that jumped costs a record five minutes, not its life.
"""

from __future__ import annotations

import time
from pathlib import Path

import attrs

MOST_AWAY = 300.0
"""Seconds of a machine's absence that count. After a longer one records live longer than they should: who
goes on with such a session finds out by its next request.
"""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class MachineClock:
    """The clocks of this machine."""

    def monotonic(self) -> float:
        """Seconds since the machine was started, for each of its processes."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970, as far as somebody has set the clock."""
        return time.time()

    def boot(self) -> str:
        """The same as long as the machine runs; empty where the system does not tell."""
        try:
            return _BOOT_ID.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return ""


@attrs.frozen
class Seen:
    """What was written down when the store was last in use: its time then, which is ``offset`` more than the
    monotonic clock of that boot, and the wall clock.
    """

    boot: str
    offset: float
    latest: float
    wall: float


def offset_now(seen: Seen | None, clock: MachineClock) -> float:
    """What to add to the monotonic clock to have the store's time."""
    now = clock.monotonic()
    if seen is None:
        return -now
    if seen.boot == clock.boot() and now + seen.offset >= seen.latest:
        return seen.offset
    away = min(max(clock.wall() - seen.wall, 0.0), MOST_AWAY)
    return seen.latest + away - now
