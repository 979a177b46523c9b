"""Offers and answers inside of a call: hold and resume, those of the other side."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sipstack import sdp
from sipstack.errors import (
    CallEnded,
    LocalProtocolError,
    NegotiationError,
    ParseError,
    RemoteProtocolError,
    SipError,
)
from sipstack.log import CALL
from sipstack.sdp import Direction, SessionDescription
from sipstack.ua.call_base import CallBase
from sipstack.ua.offers_received import answer_offer
from sipstack.ua.result import Result

T = TypeVar("T")


class Negotiating(CallBase):
    """The session descriptions of one call, one at a time."""

    _described = True  # what we have under way carries an offer

    # -- hold ----------------------------------------------------------------------------------------------

    @property
    def held(self) -> bool:
        """Whether we have put the other side on hold."""
        return self._held

    @property
    def remote_held(self) -> bool:
        """Whether the other side has put us on hold."""
        return self._remote_held

    async def hold(self, *, update: bool = False) -> None:
        """Stop hearing the other side, by a re-INVITE; with ``update`` by an UPDATE (RFC 3311), which the
        other side answers at once and without asking anybody, or refuses. Raises RequestFailed when it is
        refused: then all stays as it was.
        """
        await self._offer(Direction.SENDONLY, "UPDATE" if update else "INVITE")

    async def resume(self, *, update: bool = False) -> None:
        """End the hold. Raises like ``hold``."""
        await self._offer(Direction.SENDRECV, "UPDATE" if update else "INVITE")

    async def update(self) -> None:
        """Tell the other side where we are, by an UPDATE without a description: nothing else changes. It
        refreshes the session timer too. Raises RequestFailed when it is refused, CallEnded.
        """
        await self._offer(self._direction, "UPDATE", described=False)

    async def _offer(self, direction: Direction, method: str = "INVITE", *, described: bool = True) -> None:
        async with self._one_offer:
            if self._reoffer is not None:  # its caller was cancelled, the re-INVITE was not
                await self._reoffer.settled()
            self._check_alive()
            self._wish, self._method, self._described = direction, method, described
            reoffer = self._reoffer = Result()
            try:
                await self._make_offer()
            except BaseException:
                self._reoffer = None
                raise
            await reoffer

    async def _make_offer(self) -> None:
        body = b""
        if self._described:
            body = bytes(await self._in_turn(lambda: self._media.offer(self._wish)))
            self._check_alive()
        self._runtime.command(self._session.reoffer, body, self._runtime.now(), self._method)

    async def _offer_again(self) -> None:
        """After glare: the same wish, but a new offer, for what was agreed meanwhile has made the old one
        stale.
        """
        try:
            await self._make_offer()
        except SipError as error:
            self._settle(error)

    async def _renew_offer(self) -> None:
        """Our description has changed by itself: offer it, with the direction as it is."""
        try:
            await self._offer(self._direction)
        except SipError as error:  # it stays as it was
            CALL.info("%s: a new description is not agreed: %s", self.id, error)

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
            if body:
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
        await answer_offer(self._runtime, self._session, body, self._describe)

    async def _until_accepted(self) -> None:
        """Wait until our 2xx is out, which may wait for the store: before it, none of our requests may be.
        Raises CallEnded.
        """
        self._check_alive()
        if not self._session.is_established:
            self._accepted = Result()
            await self._accepted

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
        self._remote_held = holds(answer)

    async def _describe(self, body: bytes) -> SessionDescription:
        """Our answer to the offer ``body``; our offer when it is empty. Raises CallEnded."""
        if not body:
            return await self._in_turn(lambda: self._media.offer(self._direction))
        offer = sdp.parse(body)
        answer = await self._in_turn(lambda: self._media.answer(offer, self._direction))
        self._remote_held = holds(offer)
        return answer

    @property
    def _direction(self) -> Direction:
        return Direction.SENDONLY if self._held else Direction.SENDRECV


def holds(description: SessionDescription) -> bool:
    """Whether the sender of this description wants to hear nothing of us."""
    audio = [medium for medium in description.media if medium.kind == "audio" and not medium.rejected]
    return bool(audio) and not description.direction_of(audio[0]).receives
