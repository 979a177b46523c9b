"""The ``async with`` blocks of calls that we place. Classes: generators, nested, cost a call a tenth of its
time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

from sipstack.errors import TransactionTimeout
from sipstack.ua.call import Call
from sipstack.ua.outgoing import OutgoingInvite
from sipstack.usage.invite.reasons import NO_ANSWER

Begin = Callable[[], Awaitable[OutgoingInvite]]


class InviteBlock:
    """Owns an OutgoingInvite: leaving the block cancels it, or hangs up."""

    __slots__ = ("_begin", "_outgoing")

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._outgoing: OutgoingInvite | None = None

    async def __aenter__(self) -> OutgoingInvite:
        self._outgoing = outgoing = await self._begin()
        return outgoing

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._outgoing is not None:
            await self._outgoing._close()


class CallBlock:
    """Owns a call: entering waits for the answer, leaving hangs up."""

    __slots__ = ("_invite", "_ring_timeout")

    def __init__(self, begin: Begin, ring_timeout: float | None) -> None:
        self._invite = InviteBlock(begin)
        self._ring_timeout = ring_timeout

    async def __aenter__(self) -> Call:
        outgoing = await self._invite.__aenter__()
        try:
            if self._ring_timeout is None:
                return await outgoing.answered()
            return await _answered_within(outgoing, self._ring_timeout)
        except BaseException as error:
            await self._invite.__aexit__(type(error), error, error.__traceback__)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._invite.__aexit__(kind, error, trace)


async def _answered_within(outgoing: OutgoingInvite, seconds: float) -> Call:
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            return await outgoing.answered()
    except TimeoutError:
        if not deadline.expired():
            raise
        outgoing._why = NO_ANSWER
        raise TransactionTimeout(f"nobody answered within {seconds:g} s") from None
