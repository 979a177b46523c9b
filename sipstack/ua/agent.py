"""The user agent: one identity on one or more addresses, its calls, registrations and requests."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from sipstack.core import events
from sipstack.core.configuration import Configuration, Identity, Timers
from sipstack.core.core import Core
from sipstack.core.trace import TracedMessage
from sipstack.errors import (
    CallEnded,
    FlowClosed,
    LocalProtocolError,
    TransportError,
)
from sipstack.identifiers import Identifiers
from sipstack.media.port import MediaPort
from sipstack.media.session import AudioSession
from sipstack.message import NameAddr, Request, Response
from sipstack.message.digest import Account
from sipstack.message.headers import HeaderFields
from sipstack.net.driver import Driver
from sipstack.net.network import HostNetwork, Listen, Network
from sipstack.ua.arguments import check_headers, check_method, check_target, loose_route, sip_uri
from sipstack.ua.backoff import Backoff
from sipstack.ua.call import Call, CallEvent
from sipstack.ua.outcome import Patience
from sipstack.ua.outgoing import OutgoingInvite
from sipstack.ua.owning import Calling, Inviting
from sipstack.ua.registration import Registration, registered
from sipstack.ua.server import Handler, Policy, Server
from sipstack.usage.invite.outgoing import OutgoingInvite as InviteUsage
from sipstack.usage.invite.session import Session
from sipstack.usage.registration import Registration as RegistrationUsage
from sipstack.usage.standalone import StandaloneRequest

P = ParamSpec("P")
R = TypeVar("R")
MediaFactory = Callable[[str], MediaPort]
"""Makes the media of one call; takes our IP address as the peer sees it."""


class UserAgent:
    """One SIP identity. Enter it with ``async with``; leaving hangs up, cancels and un-registers what is
    left.

    ``aor``: our address-of-record, such as ``sip:alice@example.com``.
    ``password``, ``username``: for 401 and 407; the user name is that of the address-of-record if not given.
    ``listen``: one or more ``udp:HOST:PORT``; port 0 takes any free one.
    ``proxy``: the URI that every request outside of a dialog goes to first.
    ``registrar``: the URI to register at; the domain of the address-of-record if not given.
    ``media``: makes the media of a call from our IP address; RTP with G.711 if not given.
    ``policy``: decides on an incoming call at once, without a task; None leaves it to the handler.
    ``trace``: called with every message sent and received.
    ``seed``: makes identifiers predictable. For tests only.
    """

    def __init__(
        self,
        aor: str = "sip:anonymous@anonymous.invalid",
        *,
        password: str | None = None,
        username: str | None = None,
        display_name: str = "",
        listen: str | Sequence[str] = "udp:0.0.0.0:0",
        proxy: str | None = None,
        registrar: str | None = None,
        media: MediaFactory | None = None,
        policy: Policy | None = None,
        trace: Callable[[TracedMessage], None] | None = None,
        user_agent: str = "sipstack",
        timers: Timers | None = None,
        network: Network | None = None,
        seed: int | None = None,
    ) -> None:
        address = sip_uri(aor, "sip:alice@example.com")
        if registrar is not None:
            sip_uri(registrar, "sip:example.com")
        self.aor = aor
        self.identifiers = Identifiers(None if seed is None else random.Random(seed))  # noqa: S311
        self.on_message: Callable[[Request], None] | None = None
        """Called with each instant message that comes in; 200 is sent by then."""
        self._registrar = registrar or f"{address.scheme}:{address.host}" + (
            f":{address.port}" if address.port else ""
        )
        self._listens = [Listen.parse(text) for text in ([listen] if isinstance(listen, str) else listen)]
        self._media = media
        self._trace = trace
        self._network = network or HostNetwork()
        self._configuration = Configuration(
            identity=Identity(
                str(NameAddr(address, display_name)),
                str(address.user or ""),
                () if password is None else (Account(username or address.user or "", password),),
                None if proxy is None else loose_route(proxy),
            ),
            user_agent=user_agent,
            timers=timers or Timers(),
        )
        check_headers([("From", self._configuration.identity.aor), ("User-Agent", user_agent)])
        self.patience = 8 * self._configuration.timers.t1
        """Seconds that leaving a block waits for the other side's answer: time for three retransmissions."""
        self.goodbyes = Patience(self.patience)
        """What leaving a block waits for."""
        self._server = Server(self, policy)
        self._calls: dict[Session, Call] = {}
        self._invites: dict[InviteUsage, OutgoingInvite] = {}
        self._registrations: dict[RegistrationUsage, Registration] = {}
        self._requests: dict[StandaloneRequest, asyncio.Future[Response]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closings: set[asyncio.Task[None]] = set()
        self._driver: Driver | None = None

    def __repr__(self) -> str:
        return f"<UserAgent {self.aor} calls={len(self._calls)}>"

    # -- life ----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> UserAgent:
        if self._driver is not None:
            raise LocalProtocolError("the user agent is running already")
        self.loop = asyncio.get_running_loop()
        core = Core(self._configuration, self.identifiers)
        driver = Driver(core, self._network, self._dispatch, self._trace)
        await driver.start(self._listens)
        self._driver = driver
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._close()
        finally:
            self.goodbyes.close()
            driver, self._driver = self._driver, None
            if driver is not None:
                await driver.close()

    async def _close(self) -> None:
        """Say goodbye to everybody at once, wait for the answers for ``patience`` seconds, and let go."""
        handling = self._server.close()
        for invite in list(self._invites.values()):  # one that is still being routed ends at once
            self.spawn(invite.cancel())
            invite.abandon()
        for call in self.calls:
            self.spawn(call.hang_up())
            call.leave()
        for registration in list(self._registrations.values()):
            self.spawn(registration.close())
            registration.leave()
        try:
            await self._work_done(handling)
        finally:
            self._let_go()
            await self._work_done(handling)

    async def _work_done(self, handling: list[asyncio.Task[None]]) -> None:
        """Wait until nothing is under way, for ``patience`` seconds at the most."""
        deadline = self.now() + self.patience
        while self.now() < deadline:
            busy = {task for task in (*self._tasks, *self._closings, *handling) if not task.done()}
            if not busy:
                return
            await asyncio.wait(busy, timeout=deadline - self.now())

    def _let_go(self) -> None:
        """Whoever still waits for the network is told that nothing will come any more."""
        closed = "the user agent was closed"
        for task in self._tasks:
            task.cancel()
        for usage, invite in list(self._invites.items()):
            invite.on_event(events.Failed(usage, CallEnded("local", closed)))
        for call in self.calls:
            call.end("local", closed)
        for registration in list(self._registrations.values()):
            registration.let_go(FlowClosed(closed))
        for future in self._requests.values():
            if not future.done():
                future.set_exception(FlowClosed(closed))

    @property
    def running(self) -> bool:
        """Whether we are inside of the ``async with`` block."""
        return self._driver is not None

    @property
    def driver(self) -> Driver:
        """The running driver. Raises LocalProtocolError outside of the ``async with`` block."""
        if self._driver is None:
            raise LocalProtocolError(
                "the user agent is not running: use it inside of `async with UserAgent(...)`"
            )
        return self._driver

    @property
    def listening(self) -> list[tuple[str, str, int]]:
        """(transport, host, port) of each address we listen on, as bound."""
        return [("udp", *endpoint.local) for endpoint in self.driver.endpoints]

    @property
    def contact(self) -> str:
        """The URI at which this user agent is reached directly; a wildcard address as the default route shows
        it.
        """
        endpoint = self.driver.endpoints[0]
        host = endpoint.local[0]
        probes = ("2001:db8::1", "::1") if ":" in host else ("192.0.2.1", "127.0.0.1")
        for probe in probes:
            with contextlib.suppress(TransportError):
                return self._configuration.identity.contact(endpoint.flow_to((probe, 5060)))
        return self._configuration.identity.contact(endpoint.flow_to(endpoint.local))

    @property
    def calls(self) -> list[Call]:
        """The calls that are established."""
        return list(self._calls.values())

    # -- calls out -----------------------------------------------------------------------------------------

    def call(
        self,
        target: str,
        *,
        headers: HeaderFields = (),
        media: MediaFactory | None = None,
        ring_timeout: float | None = None,
    ) -> AbstractAsyncContextManager[Call]:
        """Place a call and own it: entering waits for the answer, leaving hangs up.

        ``ring_timeout`` is how many seconds it may ring; then TransactionTimeout. Raises CallRejected,
        AuthenticationFailed, TransactionTimeout, TransportError, ResolutionError, NegotiationError,
        RemoteProtocolError, MediaError.
        """
        return Calling(partial(self._invite, target, headers, media, True), ring_timeout)

    def invite(
        self,
        target: str,
        *,
        headers: HeaderFields = (),
        media: MediaFactory | None = None,
        offer: bool = True,
    ) -> AbstractAsyncContextManager[OutgoingInvite]:
        """Place a call step by step: provisional responses, early media, the answer. Leaving the block
        cancels or hangs up. Without ``offer`` the callee makes it (late offer).
        """
        return Inviting(partial(self._invite, target, headers, media, offer))

    async def _invite(
        self, target: str, headers: HeaderFields, factory: MediaFactory | None, offer: bool
    ) -> OutgoingInvite:
        driver = self.driver
        check_target(target)
        check_headers(headers)
        outgoing = OutgoingInvite(self, driver.core.outgoing(target, headers))
        try:
            await outgoing.start(partial(self.new_media, factory), offer=offer)
        except BaseException:
            await outgoing.close()
            raise
        return outgoing

    # -- calls in ------------------------------------------------------------------------------------------

    async def serve(self, handler: Handler) -> None:
        """Answer calls until cancelled: ``handler`` runs in a task of its own for each invitation.

        A handler that returns without answering refuses with 480. One that raises refuses with 500, or with
        the status of the SipError (486 when it forwards the call to somebody who is busy). A caller's CANCEL
        cancels the task.
        """
        async with self.serving(handler):
            await self.loop.create_future()

    def serving(self, handler: Handler) -> AbstractAsyncContextManager[None]:
        """Answer calls while the ``async with`` block runs. Raises LocalProtocolError when somebody does
        already.
        """
        return self._server.serving(handler)

    # -- registrations and single requests -----------------------------------------------------------------

    def register(
        self, *, expires: int = 600, retry: Backoff | None = None, headers: HeaderFields = ()
    ) -> AbstractAsyncContextManager[Registration]:
        """Register our contact for ``expires`` seconds and keep it so; leaving the block un-registers.

        Entering raises RegistrationRejected or AuthenticationFailed; without ``retry`` also
        TransactionTimeout and TransportError, with it those are tried again.
        """
        return self._registering(expires, retry, headers)

    @contextlib.asynccontextmanager
    async def _registering(
        self, expires: int, retry: Backoff | None, headers: HeaderFields
    ) -> AsyncIterator[Registration]:
        check_headers(headers)
        usage = self.driver.core.register(self._registrar, expires, headers)
        async with registered(Registration(self, usage, retry)) as registration:
            yield registration

    async def unregister_all(self) -> None:
        """Remove every binding of our address-of-record, also those of other devices. Raises like
        ``register``.
        """
        usage = self.driver.core.register(self._registrar, 0)
        registration = Registration(self, usage, None)
        try:
            await registration.remove_all()
        finally:
            await registration.close()

    async def request(
        self, method: str, target: str, *, headers: HeaderFields = (), body: bytes = b""
    ) -> Response:
        """Send one request outside of a dialog and wait for its final response, whatever its status.

        Raises TransactionTimeout, TransportError, ResolutionError.
        """
        check_method(method)
        check_target(target)
        check_headers(headers)
        standalone = self.driver.core.standalone(method, target, headers, body)
        future: asyncio.Future[Response] = self.loop.create_future()
        self._requests[standalone] = future
        try:
            self.command(standalone.start, self.now())
            return await future
        finally:
            del self._requests[standalone]

    async def options(self, target: str) -> Response:
        """Ask what the other side can do, or whether it is there. Raises like ``request``."""
        return await self.request("OPTIONS", target, headers=(("Accept", "application/sdp"),))

    async def message(
        self, target: str, text: str, *, content_type: str = "text/plain;charset=UTF-8"
    ) -> Response:
        """Send an instant message (RFC 3428). Raises like ``request``."""
        return await self.request(
            "MESSAGE", target, headers=(("Content-Type", content_type),), body=text.encode()
        )

    # -- for calls and invitations -------------------------------------------------------------------------

    def now(self) -> float:
        """The time of the event loop."""
        return self.loop.time()

    def command(self, function: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> R:
        """Give the core a command and send what comes of it."""
        return self.driver.command(function, *arguments, **keywords)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what an event asks for; leaving the user agent waits for it, but not for ever."""
        self._keep(work, self._tasks)

    def _keep(self, work: Coroutine[Any, Any, None], kept: set[asyncio.Task[None]]) -> None:
        task = self.loop.create_task(work)
        kept.add(task)
        task.add_done_callback(kept.discard)

    def new_media(self, factory: MediaFactory | None, host: str) -> MediaPort:
        """The media of one call. Raises MediaError."""
        factory = factory or self._media
        return AudioSession(host, random=self.identifiers) if factory is None else factory(host)

    def close_media(self, media: MediaPort) -> None:
        """Close the media of a call without waiting for it; leaving the user agent does."""
        self._keep(media.close(), self._closings)

    def call_opened(self, session: Session, call: Call) -> None:
        self._calls[session] = call

    def call_closed(self, session: Session) -> None:
        self._calls.pop(session, None)

    def invite_opened(self, usage: InviteUsage, outgoing: OutgoingInvite) -> None:
        self._invites[usage] = outgoing

    def invite_closed(self, usage: InviteUsage) -> None:
        self._invites.pop(usage, None)

    def registration_opened(self, usage: RegistrationUsage, registration: Registration) -> None:
        self._registrations[usage] = registration

    def registration_closed(self, usage: RegistrationUsage) -> None:
        self._registrations.pop(usage, None)

    # -- events --------------------------------------------------------------------------------------------

    def _dispatch(self, event: events.Event) -> None:
        match event:
            case events.Acknowledged() | events.Ended():  # of every call, so they are asked for first
                self._of_call(event)
            case events.InvitationReceived():
                self._server.invited(event)
            case events.InvitationCancelled(invitation=usage):
                self._server.cancelled(usage)
            case (
                events.Routed() | events.Progressed() | events.Answered() | events.Refused() | events.Failed()
            ):
                outgoing = self._invites.get(event.outgoing)
                if outgoing is not None:
                    outgoing.on_event(event)
            case events.Registered() | events.Unregistered() | events.RegistrationFailed():
                registration = self._registrations.get(event.registration)
                if registration is not None:
                    registration.on_event(event)
            case events.ResponseReceived() | events.Unanswered():
                self._responded(event)
            case events.RequestReceived():
                self.command(event.received.respond, 405, self.now())
            case _:
                self._of_call(event)

    def _of_call(self, event: CallEvent) -> None:
        call = self._calls.get(event.session)
        if call is not None:
            call.on_event(event)

    def _responded(self, event: events.ResponseReceived | events.Unanswered) -> None:
        future = self._requests.get(event.standalone)
        if future is None or future.done():
            return
        if isinstance(event, events.ResponseReceived):
            future.set_result(event.response)
        else:
            future.set_exception(event.error)
