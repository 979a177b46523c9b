"""The INVITE usage of one dialog, of either side: ACK, offers inside, BYE (RFC 3261 §13.2.2.4, §14, §15).

EARLY -- 2xx --> ESTABLISHED -- our BYE is due --> CLOSING -- answer, theirs, or lost --> ENDED

It exists from the first response that makes the dialog. Until the 2xx it belongs to the INVITE that made it.
"""

from __future__ import annotations

from enum import Enum, auto
from functools import partial
from typing import Any

from sipstack.dialog.dialog import Dialog
from sipstack.dialog.keeper import TAKEN_OVER, nothing
from sipstack.dialog.retries import RETRY_AFTER
from sipstack.dialog.services import CoreServices
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import (
    InternalError,
    LocalProtocolError,
    ParseError,
    RemoteProtocolError,
    SipError,
    TransactionTimeout,
    TransportError,
)
from sipstack.message import Headers, Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.outcome import Outcome
from sipstack.sdp.exchange import Exchange, ExchangeState
from sipstack.transaction.flow import Flow
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.machine import NOBODY
from sipstack.transaction.timers import NEVER
from sipstack.usage.content import SDP, session_description
from sipstack.usage.invite.acceptance import Acceptance
from sipstack.usage.invite.events import Acknowledged, Ended
from sipstack.usage.invite.extensions import Extensions
from sipstack.usage.invite.kept_session import KeptSession
from sipstack.usage.invite.offer_received import OfferInResponse, ReceivedOffer
from sipstack.usage.invite.offers import Taken, take_request
from sipstack.usage.invite.origin import Origin
from sipstack.usage.invite.reasons import CLEARED, NO_ACK, because, of_end, of_error
from sipstack.usage.invite.record import SessionRecord
from sipstack.usage.invite.reoffer import Reoffer
from sipstack.usage.invite.sent_acks import SentAcks, keep_ack, repeat_ack

FORGET_FOR_PEER = 24.0
"""Seconds that the answer to a BYE waits until nobody can bring the call back: the peer repeats it longer."""
FORGET_FOR_US = 2.0
"""The same of a BYE of ours, for which somebody waits."""


class SessionState(Enum):
    EARLY = auto()
    ESTABLISHED = auto()
    CLOSING = auto()  # we want it over: our BYE waits for an ACK, or for its answer
    ENDED = auto()


