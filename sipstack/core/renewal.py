"""The peer of a sealed session is told its new state by a request of ours: UPDATE without an offer where it
takes that (RFC 3311), else a re-INVITE that offers what is in force.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sipstack.dialog.retries import retry_after
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import ParseError, RemoteProtocolError, SipError, TransactionTimeout
from sipstack.message import Response
from sipstack.transaction.timers import NEVER
from sipstack.usage.invite.extended_session import ExtendedSession
from sipstack.usage.invite.session import Session

if TYPE_CHECKING:
    from sipstack.core.sealing import Sealing

SOON = 0.1
"""Seconds until the peer is told: what changes together goes together, and our ACK is there before."""
BUSY = 1.0
"""Seconds until we look again whether an offer that is under way is settled."""
ANSWER = 33.0
"""Seconds after which a re-INVITE of ours has its answer."""
TRIES = 3
"""Requests of one renewal, the re-INVITE not counted."""


class Renewal:
    """One change of a session on its way to the peer. ``by_invite``: who takes nothing else. ``in_any_case``:
    also when the peer has been told meanwhile.
    """

    __slots__ = (
        "_answered_by",
        "_by_invite",
        "_due_at",
        "_in_any_case",
        "_sealing",
        "_tries",
        "_usages",
        "scheduled",
    )

    def __init__(
        self,
        sealing: Sealing,
        usages: DialogUsages,
        now: float,
        *,
        by_invite: bool = False,
        in_any_case: bool = False,
    ) -> None:
        self._sealing = sealing
        self._usages = usages
        self._tries = TRIES if by_invite else 0
        self._in_any_case = in_any_case
        self._by_invite = False
        self._answered_by = NEVER
        self._due_at = NEVER
        self.scheduled = NEVER
        self._due(SOON, now)

    def __repr__(self) -> str:
        return f"<Renewal of {self._usages.dialog.call_id}>"

    @property
    def deadline(self) -> float:
        return self._due_at

    def _due(self, seconds: float, now: float) -> None:
        self._due_at = now + seconds
        self._sealing.schedule(self)

    def stop(self) -> None:
        """The call is over."""
        self._due_at = NEVER
        self._tries = TRIES

    @property
    def _session(self) -> Session | None:
        session = self._usages.invite
        return session if isinstance(session, Session) and session.is_established else None

    @property
    def is_by_invite(self) -> bool:
        """Whether a re-INVITE is what it has come to."""
        return self._by_invite

    def settled(self, now: float) -> bool:
        """There is a new stable state; whether this renewal has nothing to do with it any more. After our
        re-INVITE it is the one that we have told, but for what its answer may have changed: that we leave, or
        it would never end.
        """
        session = self._session
        if session is not None and self._by_invite and now < self._answered_by:
            self._sealing.renewed(session)
        return self._by_invite

    def timeout(self, now: float) -> None:
        session, self._due_at = self._session, NEVER
        if session is None:
            return
        if self._sealing.is_known(session) and not self._in_any_case:
            self._sealing.renewed(session)
        elif session.is_busy or session.is_reoffering:
            self._due(BUSY, now)
        elif self._tries < TRIES and session.extensions is not None and session.extensions.takes_update:
            self._update(session, now)
        else:
            self._reinvite(session, now)

    def _update(self, session: Session, now: float) -> None:
        self._tries += 1
        extensions = session.extensions
        added = extensions.outgoing("UPDATE") if extensions is not None else ()
        draft = self._usages.draft("UPDATE", (*session.core.announced(), *added), contact=True)
        self._usages.send(draft, self, now)

    def _reinvite(self, session: Session, now: float) -> None:
        if self._by_invite or session.exchange.local is None:
            self._sealing.renewed(session, whole=False)
            return
        self._by_invite, self._answered_by = True, now + ANSWER
        ExtendedSession(session).reinvite(now)

    # -- the answer to UPDATE ------------------------------------------------------------------------------

    def response_received(self, response: Response, now: float) -> None:
        session, status = self._session, response.status
        if session is None or status < 200:
            return
        retry = session.extensions.answered(response, now) if session.extensions is not None else None
        if not session.is_established:
            return
        if status >= 300:
            self._sealing.refused(self._usages)
        if status < 300 and "Contact" not in response.headers:
            # RFC 3311 §5.2 asks for one: to whom the target means nothing here, a re-INVITE tells it
            self._sealing.ignores_update(session)
            self._tries = TRIES
            self._due(SOON, now)
        elif status < 300:
            with suppress(ParseError, RemoteProtocolError):
                session.dialog.refresh_target(response)
            self._sealing.accepted(session, now)
            self._due(SOON, now)  # to see whether that was all
        elif status in (408, 481):  # the dialog is gone (RFC 3261 §12.2.1.2)
            self._usages.lost(RemoteProtocolError(f"{status} {response.reason}", status), now)
        elif retry is not None:
            self._due(SOON, now)
        elif status == 491 or (status in (500, 503) and retry_after(response) is not None):
            self._due(max(retry_after(response) or 0.0, BUSY), now)
        else:
            self._tries = TRIES
            self._due(SOON, now)

    def request_failed(self, error: SipError, now: float) -> None:
        session = self._session
        if session is None:
            return
        if isinstance(error, TransactionTimeout):
            self._usages.lost(error, now)
        else:
            self._sealing.renewed(session, whole=False)

    def faulted(self, error: SipError, now: float) -> None:
        self._due_at = NEVER
        session = self._session
        if session is not None:
            self._sealing.renewed(session, whole=False)
