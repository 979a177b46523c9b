"""Another node of our cluster, and what we know of it: whether it is there."""

from __future__ import annotations

from typing import Protocol

from sipstack.transaction.flow import Flow
from sipstack.transaction.timers import NEVER

REST = 5.0
"""Seconds in which a node that did not answer gets nothing, and after them one request to find out."""


class Asked(Protocol):
    """A request that it has not answered."""

    def serve_here(self, now: float) -> None:
        """Answer it in its place."""


class Owner:
    """Another node: how it is reached, and when it was last heard."""

    __slots__ = ("_rests_until", "flow", "heard_at", "hop", "name", "waiting")

    def __init__(self, name: str, hop: str) -> None:
        self.name = name
        self.hop = hop
        self.flow: Flow | None = None
        """The one that was found last."""
        self.heard_at = -NEVER
        self.waiting: dict[Asked, None] = {}
        """Requests that it has not answered, in order."""
        self._rests_until = 0.0  # 0: it has answered since it last did not

    def __repr__(self) -> str:
        return f"<Owner {self.name}>"

    def takes(self, now: float) -> bool:
        """Whether the next request goes to it. Of one that was silent the first after its rest does, and no
        other meanwhile.
        """
        if self.rests(now):
            return False
        if self._rests_until:
            self._rests_until = now + REST
        return True

    def rests(self, now: float) -> bool:
        """Whether it was silent a moment ago."""
        return now < self._rests_until

    def heard(self, now: float) -> None:
        """It has said something, whatever."""
        self.heard_at, self._rests_until = now, 0.0

    def silent(self, now: float) -> None:
        """It says nothing, or is not there."""
        self._rests_until = now + REST

    def refused(self, now: float) -> None:
        """It is known not to be there: what it has not answered is ours."""
        self.silent(now)
        for asked in list(self.waiting):
            asked.serve_here(now)
