"""Hold and resume before the call is answered, by UPDATE (RFC 3311 §5.1)."""

from __future__ import annotations

import asyncio

from sipstack import sdp
from sipstack.core.events import OfferAnswered, OfferDue, OfferRefused
from sipstack.errors import CallEnded, LocalProtocolError, RequestFailed, SipError
from sipstack.log import CALL
from sipstack.message import Headers
from sipstack.sdp import Direction
from sipstack.ua.call import Call
from sipstack.ua.leg import Leg
from sipstack.ua.result import Result
from sipstack.ua.runtime import Runtime
from sipstack.usage.invite.session import Session

EarlyEvent = OfferAnswered | OfferDue | OfferRefused


def allows_update(headers: Headers) -> bool:
    """Whether who sent these takes UPDATE: Allow alone says so."""
    return any(method.strip() == "UPDATE" for row in headers.raw("Allow") for method in row.split(","))


class Updating(Leg):
    """Offers of ours in a dialog that is not accepted yet, one at a time. What is under way when the call is
    answered goes on in the call.
    """

    _runtime: Runtime
    _one_at_a_time: asyncio.Lock
    _held = False
    _wish = Direction.SENDRECV
    _update: Result[None] | None = None

    @property
    def held(self) -> bool:
        """Whether we have put the other side on hold."""
        return self._held

    @property
    def _direction(self) -> Direction:
        return Direction.SENDONLY if self._held else Direction.SENDRECV

    async def hold(self) -> None:
        """Stop hearing the other side, by an UPDATE, before the call is answered: it goes on so.

        Raises LocalProtocolError unless both sides have agreed already, by reliable responses, and the other
        one allows UPDATE; RequestFailed when it is refused, and all stays as it was; CallEnded.
        """
        await self._offer_early(Direction.SENDONLY)

    async def resume(self) -> None:
        """End the hold. Raises like ``hold``."""
        await self._offer_early(Direction.SENDRECV)

    def _early(self) -> Session:
        """The dialog to offer in. Raises LocalProtocolError where no UPDATE may go out."""
        raise NotImplementedError

    async def _offer_early(self, direction: Direction) -> None:
        while self._update is not None:  # another caller's, or one whose caller was cancelled
            await self._update.settled()
        session, self._wish = self._early(), direction
        update = self._update = Result()
        try:
            await self._make_early_offer(session)
        except BaseException:
            self._update = None
            raise
        await update

    async def _make_early_offer(self, session: Session) -> None:
        async with self._one_at_a_time:
            offer = await self._port.offer(self._wish)
        if not session.is_alive or session.is_established:
            raise CallEnded("local", "the call was answered or given up meanwhile")
        self._runtime.command(session.reoffer, bytes(offer), self._runtime.now(), "UPDATE")

    def _settle_update(self, error: SipError | None) -> None:
        update, self._update = self._update, None
        if update is None:
            return
        if error is None:
            update.set(None)
        else:
            update.fail(error)

    def _updated(self, event: EarlyEvent) -> None:
        """What has become of our UPDATE."""
        match event:
            case OfferAnswered(body=body):
                self._runtime.spawn(self._take_update(body))
            case OfferRefused(response=response):
                self._settle_update(RequestFailed(response))
            case OfferDue(session=session):
                self._runtime.spawn(self._offer_once_more(session))

    async def _take_update(self, body: bytes) -> None:
        """The answer to it."""
        try:
            async with self._one_at_a_time:
                await self._port.answered(sdp.parse(body))
        except SipError as error:
            CALL.info("an answer cannot be taken before the call is answered: %s", error)
            self._settle_update(error)
        else:
            self._held = self._wish is Direction.SENDONLY
            self._settle_update(None)

    async def _offer_once_more(self, session: Session) -> None:
        """After glare: what was agreed meanwhile has made the old offer stale."""
        try:
            await self._make_early_offer(session)
        except SipError as error:
            self._settle_update(error)

    def _pass_on(self, call: Call) -> None:
        """The call is answered: it goes on from here."""
        call._held, call._wish = self._held, self._wish
        call._reoffer, self._update = self._update, None
        if call._reoffer is not None:
            call._method = "UPDATE"


def not_agreed() -> LocalProtocolError:
    """Why there is nothing to change yet."""
    return LocalProtocolError(
        "nothing is agreed before the answer: UPDATE needs early media in a reliable response (RFC 3262)"
    )


def not_allowed() -> LocalProtocolError:
    """Why no UPDATE goes out."""
    return LocalProtocolError("the other side does not allow UPDATE: hold it once the call is answered")
