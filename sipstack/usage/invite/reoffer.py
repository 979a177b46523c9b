"""An offer of ours inside a session: its request, the ACK of a re-INVITE, its retry after glare (RFC 3261
§14.1), or after a refusal for the moment (`dialog/retries.py`).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

import attrs

from sipstack.dialog.draft import Draft
from sipstack.dialog.keeper import nothing
from sipstack.dialog.retries import glare_wait, wait_before_retry
from sipstack.dialog.services import SentRequest
from sipstack.errors import ParseError, RemoteProtocolError, SipError, TransactionTimeout, TransportError
from sipstack.message import Headers, Response
from sipstack.transaction.timers import NEVER
from sipstack.usage.content import SDP, session_description
from sipstack.usage.invite.authorization import authorization_of
from sipstack.usage.invite.events import OfferAnswered, OfferDue, OfferRefused
from sipstack.usage.invite.offers import Carrier, Taken, give_request, take_response
from sipstack.usage.invite.reasons import because
from sipstack.usage.invite.sent_acks import repeat_ack

if TYPE_CHECKING:
    from sipstack.usage.invite.session import Session


class ReofferState(Enum):
    WAITING = auto()  # for the other side's offer to be settled, or for the glare timer
    SENT = auto()
    DONE = auto()


class Reoffer:
    """One offer, in an INVITE or another method. After glare the user agent is asked for a new one, when it
    is our turn. Without a body it is an UPDATE that refreshes the target alone, and has no answer.
    """

    __slots__ = (
        "_body",
        "_carrier",
        "_method",
        "_preview",
        "_retry_at",
        "_sent",
        "_session",
        "_state",
        "scheduled",
        "tries",
    )

    def __init__(self, session: Session, body: bytes, method: str, tries: int) -> None:
        self._session = session
        self.tries = tries
        """How often the same wish of the user was refused for the moment."""
        self._body = body
        self._method = method
        self._preview = b""  # the first description in a provisional response
        self._carrier: Carrier = (True, method, 0)
        self._state = ReofferState.WAITING
        self._retry_at = NEVER
        self._sent: SentRequest | None = None
        self.scheduled = NEVER

    @property
    def unfinished(self) -> bool:
        return self._state is not ReofferState.DONE

    @property
    def deadline(self) -> float:
        return self._retry_at

    def start(self, now: float) -> None:
        """Send the offer, or wait while one of the other side is under way."""
        session = self._session
        if session.is_busy:
            self._wait(glare_wait(session.core.identifiers, owns_call_id=session.is_caller), now)
            return
        draft = self._draft()
        self._carrier = (True, self._method, draft.cseq)
        give_request(session.exchange, self._carrier, self._body)
        self._send(draft, now)

    def _draft(self) -> Draft:
        session = self._session
        added = session.extensions.outgoing(self._method) if session.extensions is not None else ()
        content = (("Content-Type", SDP),) if self._body else ()
        headers = (*session.core.announced(), *content, *added)
        return session.usages.draft(self._method, headers, self._body, contact=True)

    def _send(self, draft: Draft, now: float) -> None:
        self._state = ReofferState.SENT
        self._sent = self._session.usages.send(draft, self, now)

    def abandon(self, now: float) -> None:
        """The session ends: no retry. A 2xx that still comes is acknowledged."""
        if self._state is ReofferState.WAITING:
            self._state = ReofferState.DONE
        elif self._state is ReofferState.SENT and self._sent is not None:
            self._sent.give_up(now)
        self._retry_at = NEVER

    def timeout(self, now: float) -> None:
        """Ask for the offer again: what was agreed meanwhile has made the old one stale."""
        self._retry_at = NEVER
        self._state = ReofferState.DONE
        self._session.core.emit(OfferDue(self._session))

    def faulted(self, error: SipError, now: float) -> None:
        self._session.lost(error, now)

    def _wait(self, seconds: float, now: float) -> None:
        self._state = ReofferState.WAITING
        self._retry_at = now + seconds
        self._session.core.schedule(self)

    # -- answers -------------------------------------------------------------------------------------------

    def response_received(self, response: Response, now: float) -> None:
        status = response.status
        if status < 200:
            self._progressed(response, now)
            return
        if self._state is ReofferState.DONE:
            if status < 300:
                repeat_ack(self._session.acks, response.cseq.number, self._session.core)
            return
        extensions = self._session.extensions
        retry = extensions.answered(response, now) if extensions is not None else None
        if status < 300:
            self._accepted(response, now)
        elif retry is not None and self._session.is_alive:
            draft = self._draft()
            self._send(attrs.evolve(draft, headers=draft.headers.replaced(Headers(retry.headers))), now)
        else:
            self._refused(response, now)

    def _progressed(self, response: Response, now: float) -> None:
        """A reliable one is confirmed (RFC 3262 §4), whatever becomes of the offer."""
        extensions = self._session.extensions
        if response.status == 100 or self._method != "INVITE":
            return
        if extensions is None or extensions.progressed(response, now):
            self._preview = self._preview or session_description(response)

    def _accepted(self, response: Response, now: float) -> None:
        session = self._session
        self._state = ReofferState.DONE
        self.tries = 0
        body = session_description(response) or self._preview  # the first is the answer (§13.2.1)
        try:
            session.dialog.refresh_target(response)
        except (ParseError, RemoteProtocolError):
            body = b""
        sent, self._sent = self._sent, None  # it refers to us in turn
        taken = None
        try:
            if session.is_alive:
                taken = take_response(session.exchange, self._carrier, body)
        finally:  # a 2xx is acknowledged in any case (§13.2.2.4)
            if self._method == "INVITE":
                credentials = authorization_of(sent.request if sent is not None else None)
                session.acknowledge(response.cseq.number, credentials, now)
            else:
                session.settle(nothing, now)
        if not session.is_alive:
            return
        if taken is Taken.ANSWER:
            session.core.emit(OfferAnswered(session, body))
        elif not self._body:
            session.core.emit(OfferAnswered(session, b""))
        else:  # a 2xx to an offer must bring the answer (§13.2.1)
            session.exchange.withdraw(self._carrier)
            if not session.is_established:  # its INVITE decides on the call
                session.core.emit(OfferRefused(session, Response(488, "No Answer To Our Offer")))
            session.hang_up(now, because(488, "no answer to our offer"))

    def _refused(self, response: Response, now: float) -> None:
        session = self._session
        session.exchange.withdraw(self._carrier)
        self._state = ReofferState.DONE
        if not session.is_alive:
            return
        if session.core.keeper is not None:
            session.core.keeper.refused(session.usages)
        early = not session.is_established  # then its INVITE decides on the call
        status, outcome = response.status, f"{response.status} {response.reason}"
        identifiers = session.core.identifiers
        seconds = wait_before_retry(response, self.tries, identifiers, owns_call_id=session.is_caller)
        self.tries = 0 if seconds is None else self.tries + 1
        if seconds is not None:
            self._wait(seconds, now)
        elif early:
            session.core.emit(OfferRefused(session, response))
        elif status == 481:  # the dialog is gone (§12.2.1.2): its BYE may be lost, or still on the way
            session.usages.lost(RemoteProtocolError(outcome, 481), now)
        elif status == 408:
            session.usages.lost(TransactionTimeout(outcome), now)
        else:
            session.core.emit(OfferRefused(session, response))

    @property
    def _has_lost_its_connection(self) -> bool:
        """And no other could be opened: the peer is gone. Of a datagram nobody knows for sure."""
        flow = self._session.usages.flow
        return flow is not None and flow.reliable

    def request_failed(self, error: SipError, now: float) -> None:
        if isinstance(error, TransportError) and not self._has_lost_its_connection:
            # "MUST be treated as a 503" (§8.1.3.1), after which the session stays as it was (§14.1)
            self._refused(Response(503, str(error)), now)
            return
        self._state = ReofferState.DONE
        self._session.exchange.withdraw(self._carrier)
        # in an early dialog as well: the peer may have taken what we have withdrawn (§12.2.1.2)
        if self._session.is_alive:
            self._session.usages.lost(error, now)
