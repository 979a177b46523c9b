"""What the peer of a sealed session has been told, as far as we know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from sipstack.core.lasting import BEGAN
from sipstack.usage.invite.session import Session

if TYPE_CHECKING:
    from sipstack.core.renewal import Renewal

CROSSING = 2.0
"""Seconds in which requests may still come that the peer sent before it heard of our new Contact."""


@attrs.frozen
class Told:
    """A digest of a state, and the user part of our Contact that holds it: empty where we do not know it.
    ``whole``: it holds all of it. ``by``: the method of our request that told it; empty for a 2xx of ours.
    """

    digest: int
    user: str
    whole: bool
    by: str = ""


@attrs.define
class Sent:
    """What the peer of one session was told last, and what is on its way in a request of ours."""

    known: Told | None = None
    asked: Told | None = None
    renewal: Renewal | None = None
    ignored: frozenset[str] = frozenset()
    """Ways (``Told.by``) to tell a new Contact by which the peer takes none."""
    is_stale: bool = False
    """Nor by an INVITE of ours, which was said."""
    doubtful: Told | None = None
    """Told in a way that the peer ignores."""
    _since: float = 0.0

    def answered(self, told: Told, now: float) -> None:
        """A 2xx of ours tells that."""
        if told.by in self.ignored:
            self.doubtful = told
        else:
            self.known, self._since = told, now

    def accepted(self, now: float) -> None:
        """The peer has taken what we asked it to."""
        if self.asked is not None:
            self.known, self._since, self.asked = self.asked, now, None

    def renewed(self, session: Session, *, whole: bool = True) -> None:
        """There is no more to be told until the next change; not ``whole``: the peer does not take it."""
        known = self.known or Told(0, "", False)
        self.asked = self.renewal = None
        self.known = attrs.evolve(known, digest=digest(session), whole=known.whole and whole)

    def has(self, session: Session) -> bool:
        """Whether that is what there is to be told."""
        return self.known is not None and self.known.digest == digest(session)

    @property
    def is_whole(self) -> bool:
        """Whether another node could go on with it."""
        return self.known is not None and self.known.whole and self.renewal is None and not self.is_stale

    def is_missed_by(self, user: str | None, now: float) -> bool:
        """Whether a request that came to ``user`` shows that its peer has not taken what it was told."""
        doubtful = self.doubtful
        if doubtful is not None and doubtful.user == user:  # we were wrong
            self.known, self.doubtful = doubtful, None
            self.ignored -= {doubtful.by}
        known = self.known
        return (
            known is not None
            and known.user not in ("", user)
            and now >= self._since + CROSSING
            and self.renewal is None
        )


def digest(session: Session) -> int:
    """Of what a peer is to be told anew when it changes. Numbers and timers run on by themselves."""
    dialog, exchange = session.usages.dialog, session.exchange
    noted = [each for each in (session.application or {}).items() if each[0] != BEGAN]
    return hash((exchange.local, exchange.remote, dialog.remote_target, dialog.route_set, repr(noted)))
