"""A call that somebody places to us, until it is answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from sipstack import sdp
from sipstack.errors import NegotiationError, ParseError, RemoteProtocolError
from sipstack.media.port import MediaPort
from sipstack.message import NameAddr, Request
from sipstack.message.headers import HeaderFields
from sipstack.sdp import SessionDescription
from sipstack.ua.call import Call, hanging_up
from sipstack.ua.policy import Redirect
from sipstack.usage.content import session_description
from sipstack.usage.invite.incoming import IncomingInvite

if TYPE_CHECKING:
    from sipstack.ua.agent import MediaFactory, UserAgent


class Invitation:
    """An INVITE received and not yet answered. Accept, reject or redirect it; ``progress`` tells how it goes.

    When the caller gives up, the task that handles the invitation is cancelled.
    """

    def __init__(self, agent: UserAgent, usage: IncomingInvite, request: Request) -> None:
        self._agent = agent
        self.usage = usage
        self._early: tuple[MediaPort, SessionDescription] | None = None
        self.request = request
        self.cancelled = False
        self.task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Invitation {self.call_id} from {self.from_.uri}>"

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.request.call_id

    @property
    def from_(self) -> NameAddr:
        """Who calls."""
        return self.request.from_

    @property
    def to(self) -> NameAddr:
        """Who is called."""
        return self.request.to

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
        return self.usage.answered

    async def progress(
        self, status: int = 180, *, early_media: bool = False, headers: HeaderFields = ()
    ) -> None:
        """Send a provisional response, 101 to 199. With ``early_media`` it carries our session description,
        and audio flows before the call is accepted. Raises LocalProtocolError once it is answered.
        """
        body = b""
        if early_media:
            _, description = await self._begin_media(None)
            body = bytes(description)
        self._agent.command(self.usage.progress, status, self._agent.now(), headers, body)

    async def reject(
        self, status: int = 486, reason: str | None = None, *, headers: HeaderFields = ()
    ) -> None:
        """Refuse with a final response, 300 to 699. Raises LocalProtocolError once it is answered."""
        self._agent.command(self.usage.refuse, status, self._agent.now(), reason, headers)
        await self._close_early()

    async def redirect(self, *targets: str, status: int = 302) -> None:
        """Tell the caller to try other URIs, best first."""
        redirection = Redirect(*targets, status=status)
        await self.reject(redirection.status, headers=redirection.headers)

    def accept(
        self, *, media: MediaFactory | None = None, headers: HeaderFields = ()
    ) -> AbstractAsyncContextManager[Call]:
        """Answer 200 and own the call: leaving the ``async with`` block hangs up.

        Raises NegotiationError (and refuses with 488) when the offer has nothing that we can take, and
        CallEnded when the offer was ours to make and the call ends before its answer comes.
        """
        return self._accepting(media, headers)

    @contextlib.asynccontextmanager
    async def _accepting(self, media: MediaFactory | None, headers: HeaderFields) -> AsyncIterator[Call]:
        async with hanging_up(await self._establish(media, headers)) as call:
            yield call

    async def _establish(self, factory: MediaFactory | None, headers: HeaderFields) -> Call:
        agent = self._agent
        media, description = await self._begin_media(factory)
        try:
            session = agent.command(self.usage.accept, bytes(description), agent.now(), headers)
        except BaseException:
            await self._close_early()
            raise
        self._early = None
        call = Call(agent, session, media)
        if session.exchange.offer is not None:  # ours went out in the 200: the answer comes in the ACK
            try:
                await call.take_answer(await call.acknowledged())
            except (NegotiationError, ParseError, RemoteProtocolError) as error:
                await call.hang_up("SIP;cause=488")
                raise NegotiationError(str(error)) from error
            except BaseException:
                call.leave()
                raise
        return call

    async def _begin_media(self, factory: MediaFactory | None) -> tuple[MediaPort, SessionDescription]:
        """The media and our description, made once for early media and the final answer."""
        if self._early is not None:
            return self._early
        media = self._agent.new_media(factory, self.usage.transaction.flow.local[0])
        try:
            offer = self.offer
            description = await (media.offer() if offer is None else media.answer(offer))
        except (NegotiationError, ParseError, RemoteProtocolError) as error:
            await media.close()
            await self.reject(488)
            raise NegotiationError(str(error)) from error
        except BaseException:
            await media.close()
            raise
        self._early = (media, description)
        return self._early

    async def _close_early(self) -> None:
        early, self._early = self._early, None
        if early is not None:
            await early[0].close()

    async def close(self) -> None:
        """The handler is done."""
        await self._close_early()
