"""One flow of a registration: its REGISTERs, when the next one is tried, its end."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

import attrs

from sipstack.core.events import AddressChanged, FlowLost, Registered, RegistrationFailed, Unregistered
from sipstack.errors import FlowClosed, RegistrationRejected, SipError, TransactionTimeout
from sipstack.log import TRANSACTION
from sipstack.message import Response
from sipstack.ua.backoff import LONGEST_PAUSE, Backoff
from sipstack.ua.learned_address import LearnedAddress, Verdict, seen_at
from sipstack.ua.refusal import refusal
from sipstack.ua.result import SILENCE, Result
from sipstack.ua.runtime import Runtime
from sipstack.usage.registration.usage import RegistrationUsage as Usage

STABLE = 120.0
"""Seconds: a flow that was lost sooner was no success, so the waits go on growing (RFC 5626 §4.5)."""


@attrs.frozen
class RegistrationState:
    """The outcome of the latest REGISTER. ``expires_at``, when the binding ends unless it is refreshed, and
    ``retry_at``, when the next attempt is made after one that failed, are in the time of the event loop;
    both may be None. An ``error`` without ``retry_at`` is the last: it takes a human.
    """

    active: bool
    expires_at: float | None
    error: SipError | None
    retry_at: float | None = None


class BindingUser(Protocol):
    """The registration that a binding belongs to."""

    def _backoff(self, binding: Binding, error: SipError) -> Backoff | None:
        """The waits after ``error``; None when trying again will not help."""

    def _changed(self, binding: Binding) -> None:
        """The state of ``binding`` is another one."""

    def _ended(self) -> None:
        """A binding is over."""


class Nobody:
    """Takes the place of the registration once the binding is over, which would refer to it in turn."""

    def _backoff(self, binding: Binding, error: SipError) -> None: ...

    def _changed(self, binding: Binding) -> None: ...

    def _ended(self) -> None: ...


class Binding:
    """One flow: see ``runtime.Live``."""

    def __init__(self, runtime: Runtime, usage: Usage, user: BindingUser, aor: str) -> None:
        self.state = RegistrationState(False, None, None)
        self.given_up = False
        """Whether it failed, and is not tried again."""
        self.closed: Result[None] = Result()
        self.usage = usage
        self._runtime = runtime
        self._user: BindingUser = user
        self._aor = aor
        self._address = LearnedAddress()
        self._failures = 0  # in a row
        self._registered_at = -math.inf
        self._retrying: asyncio.TimerHandle | None = None
        self._pending = False  # a REGISTER is under way
        self._began = runtime.now()
        self._heard = False  # the registrar has answered a REGISTER
        self._closing = False
        self._removing = False  # the REGISTER under way, or waiting for it, un-registers
        self._bound_until = -math.inf  # until then the registrar sends calls to us, whatever happened since
        runtime.attach(self, usage)

    def __repr__(self) -> str:
        return f"<Binding of {self._aor} {'active' if self.state.active else 'inactive'}>"

    @property
    def has_worked(self) -> bool:
        """Whether it was ever registered."""
        return self._registered_at > -math.inf

    def register(self) -> None:
        """Send the first REGISTER."""
        self._send(self.usage.refresh)

    def remove_all(self) -> None:
        """Take away every binding of the address-of-record."""
        self._closing = self._removing = True
        self._send(self.usage.remove_all)

    def revive(self) -> None:
        """Try again after all: another flow of the registration works."""
        if self.given_up and not self._closing and self.state.error is not None:
            self._plan(self.state.error, self._user._backoff(self, self.state.error), None)

    # -- the end: see runtime.Live -------------------------------------------------------------------------

    def close(self) -> None:
        """Un-register; ``left`` waits for the answer."""
        if not self._closing:
            grace = self._runtime.grace
            grace.begin(self.closed)
            if not self._heard:
                loop = self._runtime.loop
                loop.call_at(self._began + grace.seconds * SILENCE, self._leave_unless_heard)
        self._close_nowait()

    async def left(self) -> None:
        """Wait until it is over, a few seconds at the most: hardly at all where the registrar has never
        answered.
        """
        await self.closed.settled()
        if not self.closed.done:
            TRANSACTION.warning("%s may still be registered: the registrar does not answer", self._aor)

    def _leave_unless_heard(self) -> None:
        if not self._heard:
            self.closed.leave()

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
        return not self.closed.late

    def _abort(self, reason: str) -> None:
        error = FlowClosed(reason)
        TRANSACTION.info("the registration of %s ends: %s", self._aor, reason)
        self.given_up = self._closing = True
        self._change(RegistrationState(False, None, error))
        self._finish()

    def _send(self, command: Callable[[float], None]) -> None:
        self._pending = True
        self._runtime.command(command, self._runtime.now())

    def _unregister(self) -> None:
        # While active it is refreshed, and a REGISTER that we know nothing of may be under way
        if self.state.active or self._runtime.now() < self._bound_until:
            self._removing = True
            self._send(self.usage.remove)
        else:
            self._finish()

    def _finish(self) -> None:
        self.closed.set(None)
        self._runtime.command(self.usage.leave)
        self._runtime.detach(self, self.usage)
        user, self._user = self._user, Nobody()
        user._ended()

    # -- our address ---------------------------------------------------------------------------------------

    def _learn(self, response: Response) -> None:
        """The registrar tells where it sees us (RFC 3581): with ``advertise="auto"`` that is where we are."""
        flow, now = self.usage.flow, self._runtime.now()
        seen = seen_at(response)
        if flow is None or seen is None or self._closing or not getattr(flow.endpoint, "learns", False):
            return
        verdict = self._address.judge(seen, flow.advertised, now)
        if verdict is Verdict.ASK:
            TRANSACTION.info("%s: the registrar sees us at %s now: it is asked again", self._aor, seen)
            self._send(self.usage.refresh)
        elif verdict is Verdict.MOVE:
            self._runtime.driver.learned(flow, seen, "so its answer says")

    def _moved(self, change: AddressChanged) -> None:
        """The registrar knows an address that is not ours any more."""
        flow = self.usage.flow
        if flow is None or flow not in change.moves or self._closing:
            return
        if change.moves[flow].local != flow.local:  # what was learned was so in another network
            self._address = LearnedAddress()
        if self.state.active or self._pending:
            self._send(self.usage.move)

    # -- events --------------------------------------------------------------------------------------------

    def _on_event(self, event: Registered | Unregistered | RegistrationFailed | FlowLost) -> None:
        if not isinstance(event, FlowLost):
            self._pending = False
            refused = isinstance(event, RegistrationFailed) and event.response is None
            self._heard = self._heard or not refused
        match event:
            case Registered(expires=expires):
                TRANSACTION.info("%s is registered for %s s", self._aor, expires)
                self._registered_at = self._runtime.now()
                self._bound_until = self._registered_at + expires
                self._change(RegistrationState(True, self._bound_until, None))
                self._learn(event.response)
            case Unregistered():
                TRANSACTION.info("%s is not registered any more", self._aor)
                self._bound_until = -math.inf
                self._change(RegistrationState(False, None, None))
            case RegistrationFailed():
                self._failed(failure(event), event.retry_after)
            case FlowLost():
                self._flow_lost(event.error)
        if self._removing and not self._pending:
            self._finish()
        elif self._closing and not self._pending:
            self._unregister()

    def _change(self, state: RegistrationState) -> None:
        self.state = state
        self._user._changed(self)

    def _failed(self, error: SipError, pause: float | None) -> None:
        write = TRANSACTION.warning if self.has_worked else TRANSACTION.info  # the first is raised
        write("the registration of %s failed: %s", self._aor, error)
        if self._closing:
            self._change(RegistrationState(False, None, error))
            return
        if self.state.active:
            self._failures = 0
        self._failures += 1
        backoff = self._user._backoff(self, error)
        if backoff is None:
            self._give_up(error)
        else:
            self._plan(error, backoff, pause)

    def _flow_lost(self, error: SipError) -> None:
        """At once, for nobody can call us (RFC 5626 §4.4); but a flow that never lasts is no use."""
        TRANSACTION.warning("the flow of the registration of %s is lost: %s", self._aor, error)
        if self._closing:
            return
        if self._runtime.now() - self._registered_at >= STABLE:
            self._failures = 0
        self._failures += 1
        backoff = self._user._backoff(self, error)
        if backoff is None:
            self._give_up(error)
        elif self._failures == 1:
            self._try_in(error, self._runtime.identifiers.uniform(0.0, 1.0))  # an edge proxy has many clients
        else:
            self._try_in(error, backoff.wait(self._failures - 1, self._runtime.identifiers))

    def _give_up(self, error: SipError) -> None:
        if self.has_worked:
            TRANSACTION.warning("%s is not registered any more, and will not try again", self._aor)
        self.given_up = True
        self._runtime.command(self.usage.leave)
        self._change(RegistrationState(False, None, error))

    def _plan(self, error: SipError, backoff: Backoff | None, pause: float | None) -> None:
        if backoff is None:
            return
        identifiers = self._runtime.identifiers
        delay = backoff.wait(self._failures, identifiers)
        left = self._bound_until - self._runtime.now()
        if self._failures == 1 and left > 0:  # while the binding stands, it may not end at all
            delay = min(delay, left / 2)
        if pause is not None:
            delay = max(delay, min(pause, LONGEST_PAUSE) * identifiers.uniform(1.0, 1.1))
        self._try_in(error, delay)

    def _try_in(self, error: SipError, delay: float) -> None:
        TRANSACTION.warning("%s will register again in %s s", self._aor, round(delay, 1))
        loop = self._runtime.loop
        if self._retrying is not None:
            self._retrying.cancel()
        self._retrying = loop.call_later(delay, self._try_again)
        self.given_up = False
        self._change(RegistrationState(False, None, error, loop.time() + delay))

    def _try_again(self) -> None:
        self._retrying = None
        self._send(self.usage.refresh)


def failure(event: RegistrationFailed) -> SipError:
    """The error that a failed REGISTER stands for."""
    if event.response is None:
        return event.error or TransactionTimeout("no response to REGISTER")
    return refusal(event.response, event.registration.request, RegistrationRejected)
