"""One flow of a registration: its REGISTERs, when the next one is tried, its end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import attrs

from sipstack.core.events import AddressChanged, FlowLost, Registered, RegistrationFailed, Unregistered
from sipstack.errors import FlowClosed, RegistrationRejected, SipError, TransactionTimeout
from sipstack.log import TRANSACTION
from sipstack.message import Response
from sipstack.ua.backoff import LONGEST_PAUSE, Backoff
from sipstack.ua.kept_records import binding_values
from sipstack.ua.kept_state import Kept
from sipstack.ua.learned_address import LearnedAddress, Verdict, seen_at
from sipstack.ua.refusal import refusal
from sipstack.ua.runtime import Runtime
from sipstack.ua.soft_state import SoftState
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


class Binding(SoftState):
    """One flow; its target is the address-of-record."""

    _UNANSWERED = "%s may still be registered: the registrar does not answer"

    def __init__(
        self, runtime: Runtime, usage: Usage, user: BindingUser, aor: str, kept: Kept | None = None
    ) -> None:
        super().__init__(runtime, aor, kept)
        self.given_up = False
        """Whether it failed, and is not tried again."""
        self.usage = usage
        self._user: BindingUser = user
        self._address = LearnedAddress()
        self._registered_at = -math.inf
        self._pending = False  # a REGISTER is under way
        self._removing = False  # the REGISTER under way, or waiting for it, un-registers
        self._bound_until = -math.inf  # until then the registrar sends calls to us, whatever happened since
        runtime.attach(self, usage)

    def __repr__(self) -> str:
        return f"<Binding of {self._target} {'active' if self.active else 'inactive'}>"

    @property
    def active(self) -> bool:
        """Whether it stands, as far as the latest answer tells."""
        return self._expires_at is not None

    @property
    def state(self) -> RegistrationState:
        """How it stands."""
        return RegistrationState(self.active, self._expires_at, self._error, self._retry_at)

    @property
    def is_over(self) -> bool:
        """Whether nothing comes of it any more."""
        return self._closed.done

    def register(self) -> None:
        """Send the first REGISTER."""
        self._place()

    def remove_all(self) -> None:
        """Take away every binding of the address-of-record."""
        self._closing = self._removing = True
        self._send(self.usage.remove_all)

    def revive(self) -> None:
        """Try again after all: another flow of the registration works."""
        if self.given_up and not self._closing and self._error is not None:
            self._plan(self._error, self._user._backoff(self, self._error), None)

    # -- see SoftState -------------------------------------------------------------------------------------

    def _place(self) -> None:
        # before the first success there may be a Contact from before a restart, at another address
        self._send(self.usage.refresh if self._worked else self.usage.move)

    def _withdraw(self) -> None:
        """At once, or after the REGISTER that is under way, because they must not overtake one another (RFC
        3261 §10.2).
        """
        if not self._pending:
            self._unregister()

    def _abort(self, reason: str) -> None:
        TRANSACTION.info("the registration of %s ends: %s", self._target, reason)
        self.given_up = self._closing = True
        error = FlowClosed(reason)
        self._change(None, error)
        self._finish(error)

    def _over(self, error: SipError | None) -> None:
        self._runtime.command(self.usage.leave)
        self._runtime.detach(self, self.usage)
        user, self._user = self._user, Nobody()
        user._ended()

    def _send(self, command: Callable[[float], None]) -> None:
        self._pending = True
        self._runtime.command(command, self._runtime.now())

    def _unregister(self) -> None:
        # While active it is refreshed, and a REGISTER that we know nothing of may be under way
        if self.active or self._runtime.now() < self._bound_until:
            self._removing = True
            self._send(self.usage.remove)
        else:
            self._finish(self._error)

    # -- our address ---------------------------------------------------------------------------------------

    def _learn(self, response: Response) -> None:
        """The registrar tells where it sees us (RFC 3581): with ``advertise="auto"`` that is where we are."""
        flow, now = self.usage.flow, self._runtime.now()
        seen = seen_at(response)
        if flow is None or seen is None or self._closing or not getattr(flow.endpoint, "learns", False):
            return
        verdict = self._address.judge(seen, flow.advertised, now)
        if verdict is Verdict.ASK:
            TRANSACTION.info("%s: the registrar sees us at %s now: it is asked again", self._target, seen)
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
        if self.active or self._pending:
            self._send(self.usage.move)

    # -- events --------------------------------------------------------------------------------------------

    def _on_event(self, event: Registered | Unregistered | RegistrationFailed | FlowLost) -> None:
        if not isinstance(event, FlowLost):
            self._pending = False
            refused = isinstance(event, RegistrationFailed) and event.response is None
            self._heard = self._heard or not refused
        match event:
            case Registered(expires=expires):
                TRANSACTION.info("%s is registered for %s s", self._target, expires)
                self._worked, self._registered_at = True, self._runtime.now()
                self._bound_until = self._registered_at + expires
                self._change(self._bound_until, None)
                self._keep_record(expires)
                self._learn(event.response)
            case Unregistered():
                TRANSACTION.info("%s is not registered any more", self._target)
                self._bound_until = -math.inf
                self._forget()
                self._change(None, None)
            case RegistrationFailed():
                self._failed(failure(event), event.retry_after)
            case FlowLost():
                self._flow_lost(event.error)
        if self._removing and not self._pending:
            self._finish(self._error)
        elif self._closing and not self._pending:
            self._unregister()

    def _keep_record(self, expires: float) -> None:
        if self._kept is not None and (record := self.usage.record(self._runtime.now())) is not None:
            self._keep(binding_values(record), expires)

    def _change(self, expires_at: float | None, error: SipError | None) -> None:
        """Nothing is planned any more."""
        self._stop_trying()
        self._expires_at, self._error = expires_at, error
        self._user._changed(self)

    def _failed(self, error: SipError, pause: float | None) -> None:
        write = TRANSACTION.warning if self._worked else TRANSACTION.info  # the first is raised
        write("the registration of %s failed: %s", self._target, error)
        if self._closing:
            self._change(None, error)
            return
        self._count(anew=self.active)
        backoff = self._user._backoff(self, error)
        if backoff is None:
            self._give_up(error)
        else:
            self._plan(error, backoff, pause)

    def _flow_lost(self, error: SipError) -> None:
        """At once, for nobody can call us (RFC 5626 §4.4); but a flow that never lasts is no use."""
        TRANSACTION.warning("the flow of the registration of %s is lost: %s", self._target, error)
        if self._closing:
            return
        self._count(anew=self._runtime.now() - self._registered_at >= STABLE)
        backoff = self._user._backoff(self, error)
        if backoff is None:
            self._give_up(error)
        elif self._failures == 1:  # an edge proxy has many clients
            self._try_again_in(error, self._runtime.identifiers.uniform(0.0, 1.0))
        else:
            self._try_again_in(error, backoff.wait(self._failures - 1, self._runtime.identifiers))

    def _give_up(self, error: SipError) -> None:
        if self._worked:
            TRANSACTION.warning("%s is not registered any more, and will not try again", self._target)
        self.given_up = True
        self._runtime.command(self.usage.leave)
        self._change(None, error)

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
        self._try_again_in(error, delay)

    def _try_again_in(self, error: SipError, wait: float) -> None:
        TRANSACTION.warning("%s will register again in %s s", self._target, round(wait, 1))
        self.given_up = False
        self._expires_at, self._error = None, error
        self._try_in(wait)
        self._user._changed(self)


def failure(event: RegistrationFailed) -> SipError:
    """The error that a failed REGISTER stands for."""
    if event.response is None:
        return event.error or TransactionTimeout("no response to REGISTER")
    return refusal(event.response, event.registration.request, RegistrationRejected)
