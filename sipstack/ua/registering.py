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
from sipstack.ua.registration import Registration, Retry, registered, unregister_all
from sipstack.usage.registration.instance import Instance


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
        async with registered(self._registration(expires, retry, headers, account, flows)) as registration:
            yield registration

    async def unregister_all(self, *, account: Account | None = None) -> None:
        """Remove every binding of the address-of-record, also those of other devices. Raises like
        ``register``.
        """
        await unregister_all(self._registration(0, None, (), self._known(account)))

    def _registration(
        self,
        expires: int,
        retry: Retry,
        headers: HeaderFields,
        account: Account,
        flows: Sequence[str | None] = (),
    ) -> Registration:
        """With ``flows``, the route values of the edge proxies, by outbound."""
        runtime = self._runtime
        registrar = account.registrar_uri
        register = partial(
            runtime.core.register, registrar, expires, headers, identity=account._identity_at(registrar)
        )
        urn = account.instance
        if not flows:
            usages = [register(instance=None if urn is None else Instance(urn))]
        else:
            urn = urn or runtime.instance
            numbered = enumerate(flows, 1)
            usages = [register(proxy=proxy, instance=Instance(urn, number)) for number, proxy in numbered]
        return Registration(runtime, usages, retry, account.aor, outbound=bool(flows))
