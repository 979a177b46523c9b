"""Time that a test moves by hand, with the part of an event loop's interface that the network needs."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Protocol, TypeVarTuple

Ts = TypeVarTuple("Ts")


class Timer(Protocol):
    """Something planned. asyncio's TimerHandle is one."""

    def when(self) -> float: ...

    def cancel(self) -> None: ...


class Clock(Protocol):
    """The time in seconds, and what is planned. Every asyncio event loop is one."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[*Ts], object], /, *args: *Ts) -> Timer: ...

    def call_soon(self, callback: Callable[[*Ts], object], /, *args: *Ts) -> object: ...


class ManualClock:
    """Stands still until told to go on. Things planned for one moment happen in the order of planning."""

    def __init__(self) -> None:
        self._now = 0.0
        self._planned: list[tuple[float, int, _Planned]] = []
        self._count = 0

    def time(self) -> float:
        """Seconds since the clock was made."""
        return self._now

    def call_at(self, when: float, callback: Callable[[*Ts], object], *args: *Ts) -> Timer:
        """Plan ``callback(*args)``; a moment that has passed is now."""
        planned = _Planned(max(when, self._now), lambda: callback(*args))
        self._count += 1
        heapq.heappush(self._planned, (planned.when(), self._count, planned))
        return planned

    def call_soon(self, callback: Callable[[*Ts], object], *args: *Ts) -> Timer:
        """Plan it for now, after everything that is planned for now already."""
        return self.call_at(self._now, callback, *args)

    @property
    def next(self) -> float:
        """When the next planned thing happens; infinity when there is none."""
        while self._planned and self._planned[0][2].cancelled:
            heapq.heappop(self._planned)
        return self._planned[0][0] if self._planned else math.inf

    def advance(self, time: float) -> None:
        """Move to ``time``; what is planned until then is left to ``perform``. The clock never goes back."""
        self._now = max(self._now, time)

    def perform(self) -> bool:
        """Do the next thing that is due by now; whether there was one."""
        if self.next > self._now:
            return False
        heapq.heappop(self._planned)[2].action()
        return True


class _Planned:
    __slots__ = ("_when", "action", "cancelled")

    def __init__(self, when: float, action: Callable[[], object]) -> None:
        self._when = when
        self.action = action
        self.cancelled = False

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        self.cancelled = True
