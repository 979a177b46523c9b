"""The age of calls that nobody watches: those that a policy accepted, without handler and without media.

Their peer may be gone without a BYE, and nothing would tell.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from sipstack.dialog.usages import DialogUsages
from sipstack.errors import SipError
from sipstack.transaction.deadlines import Deadlines, Timed
from sipstack.transaction.timers import NEVER
from sipstack.usage.invite.session import Session

LOOKS = 8
"""How often the calls are looked at in one age."""
MOST = 64
"""Calls that are ended at once: a BYE for each."""
NEXT = 0.1
"""Seconds until the next."""


class Expiry:
    """Ends calls without a user that nobody has refreshed for ``age`` seconds; ``begin`` with the first."""

    __slots__ = ("_age", "_deadlines", "_dialogs", "_look_at", "scheduled")

    def __init__(
        self, age: float, dialogs: Mapping[Hashable, DialogUsages], deadlines: Deadlines[Timed]
    ) -> None:
        self._age = age
        self._deadlines = deadlines
        self._dialogs = dialogs
        self._look_at = NEVER
        self.scheduled = NEVER

    def begin(self, now: float) -> None:
        """A call without a user was accepted."""
        if self.scheduled == NEVER:
            self._look_at = now + self._age / LOOKS
            self._deadlines.schedule(self)

    @property
    def deadline(self) -> float:
        return self._look_at if self._dialogs else NEVER

    def timeout(self, now: float) -> None:
        old = [session for session in self._unwatched() if session.refreshed_at + self._age <= now]
        for session in old[:MOST]:
            session.close("timeout", "nobody refreshed the session", now)
        self._look_at = now + (NEXT if len(old) > MOST else self._age / LOOKS)
        self._deadlines.schedule(self)

    def faulted(self, error: SipError, now: float) -> None:
        """The calls are looked at again, as if nothing had happened."""
        self._look_at = now + self._age / LOOKS
        self._deadlines.schedule(self)

    def _unwatched(self) -> list[Session]:
        hosted = (usages.invite for usages in self._dialogs.values())
        sessions = [usage for usage in hosted if isinstance(usage, Session)]
        return [each for each in sessions if each.is_established and each.user is None]
