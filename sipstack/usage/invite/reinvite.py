"""An offer of ours inside a session: the re-INVITE, its ACK, and its retry after glare (RFC 3261 §14.1)."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from sipstack.dialog.usage import Sent
from sipstack.errors import ParseError, RemoteProtocolError, SipError, TransactionTimeout
from sipstack.message import Response
from sipstack.transaction.timers import NEVER
from sipstack.usage.content import SDP, session_description
from sipstack.usage.invite.acks import repeat
from sipstack.usage.invite.credentials import credentials_of
from sipstack.usage.invite.events import OfferAnswered, OfferDue, OfferRefused

if TYPE_CHECKING:
    from sipstack.usage.invite.session import Session


class ReinviteState(Enum):
    WAITING = auto()  # for the other side's INVITE to finish, or for the glare timer
    SENT = auto()
    DONE = auto()


class Reinvite:
    """One offer. After glare the user agent is asked for a new one, when it is our turn."""

    __slots__ = ("_body", "_retry_at", "_sent", "_session", "_state", "scheduled")

    def __init__(self, session: Session, body: bytes) -> None:
        self._session = session
        self._body = body
        self._state = ReinviteState.WAITING
        self._retry_at = NEVER
        self._sent: Sent | None = None
        self.scheduled = NEVER

    @property
    def unfinished(self) -> bool:
        return self._state is not ReinviteState.DONE

    @property
    def deadline(self) -> float:
        return self._retry_at

    def start(self, now: float) -> None:
        """Send the offer, or wait while an INVITE of the other side is under way."""
        session = self._session
        if session.is_busy:
            self._wait(now)
            return
        self._state = ReinviteState.SENT
        session.exchange.offer_sent(self._body)
        headers = (*session.core.capabilities(), ("Content-Type", SDP))
        draft = session.dialog.draft("INVITE", headers, self._body, contact=True)
        self._sent = session.core.send(draft, self, now, session.dialog)

    def abandon(self, now: float) -> None:
        """The session ends: no retry. A 2xx that still comes is acknowledged."""
        if self._state is ReinviteState.WAITING:
            self._state = ReinviteState.DONE
        elif self._state is ReinviteState.SENT and self._sent is not None:
            self._sent.give_up(now)
        self._retry_at = NEVER

    def timeout(self, now: float) -> None:
        """Ask for the offer again: what was agreed meanwhile has made the old one stale."""
        self._retry_at = NEVER
        self._state = ReinviteState.DONE
        self._session.core.emit(OfferDue(self._session))

    def _wait(self, now: float) -> None:
        # §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other side 0 to 2 s, in units of 10 ms
        session = self._session
        low, high = (2.1, 4.0) if session.is_caller else (0.0, 2.0)
        self._state = ReinviteState.WAITING
        self._retry_at = now + round(session.core.identifiers.uniform(low, high), 2)
        session.core.schedule(self)

    def response_received(self, response: Response, now: float) -> None:
        status = response.status
        if status < 200:
            return
        if status < 300:
            self._accepted(response, now)
        elif self._state is ReinviteState.SENT:
            self._refused(response, now)

    def _accepted(self, response: Response, now: float) -> None:
        session = self._session
        cseq = response.cseq.number
        if self._state is ReinviteState.DONE:
            repeat(session.acks, cseq, session.core)
            return
        self._state = ReinviteState.DONE
        body = session_description(response)
        try:
            session.dialog.refresh_target(response)
        except (ParseError, RemoteProtocolError):
            body = b""
        sent, self._sent = self._sent, None  # it refers to us in turn
        session.acknowledge(cseq, credentials_of(sent.request if sent is not None else None), now)
        if not session.is_established:
            return
        if not body:  # a 2xx to an offer must bring the answer (§13.2.1)
            session.exchange.cancel()
            session.hang_up(now)
            return
        session.exchange.answer_received(body)
        session.core.emit(OfferAnswered(session, body))

    def _refused(self, response: Response, now: float) -> None:
        session = self._session
        session.exchange.cancel()
        self._state = ReinviteState.DONE
        if not session.is_established:
            return
        if response.status == 491:
            self._wait(now)
            return
        outcome = f"{response.status} {response.reason}"
        if response.status == 481:  # the dialog is gone (§12.2.1.2): its BYE may be lost, or still on the way
            session.lost(RemoteProtocolError(outcome, 481), now)
            return
        if response.status == 408:
            session.lost(TransactionTimeout(outcome), now)
            return
        session.core.emit(OfferRefused(session, response))

    def request_failed(self, error: SipError, now: float) -> None:
        self._state = ReinviteState.DONE
        self._session.exchange.cancel()
        if self._session.is_established:
            self._session.lost(error, now)
