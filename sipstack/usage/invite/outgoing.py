"""An INVITE of ours, until the call is answered, refused or given up (RFC 3261 §13.2, §9.1).

It is routed first; then the user agent is told the flow and gives its offer, which names our address there.
One INVITE may reach several phones: each answers with a To tag of its own and opens a dialog of its own. The
first 2xx is the call; a later one from another fork is acknowledged and ended by BYE at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from sipstack.dialog.dialog import Dialog
from sipstack.dialog.draft import Draft
from sipstack.dialog.services import CoreServices, SentRequest
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import CallEnded, InternalError, ParseError, RemoteProtocolError, SipError
from sipstack.message import Headers, Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.sdp.exchange import ExchangeState
from sipstack.transaction.flow import Flow
from sipstack.usage.content import SDP, session_description
from sipstack.usage.invite.authorization import authorization_of
from sipstack.usage.invite.events import Answered, Failed, Progressed, Refused, Routed
from sipstack.usage.invite.extended_session import ExtendedSession
from sipstack.usage.invite.extension import CallExtension
from sipstack.usage.invite.extensions import Extensions
from sipstack.usage.invite.offers import Carrier, Taken, take_response
from sipstack.usage.invite.origin import Origin
from sipstack.usage.invite.reasons import CLEARED, ELSEWHERE, because, of_error
from sipstack.usage.invite.sent_acks import SentAcks, repeat_ack
from sipstack.usage.invite.session import Session

MAXIMUM_FORKS = 32
"""How many early dialogs one INVITE may open: the peer decides on the tags, so they are bounded."""


SDP_CONTENT = Headers([("Content-Type", SDP)])


class OutgoingInviteUsage(Origin):
    """Sends one INVITE outside of a dialog."""

    __slots__ = (
        "_acks",
        "_draft",
        "_early",
        "_extensions",
        "_flow",
        "_offer",
        "_previews",
        "_request",
        "_sent",
        "cancelled",
        "core",
        "finished",
        "user",
    )

    def __init__(self, core: CoreServices, draft: Draft) -> None:
        self.user: Any = None
        self.application: dict[str, object] | None = None
        self.core = core
        self.cancelled = False
        self.finished = False  # the user agent has heard the outcome
        self._draft = draft
        self.carrier: Carrier = (True, "INVITE", draft.cseq)
        self._offer = b""
        self._extensions: Extensions | None = None
        self._flow: Flow | None = None
        self._sent: SentRequest | None = None  # until the outcome: it refers to us in turn
        self._request: Request | None = None  # from then on
        self._early: dict[str, Session] = {}
        self._previews: dict[str, bytes] = {}  # by To tag, the first description in a provisional response
        self._acks: dict[str, SentAcks] = {}  # by To tag, longer than the sessions: a 2xx may come again

    def __repr__(self) -> str:
        return f"<OutgoingInviteUsage {'finished' if self.finished else 'calling'} {self._draft.call_id}>"

    @property
    def call_id(self) -> str:
        return self._draft.call_id

    @property
    def ends(self) -> tuple[str, str]:
        """From and To, as header values with their tags."""
        return self._draft.from_, self._draft.to

    @property
    def request(self) -> Request | None:
        """The INVITE as it last went out; None before that."""
        return self._sent.request if self._sent is not None else self._request

    @property
    def flow(self) -> Flow | None:
        """The flow of the INVITE."""
        return self._flow

    @property
    def withheld(self) -> bool:
        """Whether the identity keeps its credentials from whom it calls."""
        return self._draft.identity.withheld

    @property
    def heard(self) -> bool:
        """Whether a response has come, be it 100: the other side is there."""
        return self.finished or (self._sent is not None and self._sent.answered)

    @property
    def agreed(self) -> Sequence[Session]:
        """The early sessions in which offer and answer are exchanged."""
        return [session for session in self._early.values() if session.exchange.local is not None]

    # -- sending -------------------------------------------------------------------------------------------

    def extend(self, parts: tuple[CallExtension, ...]) -> None:
        """Take the extensions that are registered, before the start."""
        self._extensions = extensions = Extensions(self.core, parts)
        added = extensions.outgoing("INVITE")
        if added:
            self._draft.headers = self._draft.headers.joined(Headers(added))  # nobody else has the draft yet

    def start(self, now: float) -> None:
        """Find the flow: ``Routed`` tells it, and ``offer`` sends the INVITE."""
        sent = self.core.route(self._draft, self, now)
        if not self.finished:
            self._sent = sent

    def routed(self, flow: Flow, now: float) -> None:
        """The INVITE has its flow: the user agent is asked for its offer."""
        self._flow = flow
        self.core.emit(Routed(self, flow))

    def offer(self, body: bytes, now: float, headers: HeaderFields = ()) -> None:
        """Send the INVITE with this offer; without one the callee makes it (late offer). ``headers``: further
        fields, such as a signature.
        """
        if self._sent is None or self.cancelled:
            return
        self._offer = body
        draft = self._draft
        if body:  # nobody else has the draft yet
            draft.headers, draft.body = draft.headers.joined(SDP_CONTENT), body
        if headers:
            draft.headers = draft.headers.joined(Headers(headers))
        self._sent.proceed(draft, now)

    def offer_another(self, body: bytes, now: float, headers: HeaderFields = ()) -> None:
        """After ``Refused``: send the INVITE again with this offer, in place of the one that was refused, and
        the next CSeq (§8.1.3.5). ``headers`` stand in place of those of the same names. Does nothing once it
        is given up.
        """
        if self.cancelled or not self.finished or self.request is None:
            return
        self.finished = False
        self._offer = body
        fields = self._draft.headers.replaced(Headers(headers)) if headers else self._draft.headers
        self._draft = attrs.evolve(self._draft, cseq=self.request.cseq.number + 1, headers=fields, body=body)
        sent = self.core.send(self._draft, self, now)
        if not self.finished:
            self._sent = sent

    def redirect(self, target: str, now: float) -> None:
        """After ``Refused`` or ``Failed``: send the INVITE to ``target``, a URI, in the same call, with the
        same offer and the next CSeq (§8.1.3.4). Does nothing once it is given up.
        """
        if self.cancelled or not self.finished:
            return
        self.finished = False
        last = self._draft.cseq if self.request is None else self.request.cseq.number
        self._draft = attrs.evolve(self._draft, uri=target, cseq=last + 1)
        sent = self.core.send(self._draft, self, now)
        if not self.finished:
            self._sent = sent

    # -- giving up -----------------------------------------------------------------------------------------

    def cancel(self, now: float, headers: Headers = CLEARED) -> None:
        """Give the call up; ``headers`` go into the CANCEL. The outcome comes as an event: mostly Refused
        with 487.
        """
        if self.cancelled:
            return
        self.cancelled = True
        if self.finished:
            return
        if self._sent is not None:
            self._sent.cancel(now, headers)
        if self.request is None:
            self._finish(Failed(self, CallEnded("local", "cancelled")), now)

    def supplanted(self, now: float) -> None:
        self.cancel(now)

    # -- responses -----------------------------------------------------------------------------------------

    def response_received(self, response: Response, now: float) -> None:
        status = response.status
        if status < 200:
            self._progressed(response, now)
        elif status < 300:
            self._accepted(response, now)
        elif self._extensions is None or not self._retried(response, self._extensions, now):
            self._finish(Refused(self, response), now)

    def request_failed(self, error: SipError, now: float) -> None:
        if isinstance(error, InternalError):
            self.faulted(error, now)
        else:
            self._finish(Failed(self, error), now)

    def faulted(self, error: SipError, now: float) -> None:
        self.cancel(now, of_error(error))  # a 2xx that still comes is acknowledged and ended
        self._finish(Failed(self, error), now)

    def _retried(self, response: Response, extensions: Extensions, now: float) -> bool:
        """Whether an extension has the INVITE sent again, with the next CSeq."""
        retry = extensions.answered(response, now)
        if retry is None or self.cancelled or self.finished or self.request is None:
            return False
        headers = self._draft.headers.replaced(Headers(retry.headers))
        self._draft = attrs.evolve(self._draft, cseq=self.request.cseq.number + 1, headers=headers)
        self._discard_early(now)
        sent = self.core.send(self._draft, self, now)
        if not self.finished:
            self._sent = sent
        return True

    def _progressed(self, response: Response, now: float) -> None:
        if response.status == 100 or self.finished:
            return
        tag = response.to.tag
        if tag:
            session = self._early.get(tag)
            if session is None and len(self._early) < MAXIMUM_FORKS:
                session = self._open_early(tag, response)
            extensions = session.extensions if session is not None else None
            if extensions is not None and not extensions.progressed(response, now):
                return
            if response.body and session is not None and tag not in self._previews:
                self._previews[tag] = session_description(response)
        self.core.emit(Progressed(self, response))

    def _open_early(self, tag: str, response: Response) -> Session | None:
        try:
            dialog = self._dialog(response)
        except (RemoteProtocolError, ParseError):
            return None  # the provisional is still news for the user; its dialog cannot be used
        session = self._early[tag] = self._session(dialog)
        return session

    def _dialog(self, response: Response) -> Dialog:
        assert self.request is not None
        secure = self._flow is not None and self._flow.secure
        return Dialog.as_client(self.request, response, secure=secure)

    def _session(self, dialog: Dialog) -> Session:
        """The session of one fork: its offer is the INVITE's, and so is its way while the next hop is."""
        usages = DialogUsages(self.core, dialog, self._draft.identity)
        if self._sent is not None:
            self._flow = self._sent.flow
        usages.hop, usages.flow = self._draft.next_hop, self._flow
        session = Session(self.core, usages, self, is_caller=True)
        if self._offer:
            session.exchange.offer_sent(self._offer, self.carrier)
        if self._extensions is not None:
            session.extensions = self._extensions.fork(ExtendedSession(session))
        return session

    def _accepted(self, response: Response, now: float) -> None:
        tag = response.to.tag or ""
        known = self._acks.get(tag)
        if known is not None:
            repeat_ack(known, response.cseq.number, self.core)
            return
        if len(self._acks) >= MAXIMUM_FORKS:
            return
        session = self._establish(tag, response, now)
        self._acks[tag] = session.acks
        try:
            self._answered(session, response, now)
        except Exception as error:
            fault = self.core.fault(error)
            self._finish(Failed(self, fault), now)
            if response.cseq.number not in session.acks:
                session.acknowledge(response.cseq.number, authorization_of(self.request), now)
            session.lost(fault, now)

    def _answered(self, session: Session, response: Response, now: float) -> None:
        if self.cancelled or self.finished:  # 200 and CANCEL crossed, or another fork was faster (§13.2.2.4)
            session.acknowledge(response.cseq.number, authorization_of(self.request), now)
            session.hang_up(now, CLEARED if self.cancelled else ELSEWHERE)
            self._finish(Failed(self, CallEnded("local", "cancelled")), now)
            return
        if session.extensions is not None:
            session.extensions.answered(response, now)
        self._agree(session, response, now)

    def _establish(self, tag: str, response: Response, now: float) -> Session:
        session = self._early.get(tag)
        try:
            if session is None:
                session = self._session(self._dialog(response))
            else:
                session.dialog.confirm(response)
        except (RemoteProtocolError, ParseError) as error:
            # no usable Contact: ACK and BYE go where the INVITE went, which is the best that can be known
            headers = response.headers.without("Contact", "Record-Route")
            dialog = self._dialog(response.replace(status=183, headers=headers))
            if session is None:
                session = self._session(dialog)
            else:
                session.usages.dialog = dialog
            self._early.pop(tag, None)
            self._finish(Failed(self, RemoteProtocolError(str(error), error.status)), now)
        session.application = self.application
        session.establish()
        self._early.pop(tag, None)
        return session

    def _agree(self, session: Session, response: Response, now: float) -> None:
        """Follow the offer/answer of the INVITE: answer in the 2xx, or offer in the 2xx and answer in the
        ACK; a reliable provisional response may have settled it before.
        """
        body = session_description(response)
        if not body and self._offer:  # "the first session description it receives" is the answer (§13.2.1)
            body = self._previews.get(response.to.tag or "", b"")
        cseq, credentials = response.cseq.number, authorization_of(self.request)
        taken = take_response(session.exchange, self.carrier, body)
        if taken is Taken.OFFER:
            session.await_answer(cseq, credentials)
        else:
            session.acknowledge(cseq, credentials, now)
        if not session.is_established:  # the ACK found no way of its own
            self._finish(Failed(self, session.failure), now)
        elif session.exchange.local is None and session.exchange.state is not ExchangeState.REMOTE_OFFER:
            session.hang_up(now, because(488, "no session description"))
            error = RemoteProtocolError("the 2xx carries no session description", 488)
            self._finish(Failed(self, error), now)
        else:
            self._extensions = None  # another fork's 2xx only gets ACK and BYE, for half a minute
            self._finish(Answered(self, session, response), now)

    def _finish(self, event: Answered | Refused | Failed, now: float) -> None:
        """Tell the outcome, once; early dialogs that did not become the call are over (§13.2.2.3,
        §13.2.2.4).
        """
        self._discard_early(now)
        if not self.finished:
            self.finished = True
            self._request, self._sent = self.request, None
            self.core.emit(event)

    def _discard_early(self, now: float) -> None:
        for session in self._early.values():
            session.discard(now)
        self._early.clear()
        self._previews.clear()

    def left(self, session: Session, reason: str, now: float) -> None:
        """A callee said BYE in its early dialog. It has accepted the call, every 2xx was lost, and it waits
        no longer for our ACK (§13.3.1.4). When no other fork is left, the call has come to nothing.
        """
        del self._early[session.dialog.remote_tag]
        session.discard(now)
        if not self._early:
            self.cancel(now)  # a 2xx that still comes is acknowledged and ended
            self._finish(Failed(self, CallEnded("remote", reason)), now)
