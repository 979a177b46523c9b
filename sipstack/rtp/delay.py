"""How long packets have to wait before they are played, so that those that come late are in time.

Measured by how far their arrival strays from their timestamps. A spike of the network is forgotten after
three seconds.
"""

from __future__ import annotations

from collections import deque

SPAN = 0.5
"""Seconds of one measurement."""
REMEMBERED = 6
"""Measurements: the longest of them counts."""
RESERVE = 0.02
"""Seconds beyond what was measured."""
SLACK = 0.03
"""Seconds by which the delay may miss its target: ticks and packets do not fit together exactly."""


class PlayoutDelay:
    """``target`` is what the delay should be, in seconds, between ``minimum`` and ``maximum``.

    Offsets are timestamps less arrivals, in units of the RTP clock: the later a packet, the smaller it is.
    """

    __slots__ = (
        "_astray",
        "_earliest",
        "_ends",
        "_latest",
        "_rate",
        "_spans",
        "maximum",
        "minimum",
        "target",
        "wanted",
    )

    def __init__(self, clock_rate: int, minimum: float, maximum: float) -> None:
        self._rate = clock_rate
        self.minimum = self.target = minimum
        self.maximum = maximum
        self.forget()

    def use_clock(self, clock_rate: int) -> None:
        """Timestamps count at another rate from here on."""
        self._rate = clock_rate
        self.forget()

    def forget(self) -> None:
        """Another source."""
        self.target = self.minimum
        self._spans = deque([0.0] * REMEMBERED, REMEMBERED)  # seconds
        self.begin()

    def begin(self) -> None:
        """The source begins anew: its timestamps may be others, its way through the network is not."""
        self._ends: float | None = None
        self._earliest = self._latest = 0.0
        self.wanted: float | None = None
        """The offset that what is played should have, while it has had another one for long."""
        self._astray = 0  # 1: the delay is too long, -1: too short

    def heard(self, offset: float, now: float) -> bool:
        """A packet has come; tells whether there is a new measurement."""
        if self._ends is None:
            self._earliest = self._latest = offset
            self._ends = now + SPAN
        elif offset > self._earliest:
            self._earliest = offset
        elif offset < self._latest:
            self._latest = offset
        return now >= self._ends

    def measure(self, played: float) -> None:
        """Follow the new measurement; ``played`` is the offset of what is being played."""
        self._spans.append((self._earliest - self._latest) / self._rate)
        self.target = min(max(max(self._spans) + RESERVE, self.minimum), self.maximum)
        wanted = self._earliest - self.target * self._rate
        excess = wanted - played
        astray = 0 if abs(excess) <= SLACK * self._rate else 1 if excess > 0 else -1
        self.wanted = wanted if astray and astray == self._astray else None
        self._astray = astray
        self._ends = None

    def grow(self, units: int) -> None:
        """A packet came too late. The measurement will say what this should really be."""
        self.target = min(self.maximum, self.target + units / self._rate)
