"""What is new is put off while the event loop cannot keep up (RFC 3261 §21.5.4, RFC 7339 §1).

The measure is how late the loop comes back: whatever makes it late (handlers, timers, messages), calls that
are under way need the time that there is. Who begins something gets 503 with Retry-After; a source over UDP
once a second, for answers cost time as well, and its retransmissions are the queue. Far beyond that over UDP
nobody gets anything.
"""

from __future__ import annotations

import enum

from sipstack.core.admission import source_of
from sipstack.identifiers import Identifiers
from sipstack.transaction.flow import Flow

CALM = 0.4
"""Of the highest lag: below it new requests are taken again."""
SILENT = 4.0
"""Times the highest lag: beyond it nothing is answered over UDP."""
IN_A_ROW = 2
"""Measurements that are too high before it counts: one pause, such as of the garbage collector, does not."""
GOOD_FOR = 1.0
"""Seconds that a measurement counts: nobody measures while nothing comes."""
MAXIMUM_TOLD = 1024
"""Sources that are answered in one second."""
RETRY_AFTER = 5, 15
"""Seconds of Retry-After, drawn: they do not all come back at once."""


class Verdict(enum.Enum):
    """What becomes of a new request."""

    TAKE = "take"
    REFUSE = "refuse"
    IGNORE = "ignore"


class Overload:
    """``highest``: seconds that the loop may be late."""

    __slots__ = ("_highest", "_identifiers", "_lag", "_late", "_measured_at", "_second", "_told", "active")

    def __init__(self, highest: float, identifiers: Identifiers) -> None:
        self._highest = highest
        self._identifiers = identifiers
        self.active = False
        """Whether new requests are put off."""
        self._lag = 0.0
        self._late = 0
        self._measured_at = 0.0
        self._second = -1
        self._told: set[str] = set()

    def measured(self, lag: float, now: float) -> None:
        """The loop came back ``lag`` seconds late."""
        self._lag, self._measured_at = lag, now
        self._late = self._late + 1 if lag > self._highest else 0
        if self._late >= IN_A_ROW:
            self.active = True
        elif lag <= self._highest * CALM:
            self.active = False

    def verdict(self, flow: Flow, now: float) -> Verdict:
        """What becomes of a new request that came on ``flow``, while ``active``."""
        if now > self._measured_at + GOOD_FOR:
            self.active, self._late = False, 0
            return Verdict.TAKE
        if flow.reliable:
            return Verdict.REFUSE
        if self._lag > self._highest * SILENT:
            return Verdict.IGNORE
        if int(now) != self._second:
            self._second = int(now)
            self._told.clear()
        source = source_of(flow)
        if source in self._told or len(self._told) >= MAXIMUM_TOLD:
            return Verdict.IGNORE
        self._told.add(source)
        return Verdict.REFUSE

    def retry_after(self) -> str:
        """Seconds, at random."""
        return str(round(self._identifiers.uniform(*RETRY_AFTER)))
