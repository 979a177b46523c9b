"""The asking half of a user agent (RFC 3261 §6: UAC): calls, registrations and single requests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from sipstack.errors import LocalProtocolError, SipError, TransportError
from sipstack.log import CALL, TRANSACTION
from sipstack.message import NameAddr, Response
from sipstack.message.headers import HeaderFields
from sipstack.ua.account import OURSELVES, Account, Sender
from sipstack.ua.arguments import (
    IN_INVITES,
    IN_REGISTERS,
    IN_REQUESTS,
    IN_TEXTS,
    HeadersArgument,
    check_encodable,
    check_max_forwards,
    check_method,
    edge_proxies,
    from_value,
    header_fields,
    target_uri,
)
from sipstack.ua.backoff import Backoff
from sipstack.ua.blocks import CallBlock, InviteBlock
from sipstack.ua.call import Call
from sipstack.ua.outgoing import OutgoingInvite
from sipstack.ua.registration import Registration, Retry, registered, unregister_all
from sipstack.ua.request import PendingRequest
from sipstack.ua.runtime import MediaFactory, Runtime
from sipstack.usage.registration.instance import Instance

NOT_RUNNING = "the user agent is not running: use it inside of `async with UserAgent(...)`"


class UserAgentClient:
    """Places calls, registers and sends requests. Every UserAgent is one; ``invitation.agent`` is typed so.

    Arguments that several methods share:

    ``headers``: further header fields, as pairs or a mapping. Those that the stack owns are refused
    (LocalProtocolError), with a word on what to use instead.
    ``account``: one of ``accounts``; the first if not given.
    ``from_``: a URI or a name-addr for From, in place of the account's, without its tag: a back-to-back user
    agent passes on that of the caller, ``invitation.from_``.
    ``max_forwards``: how many proxies it may pass (RFC 3261 §8.1.1.6); a back-to-back user agent gives what
    it received, less one.
    """

    # before __init__: a debugger may show one whose arguments were refused
    _accounts: tuple[Account, ...] = ()
    _running: Runtime | None = None

    def __init__(self, accounts: tuple[Account, ...]) -> None:
        self._accounts = accounts

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.aor} calls={len(self.calls)}>"

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Our own account, then those given as ``accounts``."""
        return self._accounts

    @property
    def aor(self) -> str:
        """The address-of-record of our own account."""
        return self._accounts[0].aor if self._accounts else ""

    @property
    def running(self) -> bool:
        """Whether we are inside of the ``async with`` block."""
        return self._running is not None

    @property
    def _runtime(self) -> Runtime:
        """Raises LocalProtocolError outside of the ``async with`` block."""
        if self._running is None:
            raise LocalProtocolError(NOT_RUNNING)
        return self._running

    @property
    def listening(self) -> list[tuple[str, str, int]]:
        """(transport, host, port) of each address we listen on, as bound."""
        return [
            (endpoint.transport.name.lower(), *endpoint.local)
            for endpoint in self._runtime.driver.endpoints
            if endpoint.local[1]
        ]

    @property
    def contact(self) -> str:
        """The URI at which this user agent is reached directly; a wildcard address as the default route shows
        it.
        """
        endpoint = self._runtime.driver.endpoints[0]
        host = endpoint.local[0]
        probes = ("2001:db8::1", "::1") if ":" in host else ("192.0.2.1", "127.0.0.1")
        for probe in probes:
            with contextlib.suppress(TransportError):
                return self._accounts[0]._identity.contact(endpoint.flow_to((probe, 5060)))
        return self._accounts[0]._identity.contact(endpoint.flow_to(endpoint.local))

    @property
    def calls(self) -> list[Call]:
        """The calls that are established."""
        live = [] if self._running is None else self._running.live
        return [thing for thing in live if isinstance(thing, Call)]

    # -- calls ---------------------------------------------------------------------------------------------

    def call(
        self,
        target: str,
        *,
        headers: HeadersArgument = (),
        media: MediaFactory | None = None,
        ring_timeout: float | None = None,
        account: Account | None = None,
        from_: str | NameAddr | None = None,
        max_forwards: int = 70,
    ) -> AbstractAsyncContextManager[Call]:
        """Place a call and own it: entering waits for the answer, leaving hangs up.

        ``ring_timeout`` is how many seconds it may ring; then TransactionTimeout. Raises CallRejected,
        AuthenticationFailed, TransactionTimeout, TransportError, ResolutionError, NegotiationError,
        RemoteProtocolError, MediaError.
        """
        sender = self._sender(account, from_, max_forwards)
        fields = header_fields(headers, IN_INVITES)
        return CallBlock(partial(self._invite, target, fields, media, True, sender), ring_timeout)

    def invite(
        self,
        target: str,
        *,
        headers: HeadersArgument = (),
        media: MediaFactory | None = None,
        offer: bool = True,
        account: Account | None = None,
        from_: str | NameAddr | None = None,
        max_forwards: int = 70,
    ) -> AbstractAsyncContextManager[OutgoingInvite]:
        """Place a call step by step: provisional responses, early media, the answer. Leaving the block
        cancels or hangs up. Without ``offer`` the callee makes it (late offer).
        """
        sender = self._sender(account, from_, max_forwards)
        fields = header_fields(headers, IN_INVITES)
        return InviteBlock(partial(self._invite, target, fields, media, offer, sender))

    async def _invite(
        self, target: str, headers: HeaderFields, factory: MediaFactory | None, offer: bool, sender: Sender
    ) -> OutgoingInvite:
        runtime = self._runtime
        target = target_uri(target)
        usage = runtime.core.outgoing(
            target,
            headers,
            identity=sender.identity,
            from_=sender.from_towards(target),
            max_forwards=sender.max_forwards,
        )
        CALL.info("%s: calling %s", usage.call_id, target)
        outgoing = OutgoingInvite(runtime, usage)
        try:
            await outgoing._start(factory, offer=offer)
        except BaseException:
            await outgoing._close()
            raise
        return outgoing

    def _sender(self, account: Account | None, from_: str | NameAddr | None, max_forwards: int) -> Sender:
        """Raises LocalProtocolError for an account that is not ours, and for what cannot be written."""
        account = self._known(account)
        user = account._unnamed_user
        if account is self._accounts[0] and from_ is None and max_forwards == 70 and not user:
            return OURSELVES
        check_max_forwards(max_forwards)
        return Sender(account._identity, "" if from_ is None else from_value(from_), max_forwards, user)

    def _known(self, account: Account | None) -> Account:
        """``account``, or the first. Raises LocalProtocolError for one that is not ours."""
        if account is not None and account not in self._accounts:
            raise LocalProtocolError(f"{account.aor} is not an account of this user agent: give it accounts=")
        return account or self._accounts[0]

    # -- registrations -------------------------------------------------------------------------------------

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

        It is refreshed in time for two attempts that are lost: see ``usage.registration.refresh``.

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

    # -- single requests -----------------------------------------------------------------------------------

    async def request(
        self,
        method: str,
        target: str,
        *,
        headers: HeadersArgument = (),
        body: bytes = b"",
        account: Account | None = None,
        from_: str | NameAddr | None = None,
        max_forwards: int = 70,
    ) -> Response:
        """Send one request outside of a dialog and wait for its final response, whatever its status: see
        ``Response.raise_for_status``.

        Raises TransactionTimeout, TransportError, ResolutionError.
        """
        runtime = self._runtime
        check_method(method)
        target = target_uri(target)
        fields = header_fields(headers, IN_REQUESTS)
        sender = self._sender(account, from_, max_forwards)
        usage = runtime.core.standalone(
            method,
            target,
            fields,
            body,
            identity=sender.identity,
            from_=sender.from_towards(target),
            max_forwards=sender.max_forwards,
        )
        TRANSACTION.info("%s to %s", method, target)
        try:
            response = await PendingRequest(runtime, usage).response()
        except SipError as error:
            TRANSACTION.info("%s to %s came to nothing: %s", method, target, error)
            raise
        TRANSACTION.info("%s to %s is answered %s %s", method, target, response.status, response.reason)
        return response

    async def options(
        self,
        target: str,
        *,
        headers: HeadersArgument = (),
        account: Account | None = None,
        from_: str | NameAddr | None = None,
        max_forwards: int = 70,
    ) -> Response:
        """Ask what the other side can do, or whether it is there. Raises like ``request``."""
        fields = header_fields(headers, IN_REQUESTS)
        return await self.request(
            "OPTIONS",
            target,
            headers=(("Accept", "application/sdp"), *fields),
            account=account,
            from_=from_,
            max_forwards=max_forwards,
        )

    async def message(
        self,
        target: str,
        text: str,
        *,
        content_type: str = "text/plain;charset=UTF-8",
        headers: HeadersArgument = (),
        account: Account | None = None,
        from_: str | NameAddr | None = None,
        max_forwards: int = 70,
    ) -> Response:
        """Send an instant message (RFC 3428). Raises like ``request``."""
        fields = header_fields(headers, IN_TEXTS)
        return await self.request(
            "MESSAGE",
            target,
            headers=(("Content-Type", content_type), *fields),
            body=check_encodable(text).encode("utf-8", "surrogateescape"),
            account=account,
            from_=from_,
            max_forwards=max_forwards,
        )
