"""A call that is placed to us, until it is answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from sipstack import sdp
from sipstack.core.events import (
    InvitationCancelled,
    OfferAnswered,
    OfferDue,
    OfferReceived,
    OfferRefused,
    ProgressConfirmed,
)
from sipstack.core.uas import RETRY_AFTER
from sipstack.errors import (
    CallEnded,
    LocalProtocolError,
    NegotiationError,
    ParseError,
    RemoteProtocolError,
    SipError,
    TransportError,
)
from sipstack.log import CALL
from sipstack.media.dtmf import KEPT
from sipstack.media.port import MediaPort
from sipstack.message import Reason, Request
from sipstack.message.grammar import split_commas
from sipstack.message.headers import HeaderFields
from sipstack.sdp import Direction, SessionDescription
from sipstack.ua.arguments import IN_ACCEPTANCES, IN_RESPONSES, HeadersArgument, header_fields
from sipstack.ua.call import Call, hanging_up
from sipstack.ua.call_data import MEDIA, CallData, no_change
from sipstack.ua.client import UserAgentClient
from sipstack.ua.incoming import Incoming
from sipstack.ua.offers_received import answer_offer
from sipstack.ua.outgoing import OutgoingInvite
from sipstack.ua.policy import Redirect
from sipstack.ua.replacing import replaced_call
from sipstack.ua.result import Result
from sipstack.ua.runtime import MediaFactory, Runtime
from sipstack.ua.updating import EarlyEvent, Updating, allows_update, not_agreed, not_allowed
from sipstack.usage.content import session_description
from sipstack.usage.invite.expiry import NAME as EXPIRY
from sipstack.usage.invite.expiry import Expiry
from sipstack.usage.invite.extension import NO_WISHES
from sipstack.usage.invite.incoming import IncomingInvite
from sipstack.usage.invite.reliable import TAG
from sipstack.usage.invite.session import Session
from sipstack.usage.invite.session_timer import TAG as TIMER
from sipstack.usage.invite.session_timer import SessionTimer


class Invitation(Incoming, Updating):
    """An INVITE received and not yet answered. Accept, reject or redirect it; ``progress`` tells how it goes.

    When the caller gives up, the task that handles the invitation is cancelled, and ``cancelled`` is true;
    ``cancel_reason`` says why, and ``answered_elsewhere`` whether it is a missed call at all.

    Its audio is early media: there is some after ``progress(early_media=True)``, and it goes on in the call.
    """

    def __init__(
        self, agent: UserAgentClient, runtime: Runtime, usage: IncomingInvite, request: Request
    ) -> None:
        super().__init__(agent, runtime, request)
        self._usage: IncomingInvite = usage
        self._confirmed: Result[None] | None = None  # the handler waits for it
        self._one_at_a_time = asyncio.Lock()
        self._description: SessionDescription | None = None
        self._cancelled = False
        self._cancel_reason = ""
        self._pressed: deque[tuple[str, float, float]] = deque(maxlen=KEPT)

    @property
    def offer(self) -> SessionDescription | None:
        """The session description that the caller offers; None when the offer is ours to make.

        Raises ParseError.
        """
        body = session_description(self.request)
        return sdp.parse(body) if body else None

    @property
    def replaces(self) -> Call | OutgoingInvite | None:
        """The call of ours that this one is to take the place of (RFC 3891): accepting ends it. It may be one
        that we are placing, and that nobody has answered yet. None for a call of its own.
        """
        return replaced_call(self._runtime, self.request)

    @property
    def data(self) -> CallData:
        """Values of your own, which are kept with the call from its answer on: see ``Call.data``."""
        if self._usage.application is None:
            self._usage.application = {}
        return CallData(self._usage.application, no_change)

    @property
    def answered(self) -> bool:
        """Whether a final response is sent."""
        return self._usage.answered

    @property
    def cancelled(self) -> bool:
        """Whether the caller has given up."""
        return self._cancelled

    @property
    def cancel_reason(self) -> str:
        """The Reason field of the CANCEL (RFC 3326): ``SIP;cause=200;text="Call completed elsewhere"``."""
        return self._cancel_reason

    @property
    def answered_elsewhere(self) -> bool:
        """Whether the caller gave up because another phone took the call: then nobody has missed it."""
        try:
            reasons = [Reason.parse(text) for text in split_commas(self._cancel_reason) if text]
            return any(each.protocol.upper() == "SIP" and each.cause == 200 for each in reasons)
        except ParseError:
            return False

    async def progress(
        self,
        status: int = 180,
        *,
        early_media: bool = False,
        reliable: bool | None = None,
        headers: HeadersArgument = (),
    ) -> None:
        """Send a provisional response, 101 to 199. With ``early_media`` it carries our session description,
        and audio flows before the call is accepted: play it on ``audio``.

        ``reliable``: it is repeated until the caller confirms it (RFC 3262), if the caller supports that; so
        is by itself what carries a description, and everything where the caller demands it. Raises
        LocalProtocolError once it is answered.
        """
        fields = header_fields(headers, IN_ACCEPTANCES)
        body = b""
        if early_media:
            media, description = await self._begin_media(None)
            body = bytes(description)
            if self._usage.transaction.flow.reliable:  # the caller is where its requests come from
                media.confirmed()
        wishes = NO_WISHES if reliable is None else {TAG: reliable}
        self._runtime.command(self._usage.progress, status, self._runtime.now(), fields, body, wishes)

    async def reject(
        self, status: int = 486, reason: str | None = None, *, headers: HeadersArgument = ()
    ) -> None:
        """Refuse with a final response, 300 to 699. Raises LocalProtocolError once it is answered."""
        fields = header_fields(headers, IN_RESPONSES)
        self._runtime.refuse(self._usage, status, reason, fields)
        CALL.info("%s: refused by us with %s", self.call_id, status)
        await self._close()

    async def redirect(self, *targets: str, status: int = 302) -> None:
        """Tell the caller to try other URIs, best first."""
        redirection = Redirect(*targets, status=status)
        await self.reject(redirection.status, headers=redirection.headers)

    def accept(
        self,
        *,
        media: MediaFactory | None = None,
        headers: HeadersArgument = (),
        session_timer: SessionTimer | None = None,
        expiry: Expiry | None = None,
    ) -> AbstractAsyncContextManager[Call]:
        """Answer 200 and own the call: leaving the ``async with`` block hangs up.

        ``session_timer``: the one of this call, in place of the user agent's, where the caller takes part.
        ``expiry``: when this call ends by itself, in place of the user agent's.
        Raises NegotiationError (and refuses with 488) when the offer has nothing that we can take, and
        CallEnded when the offer was ours to make and the call ends before its answer comes, or where calls
        are kept (``UserAgent(sessions=...)``) and this one cannot be.
        """
        wishes = NO_WISHES if session_timer is None else {TIMER: session_timer}
        if expiry is not None:
            wishes = {**wishes, EXPIRY: expiry}
        return self._accepting(media, header_fields(headers, IN_ACCEPTANCES), wishes)

    @contextlib.asynccontextmanager
    async def _accepting(
        self, media: MediaFactory | None, headers: HeaderFields, wishes: Mapping[str, Any]
    ) -> AsyncIterator[Call]:
        async with hanging_up(await self._establish(media, headers, wishes)) as call:
            yield call

    async def _establish(
        self, factory: MediaFactory | None, headers: HeaderFields, wishes: Mapping[str, Any]
    ) -> Call:
        runtime = self._runtime
        media, description = await self._begin_media(factory)
        try:
            await self._until_confirmed()
            while self._update is not None:  # an offer of ours waits for its answer
                await self._update.settled()
            body = b"" if self._agreed else bytes(description)
            if runtime.core.keeper is not None:
                self._usage.application = {**(self._usage.application or {}), MEDIA: True}
            if EXPIRY in wishes and (early := self._usage.early_session) is not None:
                runtime.core.expire(early, wishes[EXPIRY])
            session = runtime.command(self._usage.accept, body, runtime.now(), headers, wishes)
            if not session.is_alive:
                raise CallEnded("local", "the call could not be established")
        except BaseException:
            await self._close()
            raise
        CALL.info("%s: answered by us", self.call_id)
        self._media = None
        call = Call(runtime, session, media)
        self._pass_on(call)
        try:
            await call._until_accepted()
        except BaseException:
            call._hang_up_nowait()
            raise
        if session.exchange.offer is not None:  # ours went out in the 200: the answer comes in the ACK
            try:
                await call._take_answer(await call._acknowledged())
            except (NegotiationError, ParseError, RemoteProtocolError) as error:
                CALL.info("%s: the answer cannot be taken: %s", self.call_id, error)
                await call.hang_up("SIP;cause=488")
                raise NegotiationError(str(error)) from error
            except BaseException:
                call._hang_up_nowait()
                raise
        return call

    @property
    def _agreed(self) -> bool:
        """Whether offer and answer are exchanged, in reliable responses and what confirmed them."""
        early = self._usage.early_session
        return early is not None and early.exchange.local is not None

    async def _until_confirmed(self) -> None:
        """Wait until the caller has confirmed our last response, if that is reliable."""
        if self._usage.must_wait():
            if self._confirmed is None or self._confirmed.done:
                self._confirmed = Result()
            await self._confirmed

    async def _offer_early(self, direction: Direction) -> None:
        await self._until_confirmed()
        await super()._offer_early(direction)

    def _early(self) -> Session:
        session = self._usage.early_session
        if session is None:
            raise LocalProtocolError("the invitation is answered or over: hold its call")
        if session.exchange.local is None:
            raise not_agreed()
        if not allows_update(self.request.headers):
            raise not_allowed()
        return session

    async def _begin_media(self, factory: MediaFactory | None) -> tuple[MediaPort, SessionDescription]:
        """The media and our description, made once for early media and the final answer."""
        if self._media is not None and self._description is not None:
            return self._media, self._description
        media = self._runtime.new_media(factory, self._usage.transaction.flow)
        try:
            offer = self.offer
            description = await (media.offer() if offer is None else media.answer(offer))
        except (NegotiationError, ParseError, RemoteProtocolError) as error:
            CALL.info("%s: the offer cannot be taken: %s", self.call_id, error)
            await media.close()
            await self.reject(488)
            raise NegotiationError(str(error)) from error
        except TransportError as error:  # no port, or no descriptor: that passes (§21.5.4)
            CALL.warning("%s: refused with 503, no media: %s", self.call_id, error)
            self._told = True
            await media.close()
            await self.reject(503, headers=RETRY_AFTER)
            raise
        except BaseException:
            await media.close()
            raise
        self._media, self._description = media, description
        while self._pressed:
            self._informed(*self._pressed.popleft())
        return media, description

    def _informed(self, key: str, began: float, duration: float) -> None:
        """Keys that are pressed while it rings wait for the media."""
        if self._media is None:
            self._pressed.append((key, began, duration))
        else:
            super()._informed(key, began, duration)

    # -- the runtime's side --------------------------------------------------------------------------------

    def _on_event(self, event: InvitationCancelled | ProgressConfirmed | OfferReceived | EarlyEvent) -> None:
        match event:
            case InvitationCancelled(reason=reason):  # the caller gave up: so does the handler
                CALL.info("%s: given up by the caller: %s", self.call_id, reason or "no reason given")
                self._cancelled, self._cancel_reason = True, reason
                if self._runtime.recorder is not None:
                    self._runtime.recorder.cancelled(event)
                self._close_nowait()
            case ProgressConfirmed():
                self._media_confirmed()
                if self._confirmed is not None:
                    self._confirmed.set(None)
            case OfferReceived(session=session, body=body):
                self._runtime.spawn(answer_offer(self._runtime, session, body, self._describe_early))
            case OfferDue() | OfferRefused():
                self._updated(event)
            case OfferAnswered() if self._update is not None:
                self._updated(event)
            case OfferAnswered(body=body):
                self._runtime.spawn(self._take_early_answer(body))

    def _media_confirmed(self) -> None:
        if self._media is not None:
            self._media.confirmed()

    async def _describe_early(self, offer: bytes) -> SessionDescription:
        """Our answer to an offer that comes before the call is accepted."""
        async with self._one_at_a_time:
            if self._media is None:
                raise CallEnded("local")
            self._description = await self._media.answer(sdp.parse(offer), self._direction)
            return self._description

    async def _take_early_answer(self, body: bytes) -> None:
        """The answer, in a PRACK, to our offer in a reliable response."""
        try:
            async with self._one_at_a_time:
                if self._media is not None:
                    await self._media.answered(sdp.parse(body))
        except SipError as error:
            CALL.info("%s: no early media: %s", self.call_id, error)

    def _refuse(self, status: int) -> None:
        self._runtime.refuse(self._usage, status)
        CALL.info("%s: refused by us with %s", self.call_id, status)

    async def _close(self) -> None:
        """Early media that did not become a call is closed."""
        media, self._media = self._media, None
        self._settle_update(CallEnded("local", "the invitation is over"))
        if media is not None:
            await media.close()
