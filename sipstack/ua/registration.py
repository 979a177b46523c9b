"""A registration that is kept alive while an ``async with`` block runs."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Iterator

import attrs

from sipstack.core.events import Registered, RegistrationFailed, Unregistered
from sipstack.errors import (
    FlowClosed,
    RegistrationRejected,
    SipError,
    TransactionTimeout,
)
from sipstack.log import TRANSACTION
from sipstack.ua.backoff import Backoff
from sipstack.ua.refusal import authentication_failed
from sipstack.ua.result import SILENCE, Result
from sipstack.ua.runtime import Runtime
from sipstack.ua.stream import Stream
from sipstack.usage.registration import RegistrationUsage as Usage

REFRESHES = Backoff()
"""The waits after a refresh that failed, where ``retry`` is not given."""


@attrs.frozen
class RegistrationState:
    """The outcome of the latest REGISTER. ``expires_at`` is in the time of the event loop."""

    active: bool
    expires_at: float | None
    error: SipError | None


class Registration:
    """Our binding at the registrar."""

    def __init__(self, runtime: Runtime, usage: Usage, retry: Backoff | None, aor: str) -> None:
        self._runtime = runtime
        self._usage = usage
        self._retry = retry
        self._aor = aor
        self._delays: Iterator[float] | None = None
        self._retrying: asyncio.TimerHandle | None = None
        self._states: Stream[RegistrationState] = Stream()
        self._opened: Result[None] = Result()
        self._closed: Result[None] = Result()
        self._pending = False  # a REGISTER is under way
        self._began = runtime.now()
        self._heard = False  # the registrar has answered a REGISTER
        self._closing = False
        self._removing = False  # the REGISTER under way, or waiting for it, un-registers
        self._bound_until = -math.inf  # until then the registrar sends calls to us, whatever happened since
        self._active = False
        self._expires_at: float | None = None
        self._error: SipError | None = None
        runtime.attach(self, usage)

    def __repr__(self) -> str:
        return f"<Registration {'active' if self._active else 'inactive'}>"

    @property
    def active(self) -> bool:
        """Whether the registrar sends calls to us, as far as the latest answer tells."""
        return self._active

    @property
    def expires_at(self) -> float | None:
        """When the binding ends unless it is refreshed, in the event loop's time; None while inactive."""
        return self._expires_at

    @property
    def error(self) -> SipError | None:
        """What the latest REGISTER came to; None when it went well."""
        return self._error

    def states(self) -> AsyncIterator[RegistrationState]:
        """Each change of state; ends when the registration is closed, or given up as trying again will not
        help.
        """
        return self._states

    async def _open(self) -> None:
        """Register. Raises RegistrationRejected, AuthenticationFailed, TransactionTimeout or TransportError,
        unless ``retry`` is given and trying again may help.
        """
        self._send(self._usage.refresh)
        await self._opened

    async def _remove_all(self) -> None:
        """Take away every binding of the address-of-record. Raises like ``_open``."""
        self._closing = self._removing = True
        self._send(self._usage.remove_all)
        await self._closed
        if self._error is not None:
            raise self._error

    # -- the end: see runtime.Live -------------------------------------------------------------------------

    async def _close(self) -> None:
        """Un-register, and wait a few seconds at the most for the answer: hardly at all where the registrar
        has never answered.
        """
        if not self._closing:
            grace = self._runtime.grace
            grace.begin(self._closed)
            if not self._heard:
                loop = self._runtime.loop
                loop.call_at(self._began + grace.seconds * SILENCE, self._leave_unless_heard)
        self._close_nowait()
        await self._closed.settled()
        if not self._closed.done:
            TRANSACTION.warning("%s may still be registered: the registrar does not answer", self._aor)

    def _leave_unless_heard(self) -> None:
        if not self._heard:
            self._closed.leave()

    def _close_nowait(self) -> bool:
        """Un-register at once, or after the REGISTER that is under way, because they must not overtake one
        another (RFC 3261 §10.2).
        """
        if not self._closing:
            self._closing = True
            if self._retrying is not None:
                self._retrying.cancel()
            if not self._pending:
                self._unregister()
        return not self._closed.late

    def _abort(self, reason: str) -> None:
        error = FlowClosed(reason)
        TRANSACTION.info("the registration of %s ends: %s", self._aor, reason)
        self._change(RegistrationState(False, None, error))
        self._opened.fail(error)
        self._finish()

    def _send(self, command: Callable[[float], None]) -> None:
        self._pending = True
        self._runtime.command(command, self._runtime.now())

    def _unregister(self) -> None:
        # While active it is refreshed, and a REGISTER that we know nothing of may be under way
        if self._active or self._runtime.now() < self._bound_until:
            self._removing = True
            self._send(self._usage.remove)
        else:
            self._finish()

    def _finish(self) -> None:
        self._closed.set(None)
        self._states.close()
        self._runtime.detach(self, self._usage)

    # -- events --------------------------------------------------------------------------------------------

    def _on_event(self, event: Registered | Unregistered | RegistrationFailed) -> None:
        self._pending = False
        self._heard = self._heard or not isinstance(event, RegistrationFailed) or event.response is not None
        match event:
            case Registered(expires=expires):
                TRANSACTION.info("%s is registered for %s s", self._aor, expires)
                self._delays = None
                self._bound_until = self._runtime.now() + expires
                self._change(RegistrationState(True, self._bound_until, None))
                self._opened.set(None)
            case Unregistered():
                TRANSACTION.info("%s is not registered any more", self._aor)
                self._change(RegistrationState(False, None, None))
            case RegistrationFailed():
                self._failed(event)
        if self._removing:
            self._finish()
        elif self._closing:
            self._unregister()

    def _change(self, state: RegistrationState) -> None:
        self._active, self._expires_at, self._error = state.active, state.expires_at, state.error
        self._states.put(state)

    def _failed(self, event: RegistrationFailed) -> None:
        error = failure(event)
        self._change(RegistrationState(False, None, error))
        standing = self._opened.done
        write = TRANSACTION.warning if standing else TRANSACTION.info  # the first is raised
        write("the registration of %s failed: %s", self._aor, error)
        if self._closing:
            return
        # What has worked once is tried again in any case: who only answers calls would never hear of its end
        retry = self._retry or (REFRESHES if standing else None)
        if retry is not None and error.transient:
            self._plan_retry(retry)
            self._opened.set(None)
            return
        if standing:
            TRANSACTION.warning("%s is not registered any more, and will not try again", self._aor)
        self._states.close()
        self._opened.fail(error)

    def _plan_retry(self, retry: Backoff) -> None:
        if self._delays is None:
            self._delays = retry.delays(self._runtime.identifiers)
        delay = next(self._delays)
        TRANSACTION.warning("%s will register again in %s s", self._aor, delay)
        self._retrying = self._runtime.loop.call_later(delay, self._try_again)

    def _try_again(self) -> None:
        self._retrying = None
        self._send(self._usage.refresh)


def failure(event: RegistrationFailed) -> SipError:
    """The error that a failed REGISTER stands for."""
    if event.response is None:
        return event.error or TransactionTimeout("no response to REGISTER")
    if event.response.status in (401, 407):
        return authentication_failed(event.response, event.registration.request)
    return RegistrationRejected(event.response)


@contextlib.asynccontextmanager
async def registered(registration: Registration) -> AsyncIterator[Registration]:
    """Own ``registration``: leaving the block un-registers."""
    try:
        await registration._open()
        yield registration
    finally:
        await registration._close()


async def unregister_all(registration: Registration) -> None:
    """Remove every binding of its address-of-record. Raises like entering ``registered``."""
    try:
        await registration._remove_all()
    finally:
        await registration._close()
