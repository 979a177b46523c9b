"""The deadlines of many things that wait, of transactions or of usages.

A heap with lazy deletion. An item has one entry that matters, noted in ``item.scheduled``; moving a deadline
later (what happens most) touches nothing: the entry fires early, finds the new deadline and goes back into
the heap.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Generic, Protocol, TypeVar

from sipstack.errors import SipError
from sipstack.transaction.timers import NEVER


class Waiting(Protocol):
    """What can be scheduled. ``scheduled`` belongs to Deadlines and starts as NEVER."""

    scheduled: float

    @property
    def deadline(self) -> float: ...


class Timed(Waiting, Protocol):
    """What can be scheduled and acts by itself when its deadline is reached."""

    def timeout(self, now: float) -> None: ...

    def faulted(self, error: SipError, now: float) -> None:
        """An exception came out of ``timeout``, and is reported: end, and tell the user."""


W = TypeVar("W", bound=Waiting)


class Deadlines(Generic[W]):
    """The heap. Times are those of ``now``: seconds, any origin."""

    __slots__ = ("_count", "heap")

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, W]] = []
        """When to look again, the order of age, the item; the earliest first."""
        self._count = 0  # orders equal deadlines by age and keeps items out of comparisons

    def __len__(self) -> int:
        return len(self.heap)

    def schedule(self, item: W) -> None:
        """Call after each input to ``item``: its deadline may have come nearer."""
        deadline = item.deadline
        if deadline < item.scheduled:
            item.scheduled = deadline
            self._count += 1
            heappush(self.heap, (deadline, self._count, item))

    @property
    def next(self) -> float:
        """When to look again: never later than the earliest deadline, sometimes earlier."""
        return self.heap[0][0] if self.heap else NEVER

    def due(self, now: float) -> Iterator[W]:
        """The items whose deadline is reached, in order. Schedule each again after its timeout."""
        heap = self.heap
        while heap and heap[0][0] <= now:
            when, _, item = heappop(heap)
            if when != item.scheduled:
                continue  # an earlier entry has taken its place
            item.scheduled = NEVER
            if item.deadline <= now:
                yield item
            else:
                self.schedule(item)

    def waiting(self) -> list[W]:
        """Who waits for something, in no order. O(n): for tests and for looking at a live process."""
        seen = {
            id(item): item for when, _, item in self.heap if when == item.scheduled and item.deadline < NEVER
        }
        return list(seen.values())

    def compact(self) -> None:
        """Drop the entries of items that no longer wait. O(n)."""
        self.heap = [e for e in self.heap if e[0] == e[2].scheduled and e[2].deadline < NEVER]
        heapify(self.heap)
