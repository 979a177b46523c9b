"""An INVITE of ours, until the call is answered, refused or given up (RFC 3261 §13.2, §9.1).

One INVITE may reach several phones: each answers with a To tag of its own and opens a dialog of its own. The
first 2xx is the call; a later one from another fork is acknowledged and ended by BYE at once.
"""

from __future__ import annotations

from typing import Any

from sipstack.dialog.dialog import Dialog
from sipstack.dialog.draft import Draft
from sipstack.dialog.usage import CoreServices, Sent
from sipstack.errors import CallEnded, ParseError, RemoteProtocolError, SipError
from sipstack.message import Request, Response
from sipstack.sdp.exchange import Exchange
from sipstack.transaction.layer import AnyServer
from sipstack.usage.content import session_description
from sipstack.usage.invite.acks import Acks, repeat
from sipstack.usage.invite.credentials import credentials_of
from sipstack.usage.invite.events import Answered, Failed, Progressed, Refused
from sipstack.usage.invite.session import Session

MAXIMUM_FORKS = 32
"""How many early dialogs one INVITE may open: the peer decides on the tags, so they are bounded."""


class OutgoingInvite:
    """Sends one INVITE outside of a dialog."""

    __slots__ = (
        "_acks",
        "_draft",
        "_early",
        "_offer",
        "_request",
        "_sent",
        "cancelled",
        "finished",
        "core",
        "user",
    )

    def __init__(self, core: CoreServices, draft: Draft, offer: bytes) -> None:
        self.user: Any = None
        self.core = core
        self.cancelled = False
        self.finished = False  # the user agent has heard the outcome
        self._draft = draft
        self._offer = offer
        self._sent: Sent | None = None  # until the outcome: it refers to us in turn
        self._request: Request | None = None  # from then on
        self._early: dict[str, Dialog] = {}
        self._acks: dict[str, Acks] = {}  # by To tag, longer than the sessions: a 2xx may come again

    def __repr__(self) -> str:
        return f"<OutgoingInvite {'finished' if self.finished else 'calling'} {self._draft.call_id}>"

    @property
    def call_id(self) -> str:
        return self._draft.call_id

    @property
    def request(self) -> Request | None:
        """The INVITE as it last went out; None while it is being routed."""
        return self._sent.request if self._sent is not None else self._request

    def start(self, now: float) -> None:
        """Route and send the INVITE."""
        sent = self.core.send(self._draft, self, now)
        if not self.finished:
            self._sent = sent

    # -- giving up -----------------------------------------------------------------------------------------

    def cancel(self, now: float) -> None:
        """Give the call up. The outcome comes as an event: mostly Refused with 487."""
        if self.cancelled or self.finished:
            return
        self.cancelled = True
        if self._sent is not None:
            self.core.cancel(self._sent, now)
        if self.request is None:
            self._finish(Failed(self, CallEnded("local", "cancelled")))

    # -- responses -----------------------------------------------------------------------------------------

    def response_received(self, response: Response, now: float) -> None:
        status = response.status
        if status < 200:
            self._progressed(response, now)
        elif status < 300:
            self._accepted(response, now)
        else:
            self._finish(Refused(self, response))

    def request_failed(self, error: SipError, now: float) -> None:
        self._finish(Failed(self, error))

    def _progressed(self, response: Response, now: float) -> None:
        if response.status == 100 or self.finished:
            return
        tag = response.to.tag
        if tag and tag not in self._early and len(self._early) < MAXIMUM_FORKS:
            self._open_early(tag, response)
        self.core.emit(Progressed(self, response))

    def _open_early(self, tag: str, response: Response) -> None:
        assert self.request is not None
        try:
            dialog = Dialog.as_client(self.request, response)
        except (RemoteProtocolError, ParseError):
            return  # the provisional is still news for the user; its dialog cannot be used
        self._early[tag] = dialog
        self.core.open_dialog(dialog, self)

    def _accepted(self, response: Response, now: float) -> None:
        tag = response.to.tag or ""
        known = self._acks.get(tag)
        if known is not None:
            repeat(known, response.cseq.number, self.core)
            return
        if len(self._acks) >= MAXIMUM_FORKS:
            return
        session = self._establish(tag, response)
        self._acks[tag] = session.acks
        if self.cancelled or self.finished:  # 200 and CANCEL crossed, or another fork was faster (§13.2.2.4)
            session.acknowledge(response.cseq.number, credentials_of(self.request), now)
            session.hang_up(now)
            self._finish(Failed(self, CallEnded("local", "cancelled")))
            return
        self._agree(session, response, now)

    def _establish(self, tag: str, response: Response) -> Session:
        assert self.request is not None
        dialog = self._early.pop(tag, None)
        try:
            if dialog is None:
                dialog = Dialog.as_client(self.request, response)
            else:
                dialog.confirm(response)
        except (RemoteProtocolError, ParseError) as error:
            # no usable Contact: ACK and BYE go where the INVITE went, which is the best that can be known
            headers = response.headers.without("Contact", "Record-Route")
            dialog = Dialog.as_client(self.request, response.replace(status=183, headers=headers))
            dialog.early = False
            self._finish(Failed(self, RemoteProtocolError(str(error), error.status)))
        return Session(self.core, dialog, Exchange(), is_caller=True)

    def _agree(self, session: Session, response: Response, now: float) -> None:
        """Follow the offer/answer of the INVITE: answer in the 2xx, or offer in the 2xx and answer in the
        ACK.
        """
        body = session_description(response)
        cseq, credentials = response.cseq.number, credentials_of(self.request)
        if self._offer:
            session.exchange.offer_sent(self._offer)
            session.acknowledge(cseq, credentials, now)
        else:
            session.await_answer(cseq, credentials)
        if not body:
            self._reject_answer(session, cseq, now)
            return
        if self._offer:
            session.exchange.answer_received(body)
        else:
            session.exchange.offer_received(body)
        self._finish(Answered(self, session, response))

    def _reject_answer(self, session: Session, cseq: int, now: float) -> None:
        if not self._offer:
            session.acknowledge(cseq, credentials_of(self.request), now)
        session.hang_up(now, (("Reason", 'SIP;cause=488;text="no session description"'),))
        self._finish(Failed(self, RemoteProtocolError("the 2xx carries no session description", 488)))

    def _finish(self, event: Answered | Refused | Failed) -> None:
        """Tell the outcome, once; early dialogs that did not become the call are over (§13.2.2.3,
        §13.2.2.4).
        """
        for dialog in self._early.values():
            self.core.close_dialog(dialog)
        self._early.clear()
        if not self.finished:
            self.finished = True
            self._request, self._sent = self.request, None
            self.core.emit(event)

    # -- requests in an early dialog -----------------------------------------------------------------------

    def request_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        dialog = self._early.get(request.from_.tag or "")
        try:
            if dialog is None:
                raise RemoteProtocolError("request for an early dialog that is gone", 481)
            dialog.receive(request)
            if request.method == "INVITE":
                raise RemoteProtocolError("an INVITE while ours is in progress (§14.2)", 491)
        except RemoteProtocolError as error:
            self.core.respond(transaction, request.response(error.status), now)
            return
        if request.method == "BYE":
            self.core.respond(transaction, request.response(200), now)
            self._left(dialog, request.headers.get("Reason") or "", now)
        else:
            self.core.serve(request, transaction, now)

    def _left(self, dialog: Dialog, reason: str, now: float) -> None:
        """A callee said BYE. It has accepted the call, every 2xx was lost, and it waits no longer for our ACK
        (§13.3.1.4). When no other fork is left, the call has come to nothing.
        """
        del self._early[dialog.remote_tag]
        self.core.close_dialog(dialog)
        if not self._early:
            self.cancel(now)  # a 2xx that still comes is acknowledged and ended
            self._finish(Failed(self, CallEnded("remote", reason)))

    def ack_received(self, request: Request, now: float) -> None:
        """The callee sends no ACK in the dialog of our INVITE."""
