"""Soft state: what a server keeps for us until a time, a binding, a subscription or a publication."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from sipstack.errors import FlowClosed, SipError
from sipstack.log import TRANSACTION
from sipstack.ua.backoff import LONGEST_PAUSE
from sipstack.ua.kept_state import Kept
from sipstack.ua.result import SILENCE, Result
from sipstack.ua.runtime import Runtime


class SoftState:
    """It is placed at the server, refreshed before it expires, placed again when it was lost and that may
    help, and withdrawn at the end. Its usage in the core sends the requests: here is what comes of them.

    What a restart goes on with is in ``kept``, while it lasts; None where nothing is kept. See
    ``runtime.Live`` for how it ends.
    """

    _UNANSWERED: ClassVar[str]
    """What is logged of its target when the server does not answer that it is withdrawn."""

    def __init__(self, runtime: Runtime, target: str, kept: Kept | None = None) -> None:
        self._runtime = runtime
        self._kept = kept
        if kept is not None:
            kept.lost = self._taken_over
        self._target = target
        self._expires_at: float | None = None
        self._retry_at: float | None = None
        self._error: SipError | None = None
        self._worked = False  # the server had it once
        self._failures = 0  # in a row
        self._began = runtime.now()
        self._heard = False  # the server has said something
        self._retrying: asyncio.TimerHandle | None = None
        self._closing = False
        self._closed: Result[None] = Result()

    # -- how it stands -------------------------------------------------------------------------------------

    @property
    def target(self) -> str:
        """The URI that it is of."""
        return self._target

    @property
    def expires_at(self) -> float | None:
        """When it ends unless it is refreshed, in the event loop's time; None while there is none."""
        return self._expires_at

    @property
    def error(self) -> SipError | None:
        """What the latest request came to, or what it was lost with; None while all is well, and where its
        end was wanted, by us or by the server.
        """
        return self._error

    # -- what each kind does -------------------------------------------------------------------------------

    def _place(self) -> None:
        """Place it again: the wait after a failure is over."""
        raise NotImplementedError

    def _withdraw(self) -> None:
        """Have the server forget it; or ``_finish``, where there is nothing to forget."""
        raise NotImplementedError

    def _over(self, error: SipError | None) -> None:
        """It is over: leave the usage, and tell who waits."""
        raise NotImplementedError

    # -- beyond this process -------------------------------------------------------------------------------

    def _keep(self, values: object, lifetime: float) -> None:
        """A restart goes on with ``values``, for as long as the server has it."""
        if self._kept is not None:
            self._kept.put(values, lifetime)

    def _forget(self) -> None:
        """The server does not have it any more."""
        if self._kept is not None:
            self._kept.forget()

    def _taken_over(self) -> None:
        """There is one owner, and that is another process: this one leaves it to that, without a word."""
        self._abort("another process of this node's name goes on with it")

    # -- trying again --------------------------------------------------------------------------------------

    def _count(self, *, anew: bool) -> None:
        """One more failure; ``anew``: what was before it was a success, and the waits are short again."""
        self._failures = 1 if anew else self._failures + 1

    def _try_in(self, wait: float, pause: float | None = None) -> float:
        """Place it again in ``wait`` seconds, and not before a Retry-After, ``pause``, is over. Returns the
        seconds.
        """
        if pause is not None:
            wait = max(wait, min(pause, LONGEST_PAUSE))
        self._stop_trying()
        self._retry_at = self._runtime.now() + wait
        self._retrying = self._runtime.loop.call_later(wait, self._place)
        return wait

    def _stop_trying(self) -> None:
        self._retry_at = None
        if self._retrying is not None:
            self._retrying.cancel()
            self._retrying = None

    # -- the end -------------------------------------------------------------------------------------------

    async def _close(self) -> None:
        """Withdraw it, and wait a few seconds at the most."""
        self._begin_to_close()
        await self._left()

    def _begin_to_close(self) -> None:
        """Withdraw it; ``_left`` waits for the answer."""
        if not self._closing and not self._closed.done:
            grace = self._runtime.grace
            grace.begin(self._closed)
            if not self._heard:
                self._runtime.loop.call_at(self._began + grace.seconds * SILENCE, self._leave_unless_heard)
        self._close_nowait()

    async def _left(self) -> None:
        """Wait until it is over, a few seconds at the most: hardly at all where the server has never
        answered.
        """
        await self._closed.settled()
        if not self._closed.done:
            TRANSACTION.warning(self._UNANSWERED, self._target)

    def _leave_unless_heard(self) -> None:
        if not self._heard:
            self._closed.leave()

    def _close_nowait(self) -> bool:
        if not self._closing:
            self._closing = True
            self._stop_trying()
            self._withdraw()
        return not self._closed.done and not self._closed.late

    def _abort(self, reason: str) -> None:
        self._finish(FlowClosed(reason))

    def _finish(self, error: SipError | None) -> None:
        """It is over: with ``error``, or as was wanted. Only the first time counts."""
        if not self._closed.done:
            self._stop_trying()
            self._expires_at, self._error = None, error
            self._closed.set(None)
            if self._kept is not None:
                self._kept.release()
            self._over(error)