class Session(KeptSession):
    """One session and its dialog. Its methods are called through the core's commands."""

    __slots__ = (
        "_ack_cseq",
        "_bye_headers",
        "_credentials",
        "acceptance",
        "acks",
        "application",
        "core",
        "exchange",
        "extensions",
        "failure",
        "is_caller",
        "later",
        "offer_in_2xx",
        "origin",
        "received_offer",
        "refreshed_at",
        "last_reoffer",
        "state",
        "usages",
        "user",
    )

    failure: SipError
    """Why no ACK of ours found its way; there only when that has ended the session."""

    def __init__(
        self, core: CoreServices, usages: DialogUsages, origin: Origin | None, *, is_caller: bool
    ) -> None:
        self.user: Any = None
        self.core = core
        self.usages = usages
        self.origin = origin
        self.exchange: Exchange[bytes] = Exchange()
        self.is_caller = is_caller  # we chose the Call-ID: decides who yields in a glare
        self.state = SessionState.EARLY
        self.extensions: Extensions | None = None
        self.acceptance: Acceptance | None = None
        self.received_offer: ReceivedOffer | OfferInResponse | None = None
        self.last_reoffer: Reoffer | None = None
        self.acks: SentAcks = {}
        self.application: dict[str, object] | None = None  # what the user agent wants to be kept with it
        self.later: SessionRecord | None = None  # what a later version wrote, where it did
        self._ack_cseq = 0
        self.refreshed_at = NEVER  # when our last 2xx went out
        self.offer_in_2xx = False  # our 2xx made an offer: its answer comes in the ACK
        self._credentials: HeaderFields = ()
        self._bye_headers: Headers | HeaderFields | None = None
        usages.add(self)

    @property
    def dialog(self) -> Dialog:
        """The record of the dialog."""
        return self.usages.dialog

    @property
    def is_established(self) -> bool:
        """Whether it is accepted, and neither side has said BYE."""
        return self.state is SessionState.ESTABLISHED

    @property
    def is_alive(self) -> bool:
        """Whether it is established, or may still be."""
        return self.state is SessionState.EARLY or self.state is SessionState.ESTABLISHED

    def __repr__(self) -> str:
        return f"<Session {self.state.name} {self.dialog.call_id}>"

    @classmethod
    def resumed(cls, core: CoreServices, usages: DialogUsages, record: SessionRecord) -> Session:
        """Go on with a session that was recorded."""
        session = cls(core, usages, None, is_caller=record.is_caller)
        session.exchange = Exchange(record.local, record.remote)
        session.application = dict(record.application) or None
        session.establish()
        return session

    def establish(self) -> None:
        """The 2xx went out, or came."""
        self.state = SessionState.ESTABLISHED
        self.origin = None
        self.dialog.early = False

    # -- our 2xx and its ACK -------------------------------------------------------------------------------

    def await_ack(self, cseq: int, flow: Flow, data: bytes, now: float) -> None:
        """Our 2xx went out: repeat it until the ACK comes."""
        if self.acceptance is not None:
            self.acceptance.acknowledged()
        self.refreshed_at = now
        self.acceptance = Acceptance(self.core, self, cseq, flow, data, now)
        self.core.schedule(self.acceptance)

    def ack_received(self, request: Request, now: float) -> None:
        acceptance = self.acceptance
        if acceptance is None or request.cseq.number != acceptance.cseq:
            return  # a repetition
        acceptance.acknowledged()
        self.acceptance = None
        if self._bye_headers is not None:
            self._send_bye(now)
        elif not self.offer_in_2xx:
            self.core.emit(Acknowledged(self, b""))
        else:
            self._take_answer_in_ack(request, now)

    def _take_answer_in_ack(self, request: Request, now: float) -> None:
        """Our 2xx carried the offer, so the ACK must carry the answer (§13.2.1). Without one there is nothing
        to talk with, unless a pair was agreed before: it stays in force, as after an offer that is refused.
        """
        number, body = request.cseq.number, session_description(request)
        self.offer_in_2xx = False
        if take_request(self.exchange, (False, "ACK", number), body) is not Taken.ANSWER:
            self.exchange.withdraw((False, "INVITE", number))
            if self.exchange.local is None:
                self.hang_up(now, because(488, "no answer in ACK"))
                return
        self.settle(nothing, now)
        self.core.emit(Acknowledged(self, body))

    def not_acknowledged(self, now: float) -> None:
        """§13.3.1.4: without an ACK the session is ended by BYE."""
        self.acceptance = None
        if self._bye_headers is None:
            self._bye_headers = NO_ACK
        self._end("timeout", "no ACK", now)
        self._send_bye(now)

    # -- their 2xx and our ACK -----------------------------------------------------------------------------

    def acknowledge(self, cseq: int, credentials: HeaderFields, now: float, answer: bytes = b"") -> None:
        """Send the ACK for a 2xx, with the answer when the 2xx carried an offer."""
        headers = (*credentials, ("Content-Type", SDP)) if answer else credentials
        if self.core.keeper is None or not self.is_established:
            self.usages.send_ack(cseq, headers, answer, self, now)
        elif cseq not in self.acks:
            self.acks[cseq] = None  # a 2xx that comes again meanwhile asks for no second one
            self.core.keeper.settle(self.usages, partial(self._acknowledge, cseq, headers, answer), now)

    def _acknowledge(
        self, cseq: int, headers: HeaderFields, answer: bytes, outcome: Outcome, now: float
    ) -> None:
        """In any case: the peer has to be told of the end as well."""
        self.usages.send_ack(cseq, headers, answer, self, now)
        if outcome is Outcome.FAILED and not self.usages.ceiling:
            self.close("local", "the session could not be kept", now)

    def await_answer(self, cseq: int, credentials: HeaderFields) -> None:
        """A 2xx carried an offer: its ACK waits for our answer."""
        self._ack_cseq, self._credentials = cseq, credentials

    def answer(self, body: bytes, now: float) -> None:
        """Acknowledge a 2xx that carried an offer. Raises LocalProtocolError when there was none."""
        self.exchange.answer_sent(body)
        self.acknowledge(self._ack_cseq, self._credentials, now, body)

    @property
    def _awaits_answer(self) -> bool:
        """Whether a 2xx brought an offer that our ACK has still to answer."""
        return (
            self._ack_cseq > 0
            and self.exchange.state is ExchangeState.REMOTE_OFFER
            and (self.received_offer is None)
        )

    def ack_sent(self, cseq: int, flow: Flow, data: bytes) -> None:
        keep_ack(self.acks, cseq, flow, data)

    def accepted_late(self, response: Response, now: float) -> None:
        """A 2xx to an INVITE of ours whose transaction is over, for an ICMP error perhaps that meant nothing:
        without an ACK the peer would end the call.
        """
        number = response.cseq.number
        if number in self.acks:
            repeat_ack(self.acks, number, self.core)
        elif number <= self.dialog.local_cseq:
            self.acknowledge(number, (), now)

    def ack_failed(self, error: SipError, now: float) -> None:
        self.failure = error
        self.close("transport", str(error), now)

    # -- requests from the peer ----------------------------------------------------------------------------

    def request_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        try:
            match request.method:
                case "BYE":
                    self._bye_received(request, transaction, now)
                case "INVITE":
                    self._invite_received(request, transaction, now)
                case _:
                    self._extended(request, transaction, now)
        except (ParseError, RemoteProtocolError) as error:
            self.core.respond(transaction, request.response(error.status), now)

    def _bye_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        keeper = self.core.keeper
        if keeper is None or not keeper.holds(self.usages):
            self.core.respond(transaction, request.response(200), now)
        else:  # a call of which the peer has heard that it is over must not come back
            then = partial(self._say_over, request, transaction)
            keeper.forget(self.usages, then, FORGET_FOR_PEER, now, by_peer=True)
        reason = ", ".join(request.headers.raw("Reason"))
        if self.origin is not None:
            self.origin.left(self, reason, now)
            return
        self._end("local" if self.state is SessionState.CLOSING else "remote", reason, now)

    def _say_over(self, request: Request, transaction: AnyServer, outcome: Outcome, now: float) -> None:
        failed = outcome is Outcome.FAILED
        headers: HeaderFields = RETRY_AFTER if failed else ()
        self.core.respond(transaction, request.response(503 if failed else 200, headers=headers), now)

    def _invite_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        if self.state is SessionState.EARLY:  # while the first is in progress (§14.2)
            if self.is_caller:
                raise RemoteProtocolError("an INVITE while ours is in progress", 491)
            self.refuse_for_now(request, transaction, now)
        elif self.state is not SessionState.ESTABLISHED:
            raise RemoteProtocolError("the session is over", 481)
        else:
            self.receive_offer(request, transaction, now)

    def receive_offer(self, request: Request, transaction: AnyServer, now: float) -> None:
        """A request of the peer that may change the session: INVITE, or UPDATE with a description."""
        refused = self.extensions.refusal(request) if self.extensions is not None else None
        if refused is not None:
            self.core.respond(transaction, request.response(refused[0], headers=refused[1]), now)
        elif self.exchange.state is ExchangeState.LOCAL_OFFER:  # glare (§14.2), or our 2xx made an offer
            self.core.respond(transaction, request.response(491), now)
        elif self.received_offer is not None or self.exchange.offer is not None:
            self.refuse_for_now(request, transaction, now)
        else:
            self.received_offer = ReceivedOffer(self, request, transaction)
            self.received_offer.begin()

    def refuse_for_now(self, request: Request, transaction: AnyServer, now: float) -> None:
        """§14.2: another one is in progress; the peer may come again within ten seconds."""
        seconds = int(self.core.identifiers.uniform(0, 11))
        self.core.respond(transaction, request.response(500, headers=[("Retry-After", seconds)]), now)

    def _extended(self, request: Request, transaction: AnyServer, now: float) -> None:
        if self.state is SessionState.CLOSING:
            raise RemoteProtocolError("the session is over", 481)
        if self.extensions is None or not self.extensions.request_received(request, transaction, now):
            self.core.serve(request, transaction, now)
        if self.origin is not None:
            self.origin.proceed(now)

    def accept_offer(self, body: bytes, now: float) -> None:
        """Answer the peer's request with 200; ``body`` is the answer, or the offer when theirs had none."""
        self._take_offer().accept(body, now)

    def refuse_offer(self, status: int, now: float) -> None:
        """Refuse the peer's offer: the session stays as it is (§14.2)."""
        self._take_offer().refuse(status, now)

    def _take_offer(self) -> ReceivedOffer | OfferInResponse:
        if self.received_offer is None:
            raise LocalProtocolError("no offer of the peer waits for an answer")
        offer, self.received_offer = self.received_offer, None
        return offer

    # -- offers of ours ------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        return (
            self.received_offer is not None
            or self.acceptance is not None
            or self.exchange.offer is not None
            or (self.origin is not None and self.origin.must_wait())  # RFC 3311 §5.1
        )

    @property
    def is_reoffering(self) -> bool:
        return self.last_reoffer is not None and self.last_reoffer.unfinished

    def reoffer(self, body: bytes, now: float, method: str = "INVITE") -> None:
        """Offer ``body`` in a re-INVITE, or in another method that carries offers, such as UPDATE; without
        one an UPDATE refreshes the target alone.

        The latter may go out before the call is accepted, once a first pair is agreed (RFC 3311 §5.1). Raises
        LocalProtocolError when one is under way, when none may go out yet, or when the call is over.
        """
        early = self.state is SessionState.EARLY
        if early and (method == "INVITE" or self.exchange.local is None):
            raise LocalProtocolError("the call is not accepted yet")
        if not (early or self.is_established):
            raise LocalProtocolError("the call is over")
        before = self.last_reoffer
        if before is not None and before.unfinished:
            raise LocalProtocolError("an offer of ours is under way")
        self.last_reoffer = Reoffer(self, body, method, before.tries if before is not None else 0)
        self.last_reoffer.start(now)

    def close(self, by: str, reason: str, now: float) -> None:
        """End the session by BYE, for a reason that is told to the user agent."""
        if self.state is SessionState.ESTABLISHED:
            self._bye_headers = of_end(by, reason)
            self._end(by, reason, now)
            self._send_bye(now)

    # -- the end -------------------------------------------------------------------------------------------

    def hang_up(self, now: float, headers: Headers | HeaderFields = CLEARED) -> None:
        """End the session by BYE. A callee waits for the ACK first (§15); where its 2xx still waits for the
        store, the INVITE is refused in place of that. Does nothing when it is ending.
        """
        if self.state is not SessionState.ESTABLISHED:
            if self.origin is not None:
                self.origin.hung_up(now)
            return
        self.state = SessionState.CLOSING
        self.usages.closing = True
        self._bye_headers = headers
        if self.extensions is not None:
            self.extensions.stop()
        if self.last_reoffer is not None:
            self.last_reoffer.abandon(now)
        if self._awaits_answer:  # a 2xx is acknowledged in any case (§13.2.2.4)
            self.exchange.cancel()
            self.acknowledge(self._ack_cseq, self._credentials, now)
        if self.received_offer is not None:
            self.refuse_offer(487, now)
        if self.acceptance is None:
            self._send_bye(now)

    def _send_bye(self, now: float) -> None:
        keeper = self.core.keeper
        if keeper is None or not keeper.holds(self.usages):
            self._bye(Outcome.DONE, now)
        else:
            keeper.forget(self.usages, self._bye, FORGET_FOR_US, now, by_peer=False)

    def _bye(self, outcome: Outcome, now: float) -> None:
        if outcome is Outcome.CONFLICT:
            self.hand_over(now, TAKEN_OVER)
            return
        # with a user only while somebody waits for the end
        user = self if self.state is SessionState.CLOSING else NOBODY
        self.usages.send(self.usages.draft("BYE", self._bye_headers or ()), user, now)

    def response_received(self, response: Response, now: float) -> None:
        """The answer to our BYE. Whatever it says, the session is over (§15.1.1). Only when a later request
        of ours, such as a NOTIFY, has overtaken it, the peer does not know that yet (§12.2.2): it goes out
        again.
        """
        if response.status == 500 and response.cseq.number < self.dialog.local_cseq:
            self._send_bye(now)
        elif response.status >= 200:
            self._end("local", "", now)

    def request_failed(self, error: SipError, now: float) -> None:
        """Our BYE was lost: the session is over all the same (§15.1.1), and the peer may not know it."""
        by = "transport" if isinstance(error, TransportError) else "local"
        self._end(by, f"BYE: {error}", now)

    def lost(self, error: SipError, now: float) -> None:
        """The peer does not know the dialog any more, or does not answer (§12.2.1.2), or we have failed: say
        BYE and end.
        """
        if self.state is SessionState.ENDED:
            return
        if self.origin is not None:  # its INVITE decides on the call
            self.origin.faulted(error, now)
            return
        match error:
            case TransportError():
                by = "transport"
            case TransactionTimeout():
                by = "timeout"
            case InternalError():
                by = "local"
            case _:
                by = "remote"
        if self._bye_headers is None:
            self._bye_headers = of_error(error)
        self._end(by, str(error), now)
        self._send_bye(now)

    def discard(self, now: float) -> None:
        """An early session that did not become the call (§13.2.2.3, §13.2.2.4)."""
        if self.state is not SessionState.EARLY:
            return
        if isinstance(self.received_offer, ReceivedOffer):
            self.refuse_offer(487, now)  # what is in progress in it is answered in any case
        if self.last_reoffer is not None:
            self.last_reoffer.abandon(now)
        self.forget(now)
        self._close()

    def _end(self, by: str, reason: str, now: float) -> None:
        if self.state is SessionState.ENDED:
            return
        if self.received_offer is not None:
            self.refuse_offer(487, now)  # §15.1.2: pending requests get 487
        if self.acceptance is not None:
            self.acceptance.acknowledged()
        if self.last_reoffer is not None:
            self.last_reoffer.abandon(now)
        self.forget(now, by_peer=by == "remote")
        self._close()
        self.core.emit(Ended(self, by, reason))

    def _close(self) -> None:
        self.state = SessionState.ENDED
        self.acceptance = self.last_reoffer = self.origin = None  # they refer to us in turn
        if self.extensions is not None:
            self.extensions.stop()
            self.extensions = None
        self.usages.remove(self)
