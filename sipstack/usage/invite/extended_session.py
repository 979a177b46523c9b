"""Carries out in one session what its extensions decide."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from sipstack.dialog.dialog import Dialog
from sipstack.dialog.keeper import nothing
from sipstack.errors import LocalProtocolError, SipError
from sipstack.message import Headers, Request, Response
from sipstack.sdp.exchange import Exchange
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.machine import ClientUser
from sipstack.usage.content import session_description
from sipstack.usage.invite.events import OfferAnswered, OfferReceived, RefreshDue
from sipstack.usage.invite.extension import Ask, Close, Reply, TakeOffer
from sipstack.usage.invite.offer_received import OfferInResponse, ReceivedOffer
from sipstack.usage.invite.offers import Taken, answers, carrier_of, take_request, take_response

if TYPE_CHECKING:
    from sipstack.usage.invite.session import Session


class ExtendedSession:
    """The session as its extensions' decisions see it."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def exchange(self) -> Exchange[bytes]:
        return self._session.exchange

    @property
    def dialog(self) -> Dialog:
        return self._session.dialog

    def close(self, close: Close, now: float) -> None:
        self._session.close(close.by, close.reason, now)

    def settle(self, now: float) -> None:
        if self._session.is_established:
            self._session.settle(nothing, now)

    def ask(self, ask: Ask, user: ClientUser, now: float) -> None:
        usages = self._session.usages
        headers = (*self._session.core.announced(), *ask.headers) if ask.refreshes else ask.headers
        usages.send(usages.draft(ask.method, headers, ask.body, contact=ask.refreshes), user, now)

    def reinvite(self, now: float) -> None:
        """The user agent makes the offer, as it knows the media; without one what is in force is offered."""
        session = self._session
        if session.user is not None:
            session.core.emit(RefreshDue(session))
        elif session.exchange.local is not None:
            with suppress(LocalProtocolError):  # an offer of ours is under way: it refreshes as well
                session.reoffer(session.exchange.local, now)

    def resend(self, now: float) -> None:
        if self._session.origin is not None:
            self._session.origin.resend(now)

    def refuse(self, status: int, now: float) -> None:
        if self._session.origin is not None:
            self._session.origin.give_up(status, now, "no answer to a reliable response")

    def give_up(self, error: SipError, now: float) -> None:
        """Give up the INVITE that it belongs to."""
        if self._session.origin is not None:
            self._session.origin.faulted(error, now)

    def supplant(self, session: Session, now: float) -> None:
        """Ours has taken the place of ``session`` (RFC 3891 §3): it is ended by BYE; by CANCEL as long as it
        is one that we are placing.
        """
        if self._session.origin is not None:
            self._session.origin.once_accepted(partial(self.supplant, session))
        elif not self._session.is_established:
            return
        elif session.origin is not None:
            session.origin.supplanted(now)
        elif session.acceptance is not None:  # a callee waits for the ACK (RFC 3261 §15)
            session.hang_up(now)
        else:
            session.close("local", "replaced by another call", now)

    def take_reliable(self, response: Response, ask: Ask, user: ClientUser, now: float) -> None:
        """A reliable provisional response to our INVITE: confirm it, with the answer to an offer in it. To a
        re-INVITE, which has our offer, an answer counts with the 2xx (RFC 6141 §3).
        """
        session = self._session
        if session.origin is None:
            self.ask(ask, user, now)
            return
        body = session_description(response)
        if take_response(session.exchange, session.origin.carrier, body) is Taken.OFFER:
            session.received_offer = OfferInResponse(self, ask, user)
            session.core.emit(OfferReceived(session, body))
        else:
            self.ask(ask, user, now)

    def reply(self, reply: Reply | TakeOffer, request: Request, transaction: AnyServer, now: float) -> None:
        """Answer a request that one of them takes."""
        session, carrier = self._session, carrier_of(request)
        if isinstance(reply, Reply):
            self._respond(reply, request, transaction, now)
        elif answers(session.exchange, carrier):
            body = session_description(request)
            take_request(session.exchange, carrier, body)
            self._respond(Reply(200), request, transaction, now)
            session.core.emit(OfferAnswered(session, body))
        else:
            session.receive_offer(request, transaction, now)

    def _respond(self, reply: Reply, request: Request, transaction: AnyServer, now: float) -> None:
        session, headers = self._session, Headers(reply.headers)
        if reply.refreshes and session.extensions is not None:
            offer = session.received_offer
            if isinstance(offer, ReceivedOffer) and offer.method == request.method:
                session.refuse_for_now(request, transaction, now)  # RFC 3311 §5.2: one UPDATE at a time
                return
            refused = session.extensions.refusal(request)
            if refused is not None:
                session.core.respond(transaction, request.response(refused[0], headers=refused[1]), now)
                return
            session.dialog.refresh_target(request)
            session.refreshed_at = now
            usages, described = session.usages, bool(reply.body)
            added = session.extensions.answering(request, reply.status, now)
            flow, core = transaction.flow, session.core
            fields = core.dialog_fields(flow, usages, session_description=described, now=now)
            headers = fields.joined(headers).joined(Headers(added))
        response = request.response(reply.status, headers=headers, body=reply.body)
        if reply.refreshes and session.is_established:
            session.settle(partial(session.refreshed, request, transaction, response), now)
        else:
            session.core.respond(transaction, response, now)
