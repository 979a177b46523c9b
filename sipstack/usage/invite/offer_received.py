"""An offer of the peer inside a session, or its wish for one of ours, until answered (RFC 3261 §14.2)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from sipstack.errors import RemoteProtocolError
from sipstack.message import Headers, Request, Response
from sipstack.outcome import Outcome
from sipstack.transaction.invite_server import InviteServerTransaction
from sipstack.transaction.layer import AnyServer
from sipstack.usage.content import SDP, session_description
from sipstack.usage.invite.events import OfferReceived
from sipstack.usage.invite.offers import Taken, carrier_of, give_request, give_response, take_request
from sipstack.usage.invite.reasons import because

if TYPE_CHECKING:
    from sipstack.transaction.machine import ClientUser
    from sipstack.usage.invite.extended_session import ExtendedSession
    from sipstack.usage.invite.extension import Ask
    from sipstack.usage.invite.session import Session


class ReceivedOffer:
    """The request that carries it waits for the user agent's word: ``accept`` or ``refuse``.

    Raises ParseError or RemoteProtocolError for a Contact that cannot be our target.
    """

    __slots__ = ("_accepted", "_carrier", "_request", "_session", "_target", "_transaction")

    def __init__(self, session: Session, request: Request, transaction: AnyServer) -> None:
        self._session = session
        self._request = request
        self._transaction = transaction
        self._accepted = False  # but the 200 waits for the store
        self._carrier = carrier_of(request)
        self._target = session.dialog.new_target(request)

    @property
    def method(self) -> str:
        """INVITE, UPDATE or PRACK."""
        return self._request.method

    def begin(self) -> None:
        """Tell the user agent; from now on CANCEL finds us."""
        session = self._session
        body = session_description(self._request)
        take_request(session.exchange, self._carrier, body)
        if isinstance(self._transaction, InviteServerTransaction):
            self._transaction.user = self
        session.core.emit(OfferReceived(session, body))

    def accept(self, body: bytes, now: float) -> None:
        """200 with our answer, or with our offer when theirs was none; now their new target counts."""
        session, request, transaction = self._session, self._request, self._transaction
        if give_response(session.exchange, self._carrier, body) is Taken.OFFER:
            session.offer_in_2xx = True
        session.dialog.remote_target = self._target
        extensions, core, flow = session.extensions, session.core, transaction.flow
        added = extensions.answering(request, 200, now, described=True) if extensions is not None else ()
        headers = core.dialog_fields(flow, session.usages, session_description=True, now=now)
        if added:
            headers = headers.joined(Headers(added))
        response = request.response(200, headers=headers, body=body)
        session.received_offer, self._accepted = self, True
        session.settle(partial(self._accept, response), now)

    def _accept(self, response: Response, outcome: Outcome, now: float) -> None:
        """Once it is kept, where it is; what could not be kept is so all the same, and is tried again."""
        session, transaction = self._session, self._transaction
        if session.received_offer is self:
            session.received_offer = None
        if not session.is_alive:
            status = 500 if outcome is Outcome.CONFLICT else 487
            session.core.respond(transaction, self._request.response(status), now)
            return
        session.core.respond(transaction, response, now)
        if response.cseq.method == "INVITE":
            session.await_ack(response.cseq.number, transaction.flow, bytes(response), now)

    def refuse(self, status: int, now: float) -> None:
        """The session stays as it is; but an offer in PRACK cannot be refused alone. One that is accepted is
        not refused any more: what becomes of it is told when it is kept.
        """
        session, request = self._session, self._request
        if self._accepted:
            return
        session.exchange.withdraw(self._carrier)
        if request.method != "PRACK":
            session.core.respond(self._transaction, request.response(status), now)
            return
        # "it MUST be responded to with a 2xx" (RFC 3262 §3): without an answer the call ends (RFC 6337 §2.3)
        session.core.respond(self._transaction, request.response(200), now)
        reason = "an offer in PRACK cannot be taken"
        if session.origin is not None:
            session.origin.give_up(status, now, reason)
        else:
            session.hang_up(now, because(status, reason))

    def cancelled(self, reason: str, now: float) -> None:
        """CANCEL of a re-INVITE: the session goes on (§9.2)."""
        if self._session.received_offer is self:
            self._session.refuse_offer(487, now)


class OfferInResponse:
    """An offer in a reliable provisional response to our INVITE: the request that confirms it answers."""

    __slots__ = ("_ask", "_session", "_user")

    def __init__(self, session: ExtendedSession, ask: Ask, user: ClientUser) -> None:
        self._session = session
        self._ask = ask
        self._user = user

    def accept(self, body: bytes, now: float) -> None:
        """Confirm it, with our answer."""
        ask, session = self._ask, self._session
        give_request(session.exchange, (True, ask.method, 0), body)
        headers = (*ask.headers, ("Content-Type", SDP))
        session.ask(attrs.evolve(ask, headers=headers, body=body), self._user, now)

    def refuse(self, status: int, now: float) -> None:
        """It cannot be refused (RFC 6337 §2.3): it is confirmed without an answer, and the call given up."""
        self._session.ask(self._ask, self._user, now)
        self._session.give_up(RemoteProtocolError("the callee's offer cannot be taken", status), now)
