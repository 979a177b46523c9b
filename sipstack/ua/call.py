"""An established call: audio, hold and resume, the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from sipstack.core.events import (
    Accepted,
    Acknowledged,
    AddressChanged,
    Ended,
    OfferAnswered,
    OfferDue,
    OfferReceived,
    OfferRefused,
    RefreshDue,
)
from sipstack.errors import (
    CallEnded,
    RequestFailed,
    SipError,
)
from sipstack.log import CALL, MEDIA, TRANSPORT, legible
from sipstack.media.events import MediaChanged, MediaEvent, MediaFailed, PeerLost
from sipstack.media.port import MediaPort, MovableMedia
from sipstack.message import Response
from sipstack.ua.digits import Dtmf, digits_of
from sipstack.ua.idleness import Idleness, idleness_of
from sipstack.ua.informing import PackagesCall
from sipstack.ua.negotiating import Negotiating
from sipstack.ua.reasons import reason_field
from sipstack.ua.runtime import Runtime, told_host
from sipstack.ua.scope import CallScope
from sipstack.ua.setting_aside import set_aside
from sipstack.ua.transfer import Transferring
from sipstack.usage.invite.reasons import of_end
from sipstack.usage.invite.session import Session

CallEvent = (
    Accepted | Acknowledged | OfferReceived | OfferAnswered | OfferDue | OfferRefused | RefreshDue | Ended
)


class Call(Negotiating, PackagesCall, Transferring):
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
        super().__init__(runtime, session, media, response, answer, one_at_a_time)
        runtime.attach(self, session)
        self._idleness: Idleness | None = None
        if runtime.core.expires:
            self._idleness = idleness_of(runtime, session, media, self._give_up)
        media.attach(self._on_media_event)
        if runtime.recorder is not None:
            runtime.recorder.established(session, media)

    def __repr__(self) -> str:
        state = "ended" if self._ended.done else "established"
        return legible(f"<Call {self.id} {state} with {self.remote}>")

    @property
    def resumed(self) -> bool:
        """Whether another process had it before, or this one before it was started again."""
        return False

    @property
    def dtmf(self) -> Dtmf:
        """The digits that the other side presses, and ours to it."""
        return digits_of(self._media, self._runtime, self._session)

    # -- the end -------------------------------------------------------------------------------------------

    async def hang_up(self, reason: str | None = None) -> None:
        """Say BYE and wait for its answer, a few seconds at the most. Does nothing when the call is over.

        ``reason`` goes into a Reason field (RFC 3326), such as ``Q.850;cause=16``.
        """
        if self._say_bye(reason_field(reason)):
            await self._close_media()
        await self._ended.settled()
        if not self._ended.done:
            self._finish("local", "no answer to our BYE")

    def _close_nowait(self) -> bool:
        self._hang_up_nowait()
        return True

    def _abort(self, reason: str) -> None:
        self._finish("local", reason)

    async def ended(self) -> CallEnded:
        """Wait for the end; returns how it ended, and does not raise."""
        return await self._ended

    def scope(self) -> CallScope:
        """Cancel the ``async with`` block when the call ends, and raise CallEnded from it: for work that
        waits for something else, such as another call to be answered.
        """
        return CallScope(self._ended)

    async def set_aside(self) -> None:
        """Free what the call takes here, while nothing is said in it: it stays up, and its store has it
        (``UserAgent(sessions=...)``). To be used for calls on hold: their media end here as well.

        The peer hears nothing. Its next request brings the call back, as another ``Call`` for ``on_resume``,
        here or at any node; so does its session timer, its age and the time that it may be idle; and
        ``ua.resume``. It waits for what is under way, and until the store has the call as it is: no longer
        than an ``asyncio.timeout`` lets it. This ``Call`` ends by "elsewhere". Raises CallEnded, or
        LocalProtocolError where calls are in no store.
        """
        idle = None if self._idleness is None else self._idleness.seconds
        await set_aside(self._runtime, self._session, self._check_alive, idle)

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
            case RefreshDue():
                self._runtime.spawn(self._renew_offer())
            case OfferRefused(response=response):
                self._settle(RequestFailed(response))
            case Accepted():
                if self._accepted is not None:
                    self._accepted.set(None)
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
        if self._say_bye(of_end(by, reason)):
            self._close_media_nowait()
            self._finish(by, reason)

    def _finish(self, by: str, reason: str = "") -> None:
        """The session is over, or nobody waits any longer for the other side to agree that it is."""
        self._ended_at = self._runtime.now()
        if self._idleness is not None:
            self._idleness.stop()
            self._idleness = None
        CALL.info("%s: ended by %s after %s s: %s", self.id, by, self.duration, reason or "no reason given")
        self._ended.set(CallEnded(by, reason))
        self._runtime.detach(self, self._session)
        self._settle(CallEnded(by, reason))
        for awaited in (self._ack, self._accepted):
            if awaited is not None:
                awaited.fail(CallEnded(by, reason))
        if not self._said_bye:
            self._end_audio(CallEnded(by, reason))
            self._close_media_nowait()
        if self._runtime.recorder is not None:
            self._runtime.recorder.ended(self._session, by, reason)


@contextlib.asynccontextmanager
async def hanging_up(call: Call) -> AsyncIterator[Call]:
    """Own ``call``: leaving the block hangs up."""
    try:
        yield call
    finally:
        await call.hang_up()
