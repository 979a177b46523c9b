"""Calls that are over and not to come back, for as long as requests in them may still be on their way."""

from __future__ import annotations

from collections import deque

from sipstack.core.outputs import DialogKey

MOST = 100_000
"""Calls that are over and remembered; the oldest is forgotten."""


class Tombstones:
    """Each lasts for ``life`` seconds."""

    __slots__ = ("_life", "_order", "_until")

    def __init__(self, life: float) -> None:
        self._life = life
        self._until: dict[DialogKey, float] = {}
        self._order: deque[tuple[float, DialogKey]] = deque()

    def __contains__(self, key: DialogKey) -> bool:
        return key in self._until

    def __len__(self) -> int:
        return len(self._until)

    def add(self, key: DialogKey, now: float) -> None:
        """The call is over."""
        self.expire(now)
        if key not in self._until:
            if len(self._until) >= MOST:
                del self._until[self._order.popleft()[1]]
            self._until[key] = now + self._life
            self._order.append((now + self._life, key))

    def expire(self, now: float) -> None:
        """Forget what has been over for long enough."""
        while self._order and self._order[0][0] <= now:
            del self._until[self._order.popleft()[1]]
