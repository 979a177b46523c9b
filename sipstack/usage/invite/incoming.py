"""An INVITE that came in, until it is accepted, refused or cancelled (RFC 3261 §13.3)."""

from __future__ import annotations

from typing import Any

from sipstack.dialog.dialog import Dialog
from sipstack.dialog.usage import CoreServices
from sipstack.errors import LocalProtocolError, RemoteProtocolError
from sipstack.message import Headers, Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.sdp.exchange import Exchange, ExchangeState
from sipstack.transaction.invite_server import InviteServerTransaction
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.timers import NEVER
from sipstack.usage.content import session_description
from sipstack.usage.invite.events import InvitationCancelled
from sipstack.usage.invite.session import Session

PROVISIONAL_INTERVAL = 60.0
"""Proxies drop an INVITE after three minutes of silence; a 1xx every minute keeps it (§13.3.1.1)."""


class IncomingInvite:
    """Answers one INVITE outside of a dialog. Raises ParseError or RemoteProtocolError when none can
    begin.
    """

    __slots__ = (
        "_dialog",
        "_exchange",
        "_expires_at",
        "_provisional",
        "_repeat_at",
        "answered",
        "core",
        "request",
        "scheduled",
        "tag",
        "transaction",
        "user",
    )

    def __init__(
        self, core: CoreServices, request: Request, transaction: InviteServerTransaction, now: float
    ) -> None:
        self.user: Any = None
        self.core = core
        self.request = request
        self.transaction = transaction
        self.tag = transaction.tag = core.identifiers.tag()
        self._dialog = Dialog.as_server(
            request, self.tag
        )  # announced with the first response that has the tag
        self.answered = False  # a final response is sent
        self.scheduled = NEVER
        self._exchange: Exchange[bytes] = Exchange()
        self._provisional: Response | None = None
        self._repeat_at = NEVER
        self._expires_at = NEVER
        if "Expires" in request.headers and request.expires is not None:
            self._expires_at = now + request.expires
            core.schedule(self)
        offer = session_description(request)
        if offer:
            self._exchange.offer_received(offer)

    def __repr__(self) -> str:
        return f"<IncomingInvite {'answered' if self.answered else 'waiting'} {self.request.call_id}>"

    @property
    def deadline(self) -> float:
        return min(self._repeat_at, self._expires_at)

    # -- answers -------------------------------------------------------------------------------------------

    def progress(self, status: int, now: float, headers: HeaderFields = (), body: bytes = b"") -> None:
        """Send a 101-199. A body is a preview of the answer: the 2xx carries it again (RFC 6337 §3.1.1)."""
        self._check_unanswered()
        if not 100 < status < 200:
            raise LocalProtocolError(f"{status} is not a provisional response to send")
        if self._provisional is None:
            self.core.open_dialog(self._dialog, self)
        self._provisional = self._response(status, headers, body)
        self.core.respond(self.transaction, self._provisional, now)
        self._repeat_at = now + PROVISIONAL_INTERVAL
        self.core.schedule(self)

    def accept(self, body: bytes, now: float, headers: HeaderFields = ()) -> Session:
        """Send the 200. ``body`` is the answer, or the offer when the INVITE had none."""
        self._check_unanswered()
        exchange = self._exchange
        if exchange.state is ExchangeState.REMOTE_OFFER:
            exchange.answer_sent(body)
        else:
            exchange.offer_sent(body)
        self._dialog.early = False
        response = self._response(200, headers, body)
        self._finish()
        self.core.respond(self.transaction, response, now)
        session = Session(self.core, self._dialog, exchange, is_caller=False)
        session.accepted(self.request.cseq.number, self.transaction.flow, bytes(response), now)
        return session

    def refuse(self, status: int, now: float, reason: str | None = None, headers: HeaderFields = ()) -> None:
        """Send a 300-699."""
        self._check_unanswered()
        if not 300 <= status <= 699:
            raise LocalProtocolError(f"{status} does not refuse a call")
        response = self.request.response(status, reason, to_tag=self.tag, headers=headers)
        self._finish()
        self.core.close_dialog(self._dialog)
        self.core.respond(self.transaction, response, now)

    def _check_unanswered(self) -> None:
        if self.answered:
            raise LocalProtocolError("the invitation is answered or cancelled")

    def _finish(self) -> None:
        self.answered = True
        self._provisional = None
        self._repeat_at = self._expires_at = NEVER

    def _response(self, status: int, headers: HeaderFields, body: bytes) -> Response:
        request = self.request
        announcement = self.core.announcement(self.transaction.flow, described=bool(body))
        if "Record-Route" in request.headers:
            headers = (*(("Record-Route", value) for value in request.headers.raw("Record-Route")), *headers)
        if headers:
            announcement = announcement.joined(Headers(headers))
        return request.response(status, to_tag=self.tag, headers=announcement, body=body)

    # -- what happens meanwhile ----------------------------------------------------------------------------

    def cancelled(self, reason: str, now: float) -> None:
        """CANCEL, or BYE in the early dialog: 487, unless it comes too late (§9.2)."""
        if self.answered:
            return
        self.refuse(487, now)
        self.core.emit(InvitationCancelled(self, reason))

    def request_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        """A request in the early dialog."""
        core = self.core
        try:
            self._dialog.receive(request)
        except RemoteProtocolError as error:
            core.respond(transaction, request.response(error.status), now)
            return
        match request.method:
            case "BYE":
                core.respond(transaction, request.response(200), now)
                self.cancelled(request.headers.get("Reason") or "", now)
            case "INVITE":  # a second one before the first is answered (§14.2)
                later = ("Retry-After", int(core.identifiers.uniform(0, 11)))
                core.respond(transaction, request.response(500, headers=[later]), now)
            case _:
                core.serve(request, transaction, now)

    def ack_received(self, request: Request, now: float) -> None:
        """No 2xx is out that could be acknowledged."""

    def timeout(self, now: float) -> None:
        if now >= self._expires_at:
            self.cancelled("expired", now)
        elif now >= self._repeat_at and self._provisional is not None:
            self.core.respond(self.transaction, self._provisional, now)
            self._repeat_at = now + PROVISIONAL_INTERVAL
            self.core.schedule(self)
