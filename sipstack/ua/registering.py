"""Registering, and removing what is registered."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from sipstack.message.headers import HeaderFields
from sipstack.ua.account import Account
from sipstack.ua.agent_base import AgentBase
from sipstack.ua.arguments import (
    IN_REGISTERS,
    HeadersArgument,
    edge_proxies,
    header_fields,
)
from sipstack.ua.backoff import Backoff
from sipstack.ua.kept_records import binding_of
from sipstack.ua.kept_state import Kept
from sipstack.ua.registration import Registration, Retry, registered, unregister_all
from sipstack.ua.runtime import Runtime
from sipstack.usage.registration.instance import Instance
from sipstack.usage.registration.usage import RegistrationUsage


class Registering(AgentBase):
    """Registers."""

    def register(
        self,
        *,
        expires: int = 600,
        retry: Backoff | bool | None = None,
        headers: HeadersArgument = (),
        account: Account | None = None,
        outbound: bool | Sequence[str] = False,
    ) -> AbstractAsyncContextManager[Registration]:
        """Register our contact for ``expires`` seconds and keep it so; leaving the block un-registers.

        It is refreshed in time for two attempts that are lost: see ``usage.refresh``.

        Entering raises RegistrationRejected or AuthenticationFailed; without ``retry`` also
        TransactionTimeout and TransportError, with it those are tried again. Once registered, a refresh that
        fails for the moment is always tried again, ``retry`` or not: ``registration.states()`` tells of it.
        With ``retry`` it is tried again whatever the registrar says, until we leave; only refused credentials
        need a human. The waits are those of the Backoff; True stands for those of RFC 5626 §4.5, from 30 s to
        half an hour. A Retry-After is obeyed.

        ``outbound``: calls come over the connection that we have opened (RFC 5626); when it is lost, we
        register over another one. True: to the account's proxy, or the registrar; or the URIs of several edge
        proxies, with a flow over each: we are registered while one of them is up, and calls go over that. The
        registrar tells flows and devices apart by the account's ``instance``.
        """
        fields = header_fields(headers, IN_REGISTERS)
        flows = edge_proxies(outbound)
        return self._registering(expires, retry, fields, self._known(account), flows)

    @contextlib.asynccontextmanager
    async def _registering(
        self,
        expires: int,
        retry: Retry,
        headers: HeaderFields,
        account: Account,
        flows: Sequence[str | None],
    ) -> AsyncIterator[Registration]:
        registration = await self._registration(expires, retry, headers, account, flows)
        async with registered(registration):
            yield registration

    async def unregister_all(self, *, account: Account | None = None) -> None:
        """Remove every binding of the address-of-record, also those of other devices. Raises like
        ``register``.
        """
        await unregister_all(await self._registration(0, None, (), self._known(account)))

    async def _registration(
        self,
        expires: int,
        retry: Retry,
        headers: HeaderFields,
        account: Account,
        flows: Sequence[str | None] = (),
    ) -> Registration:
        """With ``flows``, the route values of the edge proxies, by outbound. What was registered before a
        restart is gone on with.
        """
        runtime, urn = self._runtime, account.instance
        if flows:
            urn = urn or await runtime.instance()
        numbered: list[tuple[str | None, int | None]] = [(None, None)]
        if flows:
            numbered = [(proxy, number) for number, proxy in enumerate(flows, 1)]
        registrar = account.registrar_uri
        register = partial(
            runtime.core.register, registrar, expires, headers, identity=account._identity_at(registrar)
        )
        usages: list[tuple[RegistrationUsage, Kept | None]] = []
        with contextlib.ExitStack() as claimed:
            for proxy, number in numbered:
                kept = await _kept(runtime, account.aor, registrar, proxy, number) if expires else None
                if kept is not None:
                    claimed.callback(kept.release)
                record = None if kept is None else kept.recalled(binding_of)
                instance = None if urn is None else Instance(urn, number)
                usages.append((register(proxy=proxy, instance=instance, record=record), kept))
            claimed.pop_all()
        return Registration(runtime, usages, retry, account.aor, outbound=bool(flows))


async def _kept(
    runtime: Runtime, aor: str, registrar: str, proxy: str | None, number: int | None
) -> Kept | None:
    if runtime.kept is None:
        return None
    return await runtime.kept.claim("binding", aor, registrar, proxy or "", str(number or 0))
