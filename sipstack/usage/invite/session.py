"""An established session, of either side: ACK, re-INVITE in and out, BYE (RFC 3261 §13.2.2.4, §14, §15)."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

from sipstack.dialog.dialog import Dialog
from sipstack.dialog.usage import CoreServices
from sipstack.errors import LocalProtocolError, ParseError, RemoteProtocolError, SipError, TransportError
from sipstack.message import Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.sdp.exchange import Exchange, ExchangeState
from sipstack.transaction.flow import Flow
from sipstack.transaction.layer import AnyServer
from sipstack.usage.content import SDP, refusal, session_description
from sipstack.usage.invite.acceptance import Acceptance
from sipstack.usage.invite.acks import Acks, keep
from sipstack.usage.invite.events import Acknowledged, Ended, OfferReceived
from sipstack.usage.invite.reinvite import Reinvite


class SessionState(Enum):
    ESTABLISHED = auto()
    CLOSING = auto()  # we want it over: our BYE waits for an ACK, or for its answer
    ENDED = auto()


class Session:
    """The INVITE usage of one confirmed dialog. Its methods are called through the endpoint's commands."""

    __slots__ = (
        "_acceptance",
        "_ack_cseq",
        "_bye_headers",
        "_credentials",
        "_offer_in_2xx",
        "_offered_by",
        "_reinvite",
        "acks",
        "dialog",
        "exchange",
        "core",
        "is_caller",
        "state",
        "user",
    )

    def __init__(
        self, core: CoreServices, dialog: Dialog, exchange: Exchange[bytes], *, is_caller: bool
    ) -> None:
        self.user: Any = None
        self.core = core
        self.dialog = dialog
        self.exchange = exchange
        self.is_caller = is_caller  # we chose the Call-ID: decides who yields in a glare
        self.state = SessionState.ESTABLISHED
        self._acceptance: Acceptance | None = None
        self._offered_by: tuple[AnyServer, Request] | None = None
        self._reinvite: Reinvite | None = None
        self.acks: Acks = {}
        self._ack_cseq = 0
        self._offer_in_2xx = exchange.state is ExchangeState.LOCAL_OFFER  # its answer comes in the ACK
        self._credentials: HeaderFields = ()
        self._bye_headers: HeaderFields | None = None
        core.open_dialog(dialog, self)

    @property
    def is_established(self) -> bool:
        """Whether neither side has said BYE."""
        return self.state is SessionState.ESTABLISHED

    def __repr__(self) -> str:
        return f"<Session {self.state.name} {self.dialog.call_id}>"

    # -- our 2xx and its ACK -------------------------------------------------------------------------------

    def accepted(self, cseq: int, flow: Flow, data: bytes, now: float) -> None:
        """Our 2xx went out: repeat it until the ACK comes."""
        if self._acceptance is not None:
            self._acceptance.acknowledged()
        self._acceptance = Acceptance(self.core, self, cseq, flow, data, now)
        self.core.schedule(self._acceptance)

    def ack_received(self, request: Request, now: float) -> None:
        acceptance = self._acceptance
        if acceptance is None or request.cseq.number != acceptance.cseq:
            return  # a repetition
        acceptance.acknowledged()
        self._acceptance = None
        if self._bye_headers is not None:
            self._send_bye(now)
            return
        if self._offer_in_2xx:
            self._answer_in_ack(request, now)
        else:
            self.core.emit(Acknowledged(self, b""))

    def _answer_in_ack(self, request: Request, now: float) -> None:
        body = session_description(request)
        if not body:  # our 2xx carried the offer, the ACK must carry the answer (§13.2.1)
            self.hang_up(now, (("Reason", 'SIP;cause=488;text="no answer in ACK"'),))
            return
        self._offer_in_2xx = False
        self.exchange.answer_received(body)
        self.core.emit(Acknowledged(self, body))

    def not_acknowledged(self, now: float) -> None:
        """§13.3.1.4: without an ACK the session is ended by BYE."""
        self._acceptance = None
        if self._bye_headers is None:
            self._bye_headers = ()
        self._end("timeout", "no ACK", now)
        self._send_bye(now)

    # -- their 2xx and our ACK -----------------------------------------------------------------------------

    def acknowledge(self, cseq: int, credentials: HeaderFields, now: float, answer: bytes = b"") -> None:
        """Send the ACK for a 2xx, with the answer when the 2xx carried an offer."""
        headers = (*credentials, ("Content-Type", SDP)) if answer else credentials
        draft = self.dialog.draft_with(cseq, "ACK", headers, answer)
        self.core.send_ack(draft, self, now, self.dialog)

    def await_answer(self, cseq: int, credentials: HeaderFields) -> None:
        """A 2xx carried an offer: its ACK waits for our answer."""
        self._ack_cseq, self._credentials = cseq, credentials

    def answer(self, body: bytes, now: float) -> None:
        """Acknowledge a 2xx that carried an offer. Raises LocalProtocolError when there was none."""
        self.exchange.answer_sent(body)
        self.acknowledge(self._ack_cseq, self._credentials, now, body)

    def give_up_answer(self, now: float) -> None:
        """No answer to the offer in a 2xx will come: acknowledge it without, and say BYE."""
        if self._awaits_answer:
            self.hang_up(now, (("Reason", 'SIP;cause=488;text="no answer to the offer"'),))

    @property
    def _awaits_answer(self) -> bool:
        """Whether a 2xx brought an offer that our ACK has still to answer."""
        return self.exchange.state is ExchangeState.REMOTE_OFFER and self._offered_by is None

    def ack_sent(self, cseq: int, flow: Flow, data: bytes) -> None:
        keep(self.acks, cseq, flow, data)

    # -- requests from the peer ----------------------------------------------------------------------------

    def request_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        try:
            self.dialog.receive(request)
            match request.method:
                case "BYE":
                    self._bye_received(request, transaction, now)
                case "INVITE":
                    self._reinvite_received(request, transaction, now)
                case _:
                    self.core.serve(request, transaction, now)
        except (ParseError, RemoteProtocolError) as error:
            self.core.respond(transaction, request.response(error.status), now)

    def _bye_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        self.core.respond(transaction, request.response(200), now)
        by = "local" if self.state is SessionState.CLOSING else "remote"
        self._end(by, request.headers.get("Reason") or "", now)

    def _reinvite_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        core = self.core
        if self.state is not SessionState.ESTABLISHED:
            core.respond(transaction, request.response(481), now)
            return
        if self.exchange.state is ExchangeState.LOCAL_OFFER:  # glare (§14.2), or our 2xx made an offer
            core.respond(transaction, request.response(491), now)
            return
        if self._offered_by is not None or self.exchange.offer is not None:
            seconds = int(core.identifiers.uniform(0, 11))
            core.respond(transaction, request.response(500, headers=[("Retry-After", seconds)]), now)
            return
        refused = refusal(request)
        if refused is not None:
            core.respond(transaction, request.response(refused[0], headers=refused[1]), now)
            return
        self.dialog.refresh_target(request)
        body = session_description(request)
        if body:
            self.exchange.offer_received(body)
        self._offered_by = (transaction, request)
        core.emit(OfferReceived(self, body))

    def accept_offer(self, body: bytes, now: float) -> None:
        """Answer a re-INVITE with 200; ``body`` is the answer, or the offer when theirs had none."""
        transaction, request = self._take_offer()
        if self.exchange.state is ExchangeState.REMOTE_OFFER:
            self.exchange.answer_sent(body)
        else:
            self.exchange.offer_sent(body)
            self._offer_in_2xx = True
        headers = self.core.announcement(transaction.flow, described=True)
        response = request.response(200, headers=headers, body=body)
        self.core.respond(transaction, response, now)
        self.accepted(request.cseq.number, transaction.flow, bytes(response), now)

    def refuse_offer(self, status: int, now: float) -> None:
        """Refuse a re-INVITE: the session stays as it is (§14.2)."""
        transaction, request = self._take_offer()
        if self.exchange.state is ExchangeState.REMOTE_OFFER:
            self.exchange.cancel()
        self.core.respond(transaction, request.response(status), now)

    def _take_offer(self) -> tuple[AnyServer, Request]:
        if self._offered_by is None:
            raise LocalProtocolError("no re-INVITE waits for an answer")
        offered_by, self._offered_by = self._offered_by, None
        return offered_by

    def cancel_received(self, transaction: AnyServer, now: float) -> None:
        """CANCEL of a re-INVITE: the session goes on (§9.2)."""
        if self._offered_by is not None and self._offered_by[0] is transaction:
            self.refuse_offer(487, now)

    # -- offers of ours ------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether an INVITE of either side is under way, so that ours has to wait."""
        return self._offered_by is not None or self._acceptance is not None or self.exchange.offer is not None

    def reoffer(self, body: bytes, now: float) -> None:
        """Send a re-INVITE with this offer. Raises LocalProtocolError when one is under way or the call is
        over.
        """
        if self.state is not SessionState.ESTABLISHED:
            raise LocalProtocolError("the call is over")
        if self._reinvite is not None and self._reinvite.unfinished:
            raise LocalProtocolError("a re-INVITE is under way")
        self._reinvite = Reinvite(self, body)
        self._reinvite.start(now)

    # -- the end -------------------------------------------------------------------------------------------

    def hang_up(self, now: float, headers: HeaderFields = ()) -> None:
        """End the session by BYE. A callee waits for the ACK first (§15). Does nothing when it is ending."""
        if self.state is not SessionState.ESTABLISHED:
            return
        self.state = SessionState.CLOSING
        self._bye_headers = headers
        if self._reinvite is not None:
            self._reinvite.abandon(now)
        if self._awaits_answer:  # a 2xx is acknowledged in any case (§13.2.2.4)
            self.exchange.cancel()
            self.acknowledge(self._ack_cseq, self._credentials, now)
        if self._offered_by is not None:
            self.refuse_offer(487, now)
        if self._acceptance is None:
            self._send_bye(now)

    def _send_bye(self, now: float) -> None:
        self.core.send(self.dialog.draft("BYE", self._bye_headers or ()), self, now, self.dialog)

    def response_received(self, response: Response, now: float) -> None:
        """The answer to our BYE. Whatever it says, the session is over (§15.1.1)."""
        if response.status >= 200:
            self._end("local", "", now)

    def request_failed(self, error: SipError, now: float) -> None:
        """Our BYE was lost: the session is over all the same (§15.1.1)."""
        self._end("local", "", now)

    def lost(self, error: SipError, now: float) -> None:
        """The peer does not know the dialog any more, or does not answer (§12.2.1.2): say BYE and end."""
        match error:
            case TransportError():
                by = "transport"
            case RemoteProtocolError():
                by = "remote"
            case _:
                by = "timeout"
        self._end(by, str(error), now)
        self._send_bye(now)

    def _end(self, by: str, reason: str, now: float) -> None:
        if self.state is SessionState.ENDED:
            return
        if self._offered_by is not None:
            self.refuse_offer(487, now)  # §15.1.2: pending requests get 487
        self.state = SessionState.ENDED
        if self._acceptance is not None:
            self._acceptance.acknowledged()
        if self._reinvite is not None:
            self._reinvite.abandon(now)
        self._acceptance = self._reinvite = None  # they refer to us in turn
        self.core.close_dialog(self.dialog)
        self.core.emit(Ended(self, by, reason))
