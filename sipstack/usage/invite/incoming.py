"""An INVITE that came in, until it is accepted, refused or cancelled (RFC 3261 §13.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sipstack.dialog.retries import RETRY_AFTER
from sipstack.dialog.services import CoreServices, Refusal
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import LocalProtocolError, SipError
from sipstack.message import Headers, Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.outcome import Outcome
from sipstack.transaction.invite_server import InviteServerTransaction
from sipstack.transaction.timers import NEVER
from sipstack.usage.content import session_description
from sipstack.usage.invite.events import Accepted, Ended, InvitationCancelled, ProgressConfirmed
from sipstack.usage.invite.extended_session import ExtendedSession
from sipstack.usage.invite.extension import NO_WISHES, CallExtension
from sipstack.usage.invite.extensions import Extensions
from sipstack.usage.invite.offers import carrier_of, give_response, take_request
from sipstack.usage.invite.origin import Origin
from sipstack.usage.invite.session import Session

PROVISIONAL_INTERVAL = 60.0
"""Proxies drop an INVITE after three minutes of silence; a 1xx every minute keeps it (§13.3.1.1)."""


class IncomingInvite(Origin):
    """Answers one INVITE, which has begun the dialog of ``usages``."""

    __slots__ = (
        "_accepted",
        "_expires_at",
        "_held",
        "_provisional",
        "_repeat_at",
        "_unanswered",
        "_unconfirmed",
        "answered",
        "core",
        "request",
        "scheduled",
        "tag",
        "transaction",
        "user",
    )

    def __init__(
        self,
        core: CoreServices,
        usages: DialogUsages,
        request: Request,
        transaction: InviteServerTransaction,
        now: float,
    ) -> None:
        self.user: Any = None
        self.application: dict[str, object] | None = None
        self.core = core
        self.request = request
        self.transaction = transaction
        self.tag = transaction.tag = usages.dialog.local_tag
        transaction.session_id = request.session_id
        self.answered = False  # a final response is sent
        self._accepted = False  # by its user; where the session is kept, the 200 waits for that
        self.scheduled = NEVER
        self._provisional: Response | None = None
        self._repeat_at = NEVER
        self._expires_at = NEVER
        self._unconfirmed = False  # a reliable response waits for its confirmation
        self._held: list[Callable[[float], Any]] | None = None
        """Responses that wait until the one before is confirmed, and what waits for our 2xx; mostly none."""
        if "Expires" in request.headers:  # a date, or no number: as if it were not there, it is only a wish
            expires = request.headers.readable("Expires")
            if expires is not None:
                self._expires_at = now + expires
                core.schedule(self)
        # announced with the first response that has the tag
        session = Session(core, usages, self, is_caller=False)
        # until it is answered: the session need not live as long as our entry among the deadlines
        self._unanswered: Session | None = session
        transaction.user = self  # until the final response, so that CANCEL finds us
        self.carrier = carrier_of(request)
        take_request(session.exchange, self.carrier, session_description(request))

    def __repr__(self) -> str:
        return f"<IncomingInvite {'answered' if self.answered else 'waiting'} {self.request.call_id}>"

    def extend(self, parts: tuple[CallExtension, ...]) -> Refusal | None:
        """Take the extensions that are registered; how one of them refuses the INVITE, if it does."""
        session = self._session
        session.extensions = extensions = Extensions(self.core, parts, ExtendedSession(session))
        return extensions.refusal(self.request)

    @property
    def _session(self) -> Session:
        """The early session. Raises LocalProtocolError once the invitation is answered."""
        if self._unanswered is None:
            raise LocalProtocolError("the invitation is answered or cancelled")
        return self._unanswered

    @property
    def deadline(self) -> float:
        return min(self._repeat_at, self._expires_at)

    @property
    def early_session(self) -> Session | None:
        """Its session until it is answered."""
        return self._unanswered

    def must_wait(self) -> bool:
        """Whether the next response waits until the one before is confirmed."""
        session = self._unanswered
        return session is not None and session.extensions is not None and session.extensions.must_wait()

    # -- answers -------------------------------------------------------------------------------------------

    def progress(
        self,
        status: int,
        now: float,
        headers: HeaderFields = (),
        body: bytes = b"",
        wishes: Mapping[str, Any] = NO_WISHES,
    ) -> None:
        """Send a 101-199. A body is a preview of the answer: the 2xx carries it again (RFC 6337 §3.1.1),
        unless an extension makes the response reliable. ``wishes``: what is asked of each, by its name.
        """
        session = self._session
        if not 100 < status < 200:
            raise LocalProtocolError(f"{status} is not a provisional response to send")
        if self.must_wait():
            self._hold(lambda later: self.progress(status, later, headers, body, wishes))
            return
        self._provisional = self._response(status, now, headers, body, wishes)
        self._unconfirmed = self.must_wait()
        if self._unconfirmed:  # for its own confirmation: it is reliable
            give_response(session.exchange, self.carrier, body)
        self.core.respond(self.transaction, self._provisional, now)
        self._repeat_at = now + PROVISIONAL_INTERVAL
        self.core.schedule(self)

    def accept(
        self, body: bytes, now: float, headers: HeaderFields = (), wishes: Mapping[str, Any] = NO_WISHES
    ) -> Session:
        """Send the 200. ``body`` is the answer, or the offer when the INVITE had none; it may be missing
        when a reliable provisional response has carried it. While that is not confirmed the 200 waits, and
        the session is an early one.
        """
        session = self._session
        if self.must_wait():
            self._hold(lambda later: self.accept(body, later, headers, wishes))
            return session
        give_response(session.exchange, self.carrier, body)
        session.application = self.application  # its Contact may be the session
        response = self._response(200, now, headers, body, wishes)
        bytes(response)
        self._accepted = True
        session.settle(partial(self._accept, response), now, accepting=True)
        return session

    def _accept(self, response: Response, outcome: Outcome, now: float) -> None:
        """The 200 goes out once the session is kept, where it is; a call that cannot be kept is refused."""
        session, transaction = self._unanswered, self.transaction
        if session is None:
            return  # cancelled meanwhile
        if outcome is not Outcome.DONE:
            self.refuse(503, now, headers=RETRY_AFTER)
            self.core.emit(Ended(session, "local", "the session could not be kept"))
            return
        held = self._held
        self._finish()
        session.establish()
        session.offer_in_2xx = session.exchange.offer is not None
        self.core.respond(transaction, response, now)
        session.await_ack(response.cseq.number, transaction.flow, bytes(response), now)
        if session.user is not None:  # it had to wait
            self.core.emit(Accepted(session))
        for then in held or ():
            then(now)

    def once_accepted(self, then: Callable[[float], Any]) -> None:
        self._hold(then)

    def hung_up(self, now: float) -> None:
        session = self._unanswered
        if session is not None and self._accepted:
            self.refuse(480, now)
            self.core.emit(Ended(session, "local", ""))

    def _call_off(self, status: int, now: float, event: InvitationCancelled) -> None:
        """Refuse it, and tell so; its user may have a call already."""
        session = self._unanswered if self._accepted else None
        self.refuse(status, now)
        self.core.emit(event)
        if session is not None:
            self.core.emit(Ended(session, event.by, event.reason))

    def refuse(self, status: int, now: float, reason: str | None = None, headers: HeaderFields = ()) -> None:
        """Send a 300-699."""
        session = self._session
        if not 300 <= status <= 699:
            raise LocalProtocolError(f"{status} does not refuse a call")
        response = self.request.response(status, reason, to_tag=self.tag, headers=headers)
        bytes(response)  # what cannot be written raises before anything has happened
        self._finish()
        session.discard(now)
        self.core.respond(self.transaction, response, now)

    # -- responses that wait -------------------------------------------------------------------------------

    def _hold(self, then: Callable[[float], Any]) -> None:
        self._held = [*(self._held or ()), then]

    def proceed(self, now: float) -> None:
        """What was held back goes out, as far as it may."""
        held, self._held = self._held, None
        for respond in held or ():
            respond(now)
        if self._unconfirmed and not self.answered and not self.must_wait():
            self._unconfirmed = False
            self.core.emit(ProgressConfirmed(self))

    def resend(self, now: float) -> None:
        if self._provisional is not None:
            self.core.respond(self.transaction, self._provisional, now)

    def _finish(self) -> None:
        self.answered = True
        self._provisional = self._held = self._unanswered = None
        self._repeat_at = self._expires_at = NEVER

    def _response(
        self,
        status: int,
        now: float,
        headers: HeaderFields,
        body: bytes,
        wishes: Mapping[str, Any] = NO_WISHES,
    ) -> Response:
        request, session = self.request, self._session
        flow, usages = self.transaction.flow, session.usages
        if session.extensions is not None:
            added = session.extensions.answering(request, status, now, described=bool(body), wishes=wishes)
            headers = (*added, *headers)
        if "Record-Route" in request.headers:
            headers = (*(("Record-Route", value) for value in request.headers.raw("Record-Route")), *headers)
        stable = now if status >= 200 else None
        fields = self.core.dialog_fields(flow, usages, session_description=bool(body), now=stable)
        if headers:
            fields = fields.joined(Headers(headers))
        return request.response(status, to_tag=self.tag, headers=fields, body=body)

    # -- what happens meanwhile ----------------------------------------------------------------------------

    def cancelled(self, reason: str, now: float, by: str = "remote") -> None:
        """CANCEL, or BYE in the early dialog: 487, unless it comes too late (§9.2)."""
        if not self.answered:
            self._call_off(487, now, InvitationCancelled(self, reason, by))

    def give_up(self, status: int, now: float, reason: str) -> None:
        if not self.answered:
            by = "timeout" if status == 504 else "local"
            self._call_off(status, now, InvitationCancelled(self, reason, by, status))

    def left(self, session: Session, reason: str, now: float) -> None:
        """BYE in the early dialog."""
        self.cancelled(reason, now)

    def faulted(self, error: SipError, now: float) -> None:
        if not self.answered:
            self._call_off(500, now, InvitationCancelled(self, str(error), "local", 500))

    def timeout(self, now: float) -> None:
        if now >= self._expires_at:
            self.cancelled("expired", now, "timeout")
        elif now >= self._repeat_at and self._provisional is not None:
            self.core.respond(self.transaction, self._provisional, now)
            self._repeat_at = now + PROVISIONAL_INTERVAL
            self.core.schedule(self)
