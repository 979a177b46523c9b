"""A registration that is kept alive while an ``async with`` block runs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from sipstack.errors import AuthenticationFailed, LocalProtocolError, SipError
from sipstack.ua.backoff import ANOTHER_FLOW, NO_FLOW, Backoff
from sipstack.ua.binding import Binding, RegistrationState
from sipstack.ua.kept_state import Kept
from sipstack.ua.result import Result
from sipstack.ua.runtime import Runtime
from sipstack.ua.stream import Stream
from sipstack.usage.registration.grant import Grant
from sipstack.usage.registration.usage import RegistrationUsage as Usage

__all__ = ["Registration", "RegistrationState", "registered", "unregister_all"]

REFRESHES = Backoff()
"""The waits after a refresh that failed, where ``retry`` is not given."""
NOTHING = Grant(0.0)

Retry = Backoff | bool | None
"""``retry=`` of ``register``: True stands for the waits of RFC 5626 §4.5."""


class Registration:
    """Our binding at the registrar; with outbound (RFC 5626) one for each flow."""

    def __init__(
        self,
        runtime: Runtime,
        usages: Sequence[tuple[Usage, Kept | None]],
        retry: Retry,
        aor: str,
        *,
        outbound: bool = False,
    ) -> None:
        self._retry = retry
        self._outbound = outbound
        self._states: Stream[RegistrationState] = Stream()
        self._opened: Result[None] = Result()
        self._worked = False  # a flow was registered once
        self._bindings = [Binding(runtime, usage, self, aor, kept) for usage, kept in usages]

    def __repr__(self) -> str:
        return f"<Registration {'active' if self.active else 'inactive'}>"

    # -- how it stands -------------------------------------------------------------------------------------

    @property
    def state(self) -> RegistrationState:
        """How it stands: active while one of the flows is, with the error of one that is not."""
        states = self.flows
        if len(states) == 1:
            return states[0]
        ends = [state.expires_at for state in states if state.expires_at is not None]
        tries = [state.retry_at for state in states if state.retry_at is not None]
        errors = [state.error for state in states if state.error is not None]
        return RegistrationState(
            any(state.active for state in states),
            max(ends, default=None),
            next(iter(errors), None),
            min(tries, default=None),
        )

    @property
    def flows(self) -> list[RegistrationState]:
        """The state of each flow, in the order of their proxies; a single one without outbound."""
        return [binding.state for binding in self._bindings]

    @property
    def active(self) -> bool:
        """Whether the registrar sends calls to us, as far as the latest answer tells."""
        return self.state.active

    @property
    def expires_at(self) -> float | None:
        """When the binding ends unless it is refreshed, in the event loop's time; None while inactive."""
        return self.state.expires_at

    @property
    def error(self) -> SipError | None:
        """What the latest REGISTER came to; None when it went well."""
        return self.state.error

    @property
    def retry_at(self) -> float | None:
        """When the next attempt is made after one that failed, in the event loop's time; None when none is
        waiting to be made.
        """
        return self.state.retry_at

    def states(self) -> AsyncIterator[RegistrationState]:
        """Each change of state; ends when the registration is closed, or given up as trying again will not
        help.
        """
        return self._states

    # -- what the registrar said of it ---------------------------------------------------------------------

    @property
    def _grant(self) -> Grant:
        grants = (each.usage.grant for each in self._bindings if each.state.active)
        return next((grant for grant in grants if grant is not None), NOTHING)

    @property
    def path(self) -> tuple[str, ...]:
        """The proxies by which calls come to us, as name-addrs (RFC 3327)."""
        return self._grant.path

    @property
    def service_route(self) -> tuple[str, ...]:
        """The proxies by which our calls and requests go while we are registered, after the account's own
        proxy, as name-addrs (RFC 3608).
        """
        return self._grant.service_route

    @property
    def associated_uris(self) -> tuple[str, ...]:
        """The addresses-of-record that are ours at this registrar, the default one first, as name-addrs (RFC
        7315 §4.1). Each may be given as ``from_=``.
        """
        return self._grant.associated_uris

    @property
    def gruu(self) -> str:
        """The URI that leads to this device from anywhere (RFC 5627), empty where the registrar gives none.
        It stands in the Contact of our calls.
        """
        return self._grant.gruu

    @property
    def temporary_gruu(self) -> str:
        """One that does not tell who we are; each REGISTER gets another, and all stay good meanwhile."""
        return self._grant.temporary_gruu

    # -- the block -----------------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Register. Raises RegistrationRejected, AuthenticationFailed, TransactionTimeout or TransportError,
        unless ``retry`` is given and trying again may help.
        """
        for binding in self._bindings:
            binding.register()
        await self._opened

    async def _remove_all(self) -> None:
        """Take away every binding of the address-of-record. Raises like ``_open``."""
        for binding in self._bindings:
            binding.remove_all()
            await binding._closed
        if self.error is not None:
            raise self.error

    async def _close(self) -> None:
        """Un-register all flows, and wait a few seconds at the most."""
        for binding in self._bindings:
            binding._begin_to_close()
        for binding in self._bindings:
            await binding._left()
        self._states.close()

    # -- for the bindings: see BindingUser -----------------------------------------------------------------

    def _backoff(self, binding: Binding, error: SipError) -> Backoff | None:
        """What has worked once is tried again in any case where it may help: who only answers calls would
        never hear of its end. With ``retry`` whatever the registrar says, for it may be wrong; only
        credentials need a human (RFC 5626 §4.5).
        """
        if isinstance(error, AuthenticationFailed | LocalProtocolError):
            return None
        hopeful = error.transient or (self._worked and bool(self._retry))
        if not hopeful or not (self._worked or self._retry):
            return None
        if isinstance(self._retry, Backoff):
            return self._retry
        if not (self._retry or self._outbound):
            return REFRESHES
        others = (each for each in self._bindings if each is not binding)
        return ANOTHER_FLOW if any(each.state.active for each in others) else NO_FLOW

    def _changed(self, binding: Binding) -> None:
        self._states.put(self.state)
        if binding.state.active and not self._worked:
            self._worked = True
            for other in self._bindings:
                other.revive()
        if self.active:
            self._opened.set(None)
        elif all(each.given_up for each in self._bindings):
            self._states.close()
            self._opened.fail(self.error or LocalProtocolError("the registration is over"))
        elif all(each.given_up or each.state.retry_at is not None for each in self._bindings):
            self._opened.set(None)

    def _ended(self) -> None:
        if all(each.is_over for each in self._bindings):
            self._states.close()


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
