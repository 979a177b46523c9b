"""The targets that did not answer of late, so that the next request does not wait for them again.

RFC 3263 §4.3 says to try the next server; remembering which one failed spares each call the 32 s of Timer B.
A suspect is tried after all others, never not at all: where there is no other, it gets its chance.
"""

from __future__ import annotations

from collections.abc import Sequence

from sipstack.core.outputs import Target

FIRST = 32.0
LONGEST = 600.0
"""Seconds that a target stays suspect: doubled each time that it fails again afterwards."""
MAXIMUM = 1024
"""Targets remembered: the oldest is forgotten."""


class Suspects:
    """Targets with the time until which each is avoided."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[Target, tuple[float, float]] = {}  # until when, and for how many seconds it was

    def __len__(self) -> int:
        return len(self._until)

    def failed(self, target: Target, now: float, seconds: float | None = None) -> None:
        """It did not answer, or asked to be left alone for ``seconds`` (Retry-After of a 503).

        Requests that fail together, or while it is suspect already, are one failure.
        """
        until, pause = self._until.pop(target, (0.0, 0.0))
        if pause == 0.0:
            pause = FIRST
        elif until <= now:
            pause = min(2 * pause, LONGEST)
        if len(self._until) >= MAXIMUM:
            del self._until[next(iter(self._until))]
        self._until[target] = max(until, now + min(pause if seconds is None else seconds, LONGEST)), pause

    def answered(self, target: Target) -> None:
        """It is there: whatever it said."""
        self._until.pop(target, None)

    def avoids(self, target: Target, now: float) -> bool:
        """Whether it has failed of late."""
        return self._avoided_until(target, now) > now

    def ordered(self, targets: Sequence[Target], now: float) -> list[Target]:
        """``targets`` by priority, suspects behind all others; among them the one that is free first."""
        until = self._until
        return (
            sorted(targets, key=lambda each: (self._avoided_until(each, now), each.priority))
            if until
            else (sorted(targets, key=lambda each: each.priority))
        )

    def _avoided_until(self, target: Target, now: float) -> float:
        until, _ = self._until.get(target, (0.0, 0.0))
        return until if until > now else 0.0
