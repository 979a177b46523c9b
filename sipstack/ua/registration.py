"""A registration that is kept alive while an ``async with`` block runs."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING

import attrs

from sipstack.core.events import Registered, RegistrationFailed, Unregistered
from sipstack.errors import AuthenticationFailed, RegistrationRejected, SipError, TransactionTimeout
from sipstack.ua.backoff import Backoff
from sipstack.ua.outcome import Outcome
from sipstack.ua.stream import Stream
from sipstack.usage.registration import Registration as Usage

if TYPE_CHECKING:
    from sipstack.ua.agent import UserAgent


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
        self._states: Stream[RegistrationState] = Stream()
        self._first: Outcome[None] = Outcome()
        self._gone: Outcome[None] = Outcome()
        self._pending = False  # a REGISTER is under way
        self._leaving = False
        self._removing = False
        self._bound_until = -math.inf  # whatever happened since: so long the registrar sends calls to us
        self.active = False
        self.expires_at: float | None = None
        self.error: SipError | None = None
        agent.registration_opened(usage, self)

    def __repr__(self) -> str:
        return f"<Registration {'active' if self.active else 'inactive'}>"

    def states(self) -> Stream[RegistrationState]:
        """Each change of state; ends when the registration is closed, or given up as trying again will not
        help.
        """
        return self._states

    async def open(self) -> None:
        """Register. Raises RegistrationRejected, AuthenticationFailed, TransactionTimeout or TransportError,
        unless ``retry`` is given and trying again may help.
        """
        self._send(self._usage.refresh)
        await self._first

    async def close(self) -> None:
        """Un-register, waiting a few seconds at the most."""
        if not self._leaving:
            self._agent.goodbyes.limit(self._gone)
        self.leave()
        await self._gone.settled()

    def leave(self) -> None:
        """Un-register without waiting: at once, or after the REGISTER that is under way, because they must
        not overtake one another (RFC 3261 §10.2).
        """
        if self._leaving:
            return
        self._leaving = True
        if self._retrying is not None:
            self._retrying.cancel()
        if not self._pending:
            self._remove()

    async def remove_all(self) -> None:
        """Take away every binding of the address-of-record. Raises like ``open``."""
        self._leaving = self._removing = True
        self._send(self._usage.remove_all)
        await self._gone
        if self.error is not None:
            raise self.error

    def let_go(self, error: SipError) -> None:
        """The user agent is closed: nothing will come of what is under way."""
        self._change(RegistrationState(False, None, error))
        self._first.fail(error)
        self._finish()

    def _send(self, what: Callable[[float], None]) -> None:
        self._pending = True
        self._agent.command(what, self._agent.now())

    def _remove(self) -> None:
        # While active it is refreshed, and a REGISTER that we know nothing of may be under way
        if self.active or self._agent.now() < self._bound_until:
            self._removing = True
            self._send(self._usage.remove)
        else:
            self._finish()

    def _finish(self) -> None:
        self._gone.set(None)
        self._states.close()
        self._agent.registration_closed(self._usage)

    # -- events --------------------------------------------------------------------------------------------

    def on_event(self, event: Registered | Unregistered | RegistrationFailed) -> None:
        """An event of our usage."""
        self._pending = False
        match event:
            case Registered(expires=expires):
                self._delays = None
                self._bound_until = self._agent.now() + expires
                self._change(RegistrationState(True, self._bound_until, None))
                self._first.set(None)
            case Unregistered():
                self._change(RegistrationState(False, None, None))
            case RegistrationFailed():
                self._failed(event)
        if self._removing:
            self._finish()
        elif self._leaving:
            self._remove()

    def _change(self, state: RegistrationState) -> None:
        self.active, self.expires_at, self.error = state.active, state.expires_at, state.error
        self._states.put(state)

    def _failed(self, event: RegistrationFailed) -> None:
        error = failure(event)
        self._change(RegistrationState(False, None, error))
        if self._leaving:
            return
        if self._retry is not None and error.transient:
            self._plan_retry(self._retry)
            self._first.set(None)
            return
        self._states.close()
        self._first.fail(error)

    def _plan_retry(self, retry: Backoff) -> None:
        if self._delays is None:
            self._delays = retry.delays(self._agent.identifiers)
        self._retrying = self._agent.loop.call_later(next(self._delays), self._try_again)

    def _try_again(self) -> None:
        self._retrying = None
        self._send(self._usage.refresh)


def failure(event: RegistrationFailed) -> SipError:
    """The error that a failed REGISTER stands for."""
    if event.response is None:
        return event.error or TransactionTimeout("no response to REGISTER")
    kind = AuthenticationFailed if event.response.status in (401, 407) else RegistrationRejected
    return kind(event.response)


@contextlib.asynccontextmanager
async def registered(registration: Registration) -> AsyncIterator[Registration]:
    """Own ``registration``: leaving the block un-registers."""
    try:
        await registration.open()
        yield registration
    finally:
        await registration.close()
