"""How many calls, or requests, handlers have at one time: in all, and of each source."""

from __future__ import annotations

from collections import Counter

from sipstack.core.admission import has_room, source_of
from sipstack.core.outputs import Flow


class Occupancy:
    """Counts what comes and goes. ``limit`` and ``per_source`` are None where there is no bound."""

    def __init__(self, limit: int | None, per_source: int | None = None) -> None:
        self._limit = limit
        self._per_source = per_source
        self._held: Counter[str] = Counter()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def admits(self, flow: Flow) -> bool:
        """Whether there is room for one more from the other end of ``flow``."""
        held = self._held[source_of(flow)]
        if self._per_source is not None and held >= self._per_source:
            return False
        return self._limit is None or has_room(self._size, self._limit, held, self._size)

    def enter(self, flow: Flow) -> None:
        self._size += 1
        self._held[source_of(flow)] += 1

    def leave(self, flow: Flow) -> None:
        source = source_of(flow)
        self._size -= 1
        self._held[source] -= 1
        if not self._held[source]:
            del self._held[source]
