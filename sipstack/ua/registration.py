"""A registration that is kept alive while an ``async with`` block runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import attrs

from sipstack.core.events import Registered, RegistrationFailed, Unregistered
from sipstack.core.usages import Registration as Usage
from sipstack.errors import AuthenticationFailed, RegistrationRejected, SipError
from sipstack.ua.backoff import Backoff

if TYPE_CHECKING:
    from sipstack.ua.agent import UserAgent

TRANSIENT = frozenset({408, 480, 500, 502, 503, 504})
"""Refusals that say nothing of us: trying again later may help."""


@attrs.frozen
class RegistrationState:
    """What became of the latest REGISTER. ``expires_at`` is in the time of the event loop."""

    active: bool
    expires_at: float | None
    error: SipError | None


class Registration:
    """Our binding at the registrar."""

    def __init__(self, agent: UserAgent, usage: Usage, retry: Backoff | None) -> None:
        self._agent = agent
        self._usage = usage
        self._retry = retry
        self._delays: Iterator[float] | None = None
        self._retrying: asyncio.TimerHandle | None = None
        self._states = States()
        self._first: asyncio.Future[None] = agent.loop.create_future()
        self._removed: asyncio.Future[None] = agent.loop.create_future()
        self._leaving = False
        self._pending = False  # a REGISTER is under way
        self.active = False
        self.expires_at: float | None = None
        self.error: SipError | None = None
        agent.registration_opened(usage, self)

    def __repr__(self) -> str:
        return f"<Registration {'active' if self.active else 'inactive'}>"

    def states(self) -> States:
        """Each change of state; ends when the registration is closed, or given up as trying again will not
        help.
        """
        return self._states

    async def open(self) -> None:
        """Register. Raises RegistrationRejected or AuthenticationFailed; without ``retry`` also
        TransactionTimeout and TransportError."""
        self._refresh()
        await asyncio.shield(self._first)

    def _refresh(self) -> None:
        self._pending = True
        self._agent.command(self._usage.refresh, self._agent.now())

    async def close(self) -> None:
        """Un-register, waiting a few seconds at the most."""
        self._stop_retrying()
        if (self.active or self._pending) and not self._leaving:
            await self.remove(everything=False)
        self._leaving = True
        self._states.close()
        self._agent.registration_closed(self._usage)

    async def remove(self, *, everything: bool) -> None:
        """Take the binding away (or every binding of the address-of-record)."""
        self._leaving = True
        remove = self._usage.remove_all if everything else self._usage.remove
        self._agent.command(remove, self._agent.now())
        await asyncio.wait([self._removed], timeout=self._agent.patience)

    # -- events --------------------------------------------------------------------------------------------

    def on_event(self, event: Registered | Unregistered | RegistrationFailed) -> None:
        """An event of our usage."""
        match event:
            case Registered(expires=expires):
                self._delays = None
                self._change(RegistrationState(True, self._agent.now() + expires, None))
            case Unregistered():
                self._change(RegistrationState(False, None, None))
            case RegistrationFailed(response=response, error=failure):
                error = failure
                if response is not None:
                    kind = AuthenticationFailed if response.status in (401, 407) else RegistrationRejected
                    error = kind(response)
                self._failed(error, transient=response is None or response.status in TRANSIENT)

    def _change(self, state: RegistrationState) -> None:
        self.active, self.expires_at, self.error = state.active, state.expires_at, state.error
        self._pending = False
        self._states.put(state)
        first = self._removed if self._leaving else self._first
        if not first.done():
            first.set_result(None)

    def _failed(self, error: SipError | None, *, transient: bool) -> None:
        again = transient and self._retry is not None and not self._leaving
        if not again and not self._leaving and not self._first.done() and error is not None:
            self._first.set_exception(error)
            self._first.exception()  # looked at: nobody may await it any more
        self._change(RegistrationState(False, None, error))
        if again:
            self._plan_retry()
        else:
            self._states.close()

    def _plan_retry(self) -> None:
        assert self._retry is not None
        if self._delays is None:
            self._delays = self._retry.delays(self._agent.identifiers)
        self._retrying = self._agent.loop.call_later(next(self._delays), self._try_again)

    def _try_again(self) -> None:
        self._retrying = None
        self._refresh()

    def _stop_retrying(self) -> None:
        if self._retrying is not None:
            self._retrying.cancel()
            self._retrying = None


class States:
    """An iterator over registration states."""

    def __init__(self) -> None:
        self._waiting: deque[RegistrationState] = deque(maxlen=64)
        self._news = asyncio.Event()
        self._closed = False

    def put(self, state: RegistrationState) -> None:
        self._waiting.append(state)
        self._news.set()

    def close(self) -> None:
        self._closed = True
        self._news.set()

    def __aiter__(self) -> States:
        return self

    async def __anext__(self) -> RegistrationState:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()


@contextlib.asynccontextmanager
async def registered(registration: Registration) -> AsyncIterator[Registration]:
    """Own ``registration``: leaving the block un-registers."""
    try:
        await registration.open()
        yield registration
    finally:
        await registration.close()
