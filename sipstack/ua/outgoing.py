"""A call that we place, until it is answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from sipstack import sdp
from sipstack.core.events import Answered, Failed, Progressed, Refused, Routed
from sipstack.core.outputs import Flow
from sipstack.errors import (
    AuthenticationFailed,
    CallRejected,
    ParseError,
    RemoteProtocolError,
    SipError,
)
from sipstack.media.audio import Audio
from sipstack.media.port import MediaPort, audio_of
from sipstack.message import Response
from sipstack.ua.call import Call
from sipstack.ua.outcome import Outcome
from sipstack.ua.stream import Stream
from sipstack.usage.content import session_description
from sipstack.usage.invite.outgoing import OutgoingInvite as Usage
from sipstack.usage.invite.session import Session

if TYPE_CHECKING:
    from sipstack.ua.agent import UserAgent


class OutgoingInvite:
    """An INVITE of ours. Iterate over ``provisionals()`` if you like, then await ``answered()``."""

    def __init__(self, agent: UserAgent, usage: Usage) -> None:
        self._agent = agent
        self._usage = usage
        self._routed: Outcome[Flow] = Outcome()
        self._media: MediaPort | None = None  # until the flow is known
        self._outcome: Outcome[Call] = Outcome()
        self._provisionals: Stream[Response] = Stream()
        self._call: Call | None = None
        self._leaving = False
        self._preview = b""  # the latest, not yet taken
        self._one_description = asyncio.Lock()  # previews and the answer, in the order they came
        agent.invite_opened(usage, self)

    def __repr__(self) -> str:
        return f"<OutgoingInvite {self._usage.call_id}>"

    async def start(self, new_media: Callable[[str], MediaPort], *, offer: bool) -> None:
        """Route the INVITE, make the media at our end of its flow, and send it with the offer. Raises
        TransportError, ResolutionError, MediaError.
        """
        agent, usage = self._agent, self._usage
        agent.command(usage.start, agent.now())
        flow = await self._routed
        media = self._media = new_media(flow.local[0])
        description = bytes(await media.offer()) if offer else b""
        agent.command(usage.offer, description, agent.now())

    @property
    def id(self) -> str:
        """The Call-ID."""
        return self._usage.call_id

    @property
    def audio(self) -> Audio:
        """Early media: what is heard before the call is answered."""
        assert self._media is not None
        return audio_of(self._media)

    def provisionals(self) -> Stream[Response]:
        """The provisional responses other than 100; ends with the final response."""
        return self._provisionals

    async def answered(self) -> Call:
        """Wait for the 2xx. Raises CallRejected, AuthenticationFailed, TransactionTimeout, TransportError,
        NegotiationError, RemoteProtocolError, or CallEnded when it was cancelled."""
        call = await self._outcome
        await call.agreed()
        return call

    async def _answer_offer(self, call: Call, session: Session) -> None:
        """Late offer: theirs came in the 2xx, our answer goes in the ACK, waited for or not."""
        try:
            answer = await call.describe(session.exchange.offer or b"")
        except Exception as error:
            call.disagree(error)
        else:
            if not call.is_over:
                self._agent.command(session.answer, bytes(answer), self._agent.now())
        self._outcome.set(call)
        self._finished()

    async def cancel(self) -> None:
        """Give up, and wait a few seconds at the most for the other side to say so."""
        self.abandon()
        if not self._leaving:
            self._leaving = True
            self._agent.goodbyes.limit(self._outcome)
        await self._outcome.settled()

    def abandon(self) -> None:
        """Give up without waiting: CANCEL goes out when it may, a crossing answer is ended by BYE."""
        if not self._outcome.done:
            self._agent.command(self._usage.cancel, self._agent.now())

    async def close(self) -> None:
        """The end of the ``async with`` block: BYE, CANCEL, or nothing, whichever is due."""
        if self._call is not None:
            await self._call.hang_up()
            return
        try:
            if not self._outcome.done:
                await self.cancel()
        finally:
            if self._media is not None:
                await self._media.close()

    # -- events --------------------------------------------------------------------------------------------

    def on_event(self, event: Routed | Progressed | Answered | Refused | Failed) -> None:
        """An event of our INVITE."""
        match event:
            case Routed(flow=flow):
                self._routed.set(flow)
                return
            case Progressed(response=response):
                preview = session_description(response)
                if preview and not self._preview:  # however many come, no more than one waits
                    self._agent.spawn(self._take_preview())
                self._preview = preview or self._preview
                self._provisionals.put(response)
                return
            case Answered(session=session):
                answer = session.exchange.remote
                assert self._media is not None
                self._call = Call(self._agent, session, self._media, answer or b"", self._one_description)
                if answer is None:
                    self._agent.spawn(self._answer_offer(self._call, session))
                    return
                self._outcome.set(self._call)
            case Refused(response=response):
                self._outcome.fail(rejection(response))
            case Failed(error=ParseError() as error):  # in the 2xx, which is ended already
                self._outcome.fail(RemoteProtocolError(str(error)))
            case Failed(error=error):
                self._routed.fail(error)
                self._outcome.fail(error)
        self._finished()

    def _finished(self) -> None:
        self._agent.invite_closed(self._usage)
        self._provisionals.close()

    async def _take_preview(self) -> None:
        """Early media of an unreliable 1xx: the 2xx will repeat or replace it (RFC 6337 §3.1.1)."""
        with contextlib.suppress(SipError):
            async with self._one_description:
                body, self._preview = self._preview, b""
                if self._call is None and self._media is not None:
                    await self._media.answered(sdp.parse(body))


def rejection(response: Response) -> CallRejected | AuthenticationFailed:
    """The error that a final response other than 2xx stands for."""
    if response.status in (401, 407):
        return AuthenticationFailed(response)
    return CallRejected(response)
