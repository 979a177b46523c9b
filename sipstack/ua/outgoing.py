"""A call that we place, until it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from sipstack import sdp
from sipstack.core.events import (
    Answered,
    Failed,
    OfferAnswered,
    OfferDue,
    OfferReceived,
    OfferRefused,
    Progressed,
    Refused,
    Routed,
)
from sipstack.core.outputs import Flow
from sipstack.errors import (
    AuthenticationFailed,
    CallEnded,
    CallRejected,
    LocalProtocolError,
    ParseError,
    RemoteProtocolError,
    SipError,
)
from sipstack.log import CALL
from sipstack.media.port import FallingBack, MediaPort
from sipstack.message import Headers, Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.sdp import SessionDescription
from sipstack.ua.call import Call
from sipstack.ua.call_data import MEDIA, CallData, no_change
from sipstack.ua.identity import asserted_in
from sipstack.ua.offers_received import answer_offer
from sipstack.ua.presentation import Introduction
from sipstack.ua.reasons import reason_field
from sipstack.ua.redirecting import Redirections
from sipstack.ua.refusal import refusal
from sipstack.ua.result import SILENCE, Result
from sipstack.ua.runtime import MediaFactory, Runtime
from sipstack.ua.stream import Stream
from sipstack.ua.updating import EarlyEvent, Updating, allows_update, not_agreed, not_allowed
from sipstack.usage.content import session_description
from sipstack.usage.invite.outgoing import OutgoingInviteUsage as Usage
from sipstack.usage.invite.reasons import CLEARED
from sipstack.usage.invite.session import Session

OFFER_REFUSED = (415, 488, 606)
"""What a peer says that takes calls, but no such media."""


class OutgoingInvite(Updating):
    """An INVITE of ours. Iterate over ``provisionals()`` if you like, then await ``answered()``.

    Its audio is early media, such as an announcement of the network, and goes on in the call.
    """

    def __init__(
        self,
        runtime: Runtime,
        usage: Usage,
        redirections: Redirections | None = None,
        introduction: Introduction | None = None,
    ) -> None:
        self._introduction = introduction
        self._runtime = runtime
        self._usage = usage
        self._redirections = redirections
        self._routed: Result[Flow] = Result()
        self._media: MediaPort | None = None  # until there is a flow
        self._result: Result[Call] = Result()
        self._provisionals: Stream[Response] = Stream()
        self._call: Call | None = None
        self._cancelling = False
        self._why = CLEARED
        self._offers = False
        self._preview = b""  # the latest, not yet taken
        self._offered = True  # the INVITE carries our offer
        self._answered_early: bytes | None = None  # the latest description that the media knows of an UPDATE
        self._updates = False  # the other side allows UPDATE
        self._began = runtime.now()
        self._one_at_a_time = asyncio.Lock()  # previews and the answer, in the order they came
        if runtime.core.keeper is not None:
            usage.application = {MEDIA: True}
        runtime.attach(self, usage)
        if runtime.recorder is not None:
            runtime.recorder.placed(usage)

    def __repr__(self) -> str:
        return f"<OutgoingInvite {self._usage.call_id}>"

    async def _start(self, factory: MediaFactory | None, *, offer: bool, asserting: bool = False) -> None:
        """Route the INVITE, make the media at our end of its flow, and send it with the offer. Raises
        TransportError, ResolutionError, MediaError; LocalProtocolError when it asserts who calls to a
        peer that is not trusted.
        """
        runtime, usage = self._runtime, self._usage
        self._offers = offer
        runtime.command(usage.start, runtime.now())
        flow = await self._routed
        if asserting and flow.remote[0] not in runtime.trusted:
            raise LocalProtocolError(
                f"P-Asserted-Identity goes to trusted peers alone: {flow.remote[0]} is not in trusted="
            )
        media = self._media = runtime.new_media(factory, flow)
        self._offered = offer
        description = bytes(await media.offer()) if offer else b""
        runtime.command(usage.offer, description, runtime.now(), self._introduced(flow, description))

    @property
    def id(self) -> str:
        """The Call-ID."""
        return self._usage.call_id

    @property
    def data(self) -> CallData:
        """Values of your own, which are kept with the call from its answer on: see ``Call.data``."""
        if self._call is not None:
            return self._call.data
        if self._usage.application is None:
            self._usage.application = {}
        return CallData(self._usage.application, no_change)

    def provisionals(self) -> AsyncIterator[Response]:
        """The provisional responses other than 100; ends with the final response."""
        return self._provisionals

    async def answered(self) -> Call:
        """Wait for the 2xx. Raises CallRejected, AuthenticationFailed, TransactionTimeout, TransportError,
        NegotiationError, RemoteProtocolError, or CallEnded when it was cancelled."""
        call = await self._result
        await call._agreed()
        return call

    # -- the end: see runtime.Live -------------------------------------------------------------------------

    async def cancel(self, reason: str | None = None) -> None:
        """Give up, and wait a few seconds at the most for the other side to say so. ``reason`` goes into a
        Reason field (RFC 3326), such as ``SIP;cause=200;text="Call completed elsewhere"``.

        No CANCEL may go out before a response has come (RFC 3261 §9.1). Where none came within two round
        trips as RFC 3261 reckons them (2*T1), it is not waited for: the CANCEL follows should one come.
        """
        await self._cancel(reason_field(reason))

    async def _cancel(self, why: Headers) -> None:
        self._give_up(why)
        if not self._cancelling:
            self._cancelling = True
            grace = self._runtime.grace
            grace.begin(self._result)
            self._runtime.loop.call_at(self._began + grace.seconds * SILENCE, self._leave_unless_heard)
        await self._result.settled()

    def _leave_unless_heard(self) -> None:
        if not self._usage.heard:
            self._result.leave()

    def _close_nowait(self) -> bool:
        """CANCEL goes out as soon as it may; an answer that crosses it is ended by BYE."""
        self._give_up(self._why)
        return not self._result.late

    def _give_up(self, why: Headers) -> None:
        if not self._result.done:
            if not self._usage.cancelled:
                CALL.info("%s: given up by us", self.id)
            self._runtime.command(self._usage.cancel, self._runtime.now(), why)

    async def _close(self) -> None:
        """The end of the ``async with`` block: BYE, CANCEL, or nothing, whichever is due."""
        if self._call is not None:
            await self._call.hang_up()
            return
        try:
            if not self._result.done:
                await self._cancel(self._why)
        finally:
            if self._media is not None:
                await self._media.close()

    def _abort(self, reason: str) -> None:
        self._routed.fail(CallEnded("local", reason))
        self._result.fail(CallEnded("local", reason))
        self._finish()

    # -- events --------------------------------------------------------------------------------------------

    def _on_event(
        self, event: Routed | Progressed | OfferReceived | EarlyEvent | Answered | Refused | Failed
    ) -> None:
        match event:
            case Routed(flow=flow):
                self._routed.set(flow)
                return
            case Progressed(response=response):
                self._updates = self._updates or allows_update(response.headers)
                current = self._offered and self._answered_early is None
                preview = session_description(response) if current else b""
                if preview and not self._preview:  # however many come, no more than one waits
                    self._runtime.spawn(self._take_preview())
                self._preview = preview or self._preview
                self._provisionals.put(response)
                return
            case OfferReceived(session=session, body=body):
                self._runtime.spawn(answer_offer(self._runtime, session, body, self._describe_early))
                return
            case OfferAnswered() | OfferDue() | OfferRefused():
                self._updated(event)
                return
            case Answered(session=session, response=response):
                CALL.info("%s: answered", self.id)
                answer = session.exchange.remote
                assert self._media is not None
                news = b"" if answer == self._answered_early else answer or b""
                self._call = Call(self._runtime, session, self._media, response, news, self._one_at_a_time)
                self._pass_on(self._call)
                # by the way that the INVITE took: the dialog may lead elsewhere already
                self._call._asserted = asserted_in(response.headers, self._usage.flow, self._runtime.trusted)
                if answer is None:
                    self._runtime.spawn(self._answer_offer(self._call, session))
                    return
                self._result.set(self._call)
            case Refused(response=response):
                CALL.info("%s: refused with %s %s", self.id, response.status, response.reason)
                if self._falls_back(response):
                    self._runtime.spawn(self._offer_another(response))
                    return
                if self._goes_on(response):
                    return
                self._fail_with(response)
            case Failed(error=ParseError() as error):  # in the 2xx, which is ended already
                self._fail(RemoteProtocolError(str(error)))
            case Failed(error=error):
                if self._goes_on(error):
                    return
                self._fail(error)
        self._finish()

    def _goes_on(self, outcome: Response | SipError) -> bool:
        """Whether there is another target to try."""
        if self._redirections is None or self._usage.cancelled:
            return False
        target = self._redirections.next_after(outcome)
        if target is None:
            return False
        CALL.info("%s: goes on to %s", self.id, target)
        self._runtime.command(self._usage.redirect, target, self._runtime.now())
        return True

    def _fail_with(self, response: Response) -> None:
        self._result.fail(rejection(response, self._usage.request, withheld=self._usage.withheld))
        self._end_audio(CallEnded("remote", f"{response.status} {response.reason}"))

    def _falls_back(self, response: Response) -> bool:
        media: object = self._media
        refused = response.status in OFFER_REFUSED and self._offers and not self._usage.cancelled
        return refused and isinstance(media, FallingBack) and media.fall_back()

    async def _offer_another(self, response: Response) -> None:
        """The offer was refused, and the application allows another one."""
        try:
            async with self._one_at_a_time:
                assert self._media is not None
                offer = await self._media.offer()
        except SipError as error:
            CALL.info("%s: there is no other offer: %s", self.id, error)
            self._fail_with(response)
        else:
            if not self._usage.cancelled and not self._result.done:
                CALL.info("%s: tried again with another offer", self.id)
                fields = self._introduced(await self._routed, bytes(offer))
                self._runtime.command(self._usage.offer_another, bytes(offer), self._runtime.now(), fields)
                return
            self._fail(CallEnded("local", "cancelled"))
        self._finish()

    def _introduced(self, flow: Flow, description: bytes) -> HeaderFields:
        """What the INVITE with this description tells of the caller beside From."""
        return () if self._introduction is None else self._introduction.headers(flow, description)

    def _fail(self, error: SipError) -> None:
        CALL.info("%s: failed: %s", self.id, error)
        self._routed.fail(error)
        self._result.fail(error)
        self._end_audio(error if isinstance(error, CallEnded) else CallEnded("local", str(error)))

    def _end_audio(self, end: CallEnded) -> None:
        """Who plays or bridges early media is told that it comes to nothing."""
        audio = self._media.audio if self._media is not None else None
        if audio is not None:
            audio.end(end)

    def _finish(self) -> None:
        self._settle_update(CallEnded("local", "the call has come to nothing"))
        if self._call is None and self._runtime.recorder is not None:
            self._runtime.recorder.failed(self._usage, self._result.error)
        self._runtime.detach(self, self._usage)
        self._provisionals.close()

    async def _answer_offer(self, call: Call, session: Session) -> None:
        """Late offer: theirs came in the 2xx, our answer goes in the ACK, waited for or not."""
        try:
            answer = await call._describe(session.exchange.offer or b"")
        except Exception as error:
            call._disagree(error)
        else:
            if not call._is_over:
                self._runtime.command(session.answer, bytes(answer), self._runtime.now())
        self._result.set(call)
        self._finish()

    async def _describe_early(self, offer: bytes) -> SessionDescription:
        """Our answer to an offer in a reliable response, or in an UPDATE before the call is accepted."""
        async with self._one_at_a_time:
            if self._call is not None or self._media is None:
                raise CallEnded("local", "the call was accepted meanwhile")
            answer = await self._media.answer(sdp.parse(offer), self._direction)
            self._answered_early = offer
            return answer

    def _early(self) -> Session:
        agreed = self._usage.agreed
        if self._call is not None or self._result.done:
            raise LocalProtocolError("the call is answered or over: hold the call itself")
        if not agreed:
            raise not_agreed()
        if len(agreed) > 1:
            raise LocalProtocolError("several phones ring: hold the call once one of them has answered")
        if not self._updates:
            raise not_allowed()
        return agreed[0]

    async def _make_early_offer(self, session: Session) -> None:
        async with self._one_at_a_time:  # the media knows what is agreed
            pass
        await super()._make_early_offer(session)
        self._answered_early = session.exchange.remote

    async def _take_update(self, body: bytes) -> None:
        self._answered_early = body
        await super()._take_update(body)

    async def _take_preview(self) -> None:
        """Early media of an unreliable 1xx: the 2xx will repeat or replace it (RFC 6337 §3.1.1)."""
        try:
            async with self._one_at_a_time:
                body, self._preview = self._preview, b""
                if self._call is None and self._media is not None:
                    await self._media.answered(sdp.parse(body))
        except SipError as error:
            CALL.info("%s: no early media: %s", self.id, error)


def rejection(
    response: Response, invite: Request | None, *, withheld: bool = False
) -> CallRejected | AuthenticationFailed:
    """The error that a final response other than 2xx stands for."""
    return refusal(response, invite, CallRejected, withheld=withheld)
