"""A call that is placed to us, until it is answered."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from sipstack import sdp
from sipstack.core.events import InvitationCancelled
from sipstack.core.uas import RETRY_AFTER
from sipstack.errors import NegotiationError, ParseError, RemoteProtocolError, TransportError
from sipstack.log import CALL
from sipstack.media.port import MediaPort
from sipstack.message import Reason, Request
from sipstack.message.grammar import split_commas
from sipstack.message.headers import HeaderFields
from sipstack.sdp import SessionDescription
from sipstack.ua.arguments import IN_ACCEPTANCES, IN_RESPONSES, HeadersArgument, header_fields
from sipstack.ua.call import Call, hanging_up
from sipstack.ua.client import UserAgentClient
from sipstack.ua.incoming import Incoming
from sipstack.ua.policy import Redirect
from sipstack.ua.runtime import MediaFactory, Runtime
from sipstack.usage.content import session_description
from sipstack.usage.invite.incoming import IncomingInvite


class Invitation(Incoming):
    """An INVITE received and not yet answered. Accept, reject or redirect it; ``progress`` tells how it goes.

    When the caller gives up, the task that handles the invitation is cancelled, and ``cancelled`` is true;
    ``cancel_reason`` says why, and ``answered_elsewhere`` whether it is a missed call at all.
    """

    def __init__(
        self, agent: UserAgentClient, runtime: Runtime, usage: IncomingInvite, request: Request
    ) -> None:
        super().__init__(agent, runtime, request)
        self._usage: IncomingInvite = usage
        self._early: tuple[MediaPort, SessionDescription] | None = None
        self._cancelled = False
        self._cancel_reason = ""

    @property
    def offer(self) -> SessionDescription | None:
        """The session description that the caller offers; None when the offer is ours to make.

        Raises ParseError.
        """
        body = session_description(self.request)
        return sdp.parse(body) if body else None

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
        self, status: int = 180, *, early_media: bool = False, headers: HeadersArgument = ()
    ) -> None:
        """Send a provisional response, 101 to 199. With ``early_media`` it carries our session description,
        and audio flows before the call is accepted. Raises LocalProtocolError once it is answered.
        """
        fields = header_fields(headers, IN_ACCEPTANCES)
        body = b""
        if early_media:
            _, description = await self._begin_media(None)
            body = bytes(description)
        self._runtime.command(self._usage.progress, status, self._runtime.now(), fields, body)

    async def reject(
        self, status: int = 486, reason: str | None = None, *, headers: HeadersArgument = ()
    ) -> None:
        """Refuse with a final response, 300 to 699. Raises LocalProtocolError once it is answered."""
        fields = header_fields(headers, IN_RESPONSES)
        self._runtime.command(self._usage.refuse, status, self._runtime.now(), reason, fields)
        CALL.info("%s: refused by us with %s", self.call_id, status)
        await self._close()

    async def redirect(self, *targets: str, status: int = 302) -> None:
        """Tell the caller to try other URIs, best first."""
        redirection = Redirect(*targets, status=status)
        await self.reject(redirection.status, headers=redirection.headers)

    def accept(
        self, *, media: MediaFactory | None = None, headers: HeadersArgument = ()
    ) -> AbstractAsyncContextManager[Call]:
        """Answer 200 and own the call: leaving the ``async with`` block hangs up.

        Raises NegotiationError (and refuses with 488) when the offer has nothing that we can take, and
        CallEnded when the offer was ours to make and the call ends before its answer comes.
        """
        return self._accepting(media, header_fields(headers, IN_ACCEPTANCES))

    @contextlib.asynccontextmanager
    async def _accepting(self, media: MediaFactory | None, headers: HeaderFields) -> AsyncIterator[Call]:
        async with hanging_up(await self._establish(media, headers)) as call:
            yield call

    async def _establish(self, factory: MediaFactory | None, headers: HeaderFields) -> Call:
        runtime = self._runtime
        media, description = await self._begin_media(factory)
        try:
            session = runtime.command(self._usage.accept, bytes(description), runtime.now(), headers)
        except BaseException:
            await self._close()
            raise
        CALL.info("%s: answered by us", self.call_id)
        self._early = None
        call = Call(runtime, session, media)
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

    async def _begin_media(self, factory: MediaFactory | None) -> tuple[MediaPort, SessionDescription]:
        """The media and our description, made once for early media and the final answer."""
        if self._early is not None:
            return self._early
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
        self._early = (media, description)
        return self._early

    # -- the runtime's side --------------------------------------------------------------------------------

    def _on_event(self, event: InvitationCancelled) -> None:
        """The caller gave up: so does the handler."""
        CALL.info("%s: given up by the caller: %s", self.call_id, event.reason or "no reason given")
        self._cancelled, self._cancel_reason = True, event.reason
        self._close_nowait()

    def _refuse(self, status: int) -> None:
        self._runtime.command(self._usage.refuse, status, self._runtime.now())
        CALL.info("%s: refused by us with %s", self.call_id, status)

    async def _close(self) -> None:
        """Early media that did not become a call is closed."""
        early, self._early = self._early, None
        if early is not None:
            await early[0].close()
