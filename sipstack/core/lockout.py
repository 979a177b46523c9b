"""Who has guessed passwords wrong has to wait, longer each time (RFC 3261 §26.1; RFC 7616 §5.9, §5.10)."""

from __future__ import annotations

from collections import OrderedDict

import attrs

FREE_TRIES = 5
"""Wrong passwords of one user from one source before it has to wait: a person may mistype."""
FREE_OF_SOURCE = 20
"""The same for all users from one source, which tries one name after the other."""
FREE_OF_USER = 100
"""The same for one user from all sources, which share the work of guessing."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0
"""Seconds: it doubles with each failure."""
FORGOTTEN_AFTER = 900.0
"""Seconds without a failure."""
MAXIMUM = 10_000
"""Entries of each table: the one that was touched longest ago makes room."""

Key = tuple[str, str]


@attrs.define
class _Failures:
    count: int = 0
    at: float = 0.0
    until: float = 0.0


class Lockout:
    """Counts failures by source and user, by source alone, and by user alone.

    A user who has proved himself from a source is held up by his own failures there and no others': so
    nobody is locked out by a neighbour behind the same address, or by strangers who guess at his name.
    """

    __slots__ = ("_failures", "_welcome")

    def __init__(self) -> None:
        self._failures: OrderedDict[Key, _Failures] = OrderedDict()
        self._welcome: OrderedDict[Key, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures) + len(self._welcome)

    def is_locked(self, source: str, user: str, now: float) -> bool:
        """Whether a password of ``user`` from ``source`` is not even looked at."""
        keys = self._keys(source, user)
        if (source, user) in self._welcome:
            keys = keys[:1]
        return any(key in self._failures and now < self._failures[key].until for key, _ in keys)

    def failed(self, source: str, user: str, now: float) -> None:
        """A wrong password."""
        for key, free in self._keys(source, user):
            failures = self._failures.setdefault(key, _Failures())
            if now - failures.at > FORGOTTEN_AFTER:
                failures.count = 0
            failures.count += 1
            failures.at = now
            over = failures.count - free
            if over >= 0:
                failures.until = now + min(FIRST_WAIT * 2.0 ** min(over, 30), LONGEST_WAIT)
            self._failures.move_to_end(key)
            if len(self._failures) > MAXIMUM:
                self._failures.popitem(last=False)

    def succeeded(self, source: str, user: str) -> None:
        """The right one."""
        self._failures.pop((source, user), None)
        self._welcome[source, user] = None
        self._welcome.move_to_end((source, user))
        if len(self._welcome) > MAXIMUM:
            self._welcome.popitem(last=False)

    @staticmethod
    def _keys(source: str, user: str) -> tuple[tuple[Key, int], ...]:
        # no source is empty, and a name of nobody is counted by its source alone
        pairs = ((source, user), FREE_TRIES), ((source, ""), FREE_OF_SOURCE), (("", user), FREE_OF_USER)
        return pairs if user else pairs[1:2]
