"""Which signatures were seen already: within its minute one could be sent again with another call."""

from __future__ import annotations

REMEMBERED = 10_000
"""Signatures at once: the oldest goes. All were good ones, so no stranger can fill it."""


class Replays:
    """Signatures, each with the call that it came with, for as long as it is fresh."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[bytes, tuple[float, str]] = {}  # oldest first

    def __len__(self) -> int:
        return len(self._seen)

    def is_new(self, signature: bytes, call: str, now: float, ends: float) -> bool:
        """Note it until ``ends``; whether no other call has come with it. The same call may: a challenge or a
        fork makes it come again.
        """
        known = self._seen.get(signature)
        if known is None:
            self._forget(now)
            self._seen[signature] = ends, call
        return known is None or known[1] == call

    def _forget(self, now: float) -> None:
        """Let go of what is stale, and of one more where there is no room."""
        while self._seen:
            oldest = next(iter(self._seen))
            if self._seen[oldest][0] >= now and len(self._seen) < REMEMBERED:
                return
            del self._seen[oldest]
