"""The answers of the DNS, each for as long as it holds (RFC 1035 §3.2.1, RFC 2308)."""

from __future__ import annotations

from sipstack.core.dns_records import Answer, Query

SHORTEST, LONGEST, LONGEST_NEGATIVE = 1.0, 3600.0, 60.0
"""Seconds: one call asks once, and a server that moves is found again."""
MAXIMUM = 1024
"""Answers remembered: the oldest is forgotten."""


class DnsCache:
    """Answers, each with the time until which it holds."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[Query, tuple[float, Answer]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, query: Query, now: float) -> Answer | None:
        """The answer, unless it is unknown or too old."""
        until, answer = self._known.get(query, (now, None))
        if answer is not None and until <= now:
            del self._known[query]
            return None
        return answer

    def put(self, query: Query, answer: Answer, now: float) -> None:
        """Remember an answer; "there is none" and "no server answered" are answers, too."""
        longest = LONGEST if answer.records else LONGEST_NEGATIVE
        self._known.pop(query, None)
        if len(self._known) >= MAXIMUM:
            del self._known[next(iter(self._known))]
        self._known[query] = now + min(max(answer.ttl, SHORTEST), longest), answer
