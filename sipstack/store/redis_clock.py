"""The clock of a server, as far as it is known here."""

from __future__ import annotations


class ServerClock:
    """Tells what the clock of the server shows at a time of ours, or less, never more.

    What it said was true when it said so, and came here later. So each answer gives a bound, and the highest
    of the last two is the best that is known: should that clock be set back, it is right again after two.
    """

    __slots__ = ("_ahead", "_before")

    def __init__(self) -> None:
        self._ahead = self._before = -float("inf")

    def told(self, milliseconds: int, now: float) -> None:
        """The server said that time, which came at ``now``. Now and then: it is not averaged."""
        ahead = milliseconds / 1000 - now
        self._ahead, self._before = max(ahead, self._before), ahead

    def at(self, time: float) -> int:
        """In milliseconds; 0 where nothing is known."""
        return max(0, int((self._ahead + time) * 1000)) if self._ahead > -float("inf") else 0
