"""An established call: audio, hold and resume, the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from sipstack import sdp
from sipstack.core.events import (
    Acknowledged,
    AddressChanged,
    Ended,
    OfferAnswered,
    OfferDue,
    OfferReceived,
    OfferRefused,
)
from sipstack.errors import (
    CallEnded,
    LocalProtocolError,
    NegotiationError,
    ParseError,
    RemoteProtocolError,
    RequestFailed,
    SipError,
)
from sipstack.log import CALL, MEDIA, TRANSPORT, legible
from sipstack.media.audio import Audio, MediaStatistics
from sipstack.media.events import MediaChanged, MediaEvent, MediaFailed, PeerLost
from sipstack.media.io import AudioSink, AudioSource
from sipstack.media.playing import Playing
from sipstack.media.port import MediaPort, MovableMedia, SecuredMedia, audio_of
from sipstack.media.recording import Recording
from sipstack.message import NameAddr, Response, Uri
from sipstack.sdp import Direction, SessionDescription
from sipstack.ua.arguments import check_text
from sipstack.ua.digits import Dtmf, digits_of
from sipstack.ua.result import Result
from sipstack.ua.runtime import Runtime, told_host
from sipstack.ua.scope import CallScope
from sipstack.usage.invite.session import Session

T = TypeVar("T")
CallEvent = Acknowledged | OfferReceived | OfferAnswered | OfferDue | OfferRefused | Ended


class Call:
    """An established session with media, made by ``UserAgent.call``, ``OutgoingInvite.answered`` and
    ``Invitation.accept``.

    What is in progress when the call ends raises CallEnded; iteration over its audio just ends.
    """

    def __init__(
        self,
        runtime: Runtime,
        session: Session,
        media: MediaPort,
        response: Response | None = None,
        answer: bytes = b"",
        one_at_a_time: asyncio.Lock | None = None,
    ) -> None:
        self._runtime = runtime
        self._session = session
        self._media = media
        self._began = runtime.now()
        self._ended_at: float | None = None
        self._said_bye = False
        self._ended: Result[CallEnded] = Result()
        self._ack: Result[bytes] | None = None  # a task waits for the answer in it
        self._reoffer: Result[None] | None = None
        self._one_offer = asyncio.Lock()
        # the media takes offers and answers in the order they came
        self._one_at_a_time = one_at_a_time or asyncio.Lock()
        self._first_answer = answer  # that of the 2xx, until the media has to know it
        self._disagreement: Exception | None = None
        self._wish = Direction.SENDRECV
        self._response = response
        self._held = False
        self._remote_held = False
        runtime.attach(self, session)
        media.attach(self._on_media_event)

    def __repr__(self) -> str:
        state = "ended" if self._ended.done else "established"
        return legible(f"<Call {self.id} {state} with {self.remote}>")

    # -- identity, audio -------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The Call-ID."""
        return self._session.dialog.call_id

    @property
    def local(self) -> Uri:
        """Our address in this dialog."""
        return NameAddr.parse(self._session.dialog.local).uri

    @property
    def remote(self) -> Uri:
        """The other side's address in this dialog."""
        return NameAddr.parse(self._session.dialog.remote).uri

    @property
    def response(self) -> Response | None:
        """The 2xx that answered the call, with its header fields; None for a call that we answered."""
        return self._response

    @property
    def audio(self) -> Audio:
        """The audio in both directions: iterate for frames, ``send`` them, ``play`` and record."""
        return audio_of(self._media)

    @property
    def security(self) -> str | None:
        """What protects the media now, such as "DTLS-SRTP"; None when nothing does."""
        return self._media.security if isinstance(self._media, SecuredMedia) else None

    @property
    def dtmf(self) -> Dtmf:
        """The digits that the other side presses, and ours to it."""
        return digits_of(self._media, self._runtime, self._session)

    @property
    def codec(self) -> str | None:
        """The name of the codec that we send with, such as "PCMU"."""
        audio = self._media.audio
        return None if audio is None else audio.codec

    @property
    def statistics(self) -> MediaStatistics:
        """The counters of everything that went over the wire so far; final once the call has ended."""
        return self.audio.statistics

    @property
    def duration(self) -> float:
        """Seconds since the call was answered, until its end."""
        return (self._runtime.now() if self._ended_at is None else self._ended_at) - self._began

    async def play(self, source: str | Path | AudioSource, *, loop: bool = False) -> None:
        """Play a file to its end. Raises MediaError when it cannot be read, CallEnded when the call ends."""
        await self.audio.play(source, loop=loop)

    def playing(self, source: str | Path | AudioSource, *, loop: bool = False) -> Playing:
        """Play while the ``async with`` block runs."""
        return self.audio.playing(source, loop=loop)

    def recording(self, sink: str | Path | AudioSink) -> Recording:
        """Record what the other side says into a WAV file (or another sink) while the ``async with`` block
        runs.
        """
        return self.audio.recording(sink)

    # -- hold ----------------------------------------------------------------------------------------------

    @property
    def held(self) -> bool:
        """Whether we have put the other side on hold."""
        return self._held

    @property
    def remote_held(self) -> bool:
        """Whether the other side has put us on hold."""
        return self._remote_held

    async def hold(self) -> None:
        """Stop hearing the other side, by a re-INVITE. Raises RequestFailed when it is refused."""
        await self._offer(Direction.SENDONLY)

    async def resume(self) -> None:
        """End the hold. Raises RequestFailed when the re-INVITE is refused."""
        await self._offer(Direction.SENDRECV)

    async def _offer(self, direction: Direction) -> None:
        async with self._one_offer:
            if self._reoffer is not None:  # its caller was cancelled, the re-INVITE was not
                await self._reoffer.settled()
            self._check_alive()
            self._wish = direction
            reoffer = self._reoffer = Result()
            try:
                await self._make_offer()
            except BaseException:
                self._reoffer = None
                raise
            await reoffer

    async def _make_offer(self) -> None:
        offer = await self._in_turn(lambda: self._media.offer(self._wish))
        self._check_alive()
        self._runtime.command(self._session.reoffer, bytes(offer), self._runtime.now())

    async def _offer_again(self) -> None:
        """After glare: the same wish, but a new offer, for what was agreed meanwhile has made the old one
        stale.
        """
        try:
            await self._make_offer()
        except SipError as error:
            self._settle(error)

    # -- the end -------------------------------------------------------------------------------------------

    async def hang_up(self, reason: str | None = None) -> None:
        """Say BYE and wait for its answer, a few seconds at the most. Does nothing when the call is over.

        ``reason`` goes into a Reason field (RFC 3326), such as ``Q.850;cause=16``.
        """
        if self._say_bye(reason):
            await self._close_media()
        await self._ended.settled()
        if not self._ended.done:
            self._finish("local", "no answer to our BYE")

    def _hang_up_nowait(self, reason: str | None = None) -> None:
        """Say BYE without waiting."""
        if self._say_bye(reason):
            self._close_media_nowait()

    def _close_nowait(self) -> bool:
        self._hang_up_nowait()
        return True

    def _abort(self, reason: str) -> None:
        self._finish("local", reason)

    def _say_bye(self, reason: str | None) -> bool:
        """With BYE the session is over for us: audio stops (RFC 3261 §15.1.1). False when it was already."""
        if self._is_over:
            return False
        headers = (("Reason", check_text(reason)),) if reason else ()
        self._said_bye = True
        self._runtime.grace.begin(self._ended)
        self._runtime.command(self._session.hang_up, self._runtime.now(), headers)
        self._end_audio(CallEnded("local"))
        return True

    def _end_audio(self, end: CallEnded) -> None:
        audio = self._media.audio
        if audio is not None:
            audio.end(end)

    async def _close_media(self) -> None:
        """In our caller's task; one of its own goes on with it when that is cancelled."""
        try:
            await self._media.close()
        except BaseException:
            self._close_media_nowait()
            raise

    def _close_media_nowait(self) -> None:
        self._runtime.spawn(self._media.close(), must_finish=True)

    async def ended(self) -> CallEnded:
        """Wait for the end; returns how it ended, and does not raise."""
        return await self._ended

    def scope(self) -> CallScope:
        """Cancel the ``async with`` block when the call ends, and raise CallEnded from it: for work that
        waits for something else, such as another call to be answered.
        """
        return CallScope(self._ended)

    @property
    def _is_over(self) -> bool:
        """Whether the call has ended, or is on its way there by our BYE."""
        return self._ended.done or self._said_bye

    def _check_alive(self) -> None:
        """Raises CallEnded when the call is over, or on its way there by our BYE."""
        if self._ended.done:
            end = self._ended.result()
            raise CallEnded(end.by, end.reason)
        if self._said_bye:
            raise CallEnded("local")

    # -- events --------------------------------------------------------------------------------------------

    def _on_event(self, event: CallEvent) -> None:
        match event:
            case Ended(by=by, reason=reason):
                self._finish(by, reason)
            case OfferReceived(body=body):
                self._runtime.spawn(self._answer(body))
            case OfferAnswered(body=body):
                self._runtime.spawn(self._reoffer_answered(body))
            case OfferDue():
                self._runtime.spawn(self._offer_again())
            case OfferRefused(response=response):
                self._settle(RequestFailed(response))
            case Acknowledged(body=body):
                self._media.confirmed()
                if self._ack is not None and not self._ack.done:
                    self._ack.set(body)
                elif body:
                    self._runtime.spawn(self._take_late_answer(body))

    def _moved(self, change: AddressChanged) -> None:
        """The peer knows an address that is not ours any more: a re-INVITE tells the new one, when the calls
        before this one have had their turn.
        """
        flow = self._session.usages.flow
        if flow in change.moves.values() and not self._is_over:
            TRANSPORT.info("%s: moves to %s", self.id, flow.advertised if flow is not None else None)
            place = self._runtime.place_to_move()
            self._runtime.loop.call_later(place, self._tell_address)

    def _tell_address(self) -> None:
        flow = self._session.usages.flow
        if not self._is_over and self._runtime.running and flow is not None:
            if isinstance(self._media, MovableMedia):
                try:
                    self._media.moved(flow.local[0], told_host(flow))
                except SipError as error:
                    MEDIA.warning("%s: the media cannot move: %s", self.id, error)
            self._runtime.spawn(self._renew_offer())

    def _on_media_event(self, event: MediaEvent) -> None:
        match event:
            case MediaFailed(error=error):
                MEDIA.warning("%s: the media failed: %s", self.id, error)
                self._give_up("transport", str(error))
            case PeerLost(silence=silence):
                MEDIA.warning("%s: nothing is heard any more, for %s s", self.id, silence)
                self._give_up("timeout", f"nothing heard for {silence:g} s")
            case MediaChanged():
                self._runtime.spawn(self._renew_offer())

    def _give_up(self, by: str, reason: str) -> None:
        """The media is lost, and the call with it: say BYE, and let nobody wait for its answer."""
        if self._say_bye(None):
            self._close_media_nowait()
            self._finish(by, reason)

    async def _renew_offer(self) -> None:
        """Our description has changed by itself: offer it, with the direction as it is."""
        try:
            await self._offer(self._direction)
        except SipError as error:  # it stays as it was
            CALL.info("%s: a new description is not agreed: %s", self.id, error)

    def _finish(self, by: str, reason: str = "") -> None:
        """The session is over, or nobody waits any longer for the other side to agree that it is."""
        self._ended_at = self._runtime.now()
        CALL.info("%s: ended by %s after %s s: %s", self.id, by, self.duration, reason or "no reason given")
        self._ended.set(CallEnded(by, reason))
        self._runtime.detach(self, self._session)
        self._settle(CallEnded(by, reason))
        if self._ack is not None:
            self._ack.fail(CallEnded(by, reason))
        if not self._said_bye:
            self._end_audio(CallEnded(by, reason))
            self._close_media_nowait()

    def _settle(self, error: Exception | None) -> None:
        """Our re-INVITE has come to this."""
        reoffer, self._reoffer = self._reoffer, None
        if reoffer is None:
            return
        if error is None:
            reoffer.set(None)
        else:
            reoffer.fail(error)

    async def _reoffer_answered(self, body: bytes) -> None:
        """The answer to our re-INVITE."""
        try:
            await self._take_answer(body)
        except SipError as error:
            self._settle(error)
            self._hang_up_because(error)
        else:
            self._held = self._wish is Direction.SENDONLY
            self._settle(None)

    async def _take_late_answer(self, body: bytes) -> None:
        """The answer, in an ACK, to the offer that a re-INVITE without one asked us for."""
        try:
            await self._take_answer(body)
        except SipError as error:
            self._hang_up_because(error)

    async def _answer(self, body: bytes) -> None:
        """A re-INVITE: answer its offer, or make one when it has none."""
        session, now = self._session, self._runtime.now
        try:
            description = await self._describe(body)
        except (NegotiationError, ParseError, RemoteProtocolError) as error:
            CALL.info("%s: an offer is refused: %s", self.id, error)
            self._unless_withdrawn(lambda: session.refuse_offer(488, now()))
        except CallEnded:
            return
        except Exception:
            self._unless_withdrawn(lambda: session.refuse_offer(500, now()))
            raise
        else:
            self._unless_withdrawn(lambda: session.accept_offer(bytes(description), now()))

    def _unless_withdrawn(self, command: Callable[[], None]) -> None:
        """Answer a re-INVITE, unless CANCEL or BYE was faster."""
        with contextlib.suppress(LocalProtocolError):
            self._runtime.command(command)

    async def _acknowledged(self) -> bytes:
        """Wait for the first ACK; the session description in it. Raises CallEnded."""
        self._check_alive()
        self._ack = Result()
        return await self._ack

    # -- offers and answers, one at a time -----------------------------------------------------------------

    async def _in_turn(self, step: Callable[[], Awaitable[T]]) -> T:
        """Do ``step`` with the media after what came before it, the answer of the 2xx first. Raises CallEnded
        once the call is over.
        """
        async with self._one_at_a_time:
            self._check_alive()
            await self._take_first_answer()
            try:
                return await step()
            except LocalProtocolError:
                self._check_alive()  # then it was because the media is closed
                raise

    async def _agreed(self) -> None:
        """The media knows the answer of the 2xx. Raises what is wrong with it; nothing when the call ended
        meanwhile.
        """
        if self._first_answer:
            with contextlib.suppress(CallEnded):
                async with self._one_at_a_time:
                    self._check_alive()
                    await self._take_first_answer()
        if self._disagreement is not None:
            raise self._disagreement

    async def _take_first_answer(self) -> None:
        """Raises CallEnded when there is something wrong with it: then BYE is on its way."""
        if not self._first_answer:
            return
        try:
            await self._follow(sdp.parse(self._first_answer))
        except Exception as error:
            self._disagree(error)
            self._check_alive()
        self._first_answer = b""

    def _disagree(self, error: Exception) -> None:
        """Nothing can come of the description in the 2xx: say BYE, unless the call is over already."""
        if not self._is_over:
            broken = isinstance(error, ParseError | RemoteProtocolError)
            self._disagreement = NegotiationError(str(error)) if broken else error
            self._hang_up_because(error)

    def _hang_up_because(self, error: Exception) -> None:
        """The answer of the other side cannot be followed. Does nothing when the call is over."""
        CALL.info("%s: the answer cannot be taken: %s", self.id, error)
        self._hang_up_nowait("SIP;cause=488")

    async def _take_answer(self, body: bytes) -> None:
        """Give the answer to our offer to the media. Raises CallEnded."""
        answer = sdp.parse(body)
        await self._in_turn(lambda: self._follow(answer))

    async def _follow(self, answer: SessionDescription) -> None:
        await self._media.answered(answer)
        self._remote_held = _holds(answer)

    async def _describe(self, body: bytes) -> SessionDescription:
        """Our answer to the offer ``body``; our offer when it is empty. Raises CallEnded."""
        if not body:
            return await self._in_turn(lambda: self._media.offer(self._direction))
        offer = sdp.parse(body)
        answer = await self._in_turn(lambda: self._media.answer(offer, self._direction))
        self._remote_held = _holds(offer)
        return answer

    @property
    def _direction(self) -> Direction:
        return Direction.SENDONLY if self._held else Direction.SENDRECV


def _holds(description: SessionDescription) -> bool:
    """Whether the sender of this description wants to hear nothing of us."""
    audio = [medium for medium in description.media if medium.kind == "audio" and not medium.rejected]
    return bool(audio) and not description.direction_of(audio[0]).receives


@contextlib.asynccontextmanager
async def hanging_up(call: Call) -> AsyncIterator[Call]:
    """Own ``call``: leaving the block hangs up."""
    try:
        yield call
    finally:
        await call.hang_up()
