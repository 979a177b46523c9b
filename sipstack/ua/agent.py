"""The user agent: its accounts, the addresses it listens on, its life, and how it answers."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType, TracebackType

import attrs

from sipstack.core.configuration import Configuration, Timers
from sipstack.core.core import Core
from sipstack.core.trace import TracedMessage
from sipstack.errors import LocalProtocolError
from sipstack.identifiers import Identifiers
from sipstack.message.secret import Secret, secret_or_none
from sipstack.net.host import HostNetwork
from sipstack.net.network import AUTO, Listen, Naming, Network, stun_server
from sipstack.net.settings import Settings
from sipstack.net.tls_settings import Tls, as_tls
from sipstack.records import CallRecords
from sipstack.store.port import SessionStore
from sipstack.store.sealed import Sealed
from sipstack.ua.account import ANONYMOUS, Account, Ask, Password
from sipstack.ua.agent_base import NOT_RUNNING
from sipstack.ua.arguments import check_host, check_peers, check_seconds, check_text
from sipstack.ua.authenticating import Authentication
from sipstack.ua.call_records import CallRecorder
from sipstack.ua.client import UserAgentClient
from sipstack.ua.draining import drain
from sipstack.ua.keeping import Json, Keeper, form_of
from sipstack.ua.kept_calls import KeptCalls
from sipstack.ua.kept_state import KeptState
from sipstack.ua.limits import Limits, calls_by_descriptors
from sipstack.ua.nodes import NO_NODES, other_nodes
from sipstack.ua.occupancy import Occupancy
from sipstack.ua.orphans import Orphans
from sipstack.ua.resumed_sessions import ResumedSessions, ResumeHandler
from sipstack.ua.resuming import Resuming
from sipstack.ua.runtime import CLOSED, MediaFactory, Runtime
from sipstack.ua.server import CallHandler, InfoHandler, Policy, RequestHandler, Server
from sipstack.ua.services import start_services
from sipstack.ua.trusted import Trusted
from sipstack.usage.invite.expiry import Expiry
from sipstack.usage.invite.extension import Extension
from sipstack.usage.invite.session_timer import SessionTimer
from sipstack.usage.invite.standard import standard_extensions

DEFAULT_TIMER = SessionTimer()
NO_REQUESTS: Mapping[str, RequestHandler] = MappingProxyType({})
NO_CREDENTIALS: Mapping[str, tuple[str, Password]] = MappingProxyType({})
NO_INFO: Mapping[str, InfoHandler] = MappingProxyType({})


class UserAgent(UserAgentClient, KeptCalls):
    """One or more SIP identities on one or more addresses. Enter it with ``async with``; leaving hangs up,
    cancels and un-registers what is left.

    ``aor``: our address-of-record, such as ``sip:alice@example.com``.
    ``password``, ``username``, ``display_name``, ``proxy``, ``registrar``, ``weakest_algorithm``,
    ``credentials``, ``credentials_to``, ``credentials_to_callers``, ``instance``, ``contact_host``: see
    ``Account``.
    ``accounts``: further identities, each named by ``account=`` where it is to be used.
    ``listen``: one or more addresses ``TRANSPORT:HOST:PORT`` with udp, tcp, tls, ws or wss; port 0 takes any
    free one. Transports that are not listened on are still spoken, over connections that we open. Who listens
    at a wildcard (``0.0.0.0``, ``::``) follows the host into another network: a change of its address is
    noticed in some five seconds; we register again, and calls get a re-INVITE and go on.
    ``tls``: our certificate and whom we trust, for tls and wss: a ``Tls``, or a context of your own for the
    side that it was made for.
    ``origins``: the web pages, such as ``https://example.com``, whose WebSockets are let in; all if none.
    ``tcp_above``: octets of a request beyond which it goes over TCP in place of UDP, where the target takes
    that (RFC 3261 §18.1.1); None never does. A URI with ``transport=udp`` keeps to UDP.
    ``advertise``: the host to name in Via, Contact and SDP, where it is not the one we are bound to (NAT).
    Over UDP also ``stun:HOST:PORT``, a server that is asked at the start and from then on how it sees us, or
    ``"auto"``: each registrar is told the address that its answers say it sees us at. When that changes, we
    register again at once, and calls get a re-INVITE.
    ``keep_alive``: seconds between two keep-alives of the way to a registrar over UDP, which keep the binding
    of a NAT; None sends none, over connections neither.
    ``media``: makes the media of a call from our IP address; RTP with G.711 if not given.
    ``policy``: decides on an incoming call at once, without a task; None leaves it to the handler.
    ``session_ids``: whether each message of ours has a Session-ID (RFC 7989), by which a call can be found in
    the traces of everybody that it went through.
    ``trusted``: the IP addresses and networks of peers whose P-Asserted-Identity is believed (RFC 3325), such
    as ``["192.0.2.0/24"]``; over UDP a stranger can write their address into his packets, unless your network
    keeps him out. An anonymous call tells who calls to a first hop among them, and to no other.
    ``reliable``: provisional responses that are repeated until they are confirmed (RFC 3262). True: we call
    nobody, and are called by nobody, who does not support them; False: nor do we; None: with whoever does.
    ``session_timer``: how long a call lasts without a sign of the other side (RFC 4028): half an
    hour, and one of the two says every 15 minutes that it is still there. None: no call has one.
    ``expiry``: when calls end by themselves, such as ``Expiry(idle=600, age=4 * 3600)``; who else ends
    calls is in its table. None: they do not.
    ``extensions``: option tags with the extension of INVITE behind each; those that are required are asked of
    every peer. What an extension may decide is in ``sipstack.usage.invite.extension``.
    ``peers``: who may send requests in a call, beyond knowing its tags, which nobody can guess. "anyone": a
    peer may move, and proxies stand in for one another. "route": the hosts that the call has shown, by its
    first request and by its Contact and Record-Route, as far as we know their addresses. "flow": the one host
    that the call began with. From elsewhere BYE and all others get 481, as if there were no such call.
    ``sessions``: where established calls are kept beyond this user agent; None: nowhere. A ``Sealed`` leaves
    them with their peers, and nothing has to wait. With a store the 2xx or ACK that
    makes a peer rely on a call waits until the call is kept; one that cannot be kept is refused (503). A
    request in a call that we do not have is answered from there: ours before we were started again, or that
    of another node. Registrations, subscriptions, publications and conversations are kept there as well: what
    was not withdrawn goes on when it is asked for again. So is the secret of ``authenticate=``, which all
    nodes share. ``node`` is our name among those who share it, the same after a restart; the host name
    and the first address of ``listen`` if not given.
    ``nodes``: the nodes of our cluster by name, each with ``HOST:PORT`` or a SIP URI that leads to it, such
    as ``{"a": "10.0.0.1:5060", "b": "10.0.0.2:5060"}``; with it go ``node="a"`` and
    ``contact_host="cluster.example.com;node=a"``. A request that comes to us in a call of b goes on to b,
    and its answer back through us: who deals requests to the nodes need not know which of them has the call.
    Where b is not there, or says nothing until the request comes again, we answer: with the session that it
    has left in ``sessions``, else 481; and b gets no more for five seconds. What came to us over TLS goes on
    over nothing else: give ``sips:10.0.0.2:5061``, or we answer it ourselves.
    ``on_resume``: an async handler in a task of its own for each call that we take over: ours of before, as
    soon as we are started; those of a node that died; those whose peer asks for something (with ``Sealed``
    these alone). Like a handler of ``serve`` it hangs up when it returns; at once, then, if it is to end
    them. ``call.data`` tells what the application noted. Without it the call is kept: what the peer asks is
    answered, its audio is taken, and silence sent, until the peer or its timer ends it. ``sessions()`` and
    ``resume`` give such a call out.
    ``records``: one record of each call, signed and chained, for an audit; see ``CallRecords``.
    ``limits``: how much the network may make us hold; see ``Limits``.
    ``trace``: called with every message sent and received.
    ``seed``: makes identifiers predictable. For tests only.
    """

    def __init__(
        self,
        aor: str = ANONYMOUS,
        *,
        password: str | Secret | None = None,
        username: str | None = None,
        display_name: str = "",
        listen: str | Sequence[str] = "udp:0.0.0.0:0",
        tls: Tls | ssl.SSLContext | None = None,
        origins: Sequence[str] = (),
        tcp_above: int | None = 1300,
        advertise: str | None = None,
        keep_alive: float | None = 25.0,
        proxy: str | None = None,
        registrar: str | None = None,
        weakest_algorithm: str = "MD5",
        credentials: Mapping[str, tuple[str, Password]] | Ask = NO_CREDENTIALS,
        credentials_to: Sequence[str] = (),
        credentials_to_callers: bool = False,
        instance: str | None = None,
        contact_host: str | None = None,
        accounts: Sequence[Account] = (),
        media: MediaFactory | None = None,
        policy: Policy | None = None,
        trace: Callable[[TracedMessage], None] | None = None,
        user_agent: str = "sipstack",
        session_ids: bool = True,
        trusted: Sequence[str] = (),
        reliable: bool | None = None,
        session_timer: SessionTimer | None = DEFAULT_TIMER,
        expiry: Expiry | None = None,
        extensions: Sequence[Extension] = (),
        peers: str = "anyone",
        sessions: SessionStore | Sealed | None = None,
        node: str | None = None,
        nodes: Mapping[str, str] = NO_NODES,
        on_resume: ResumeHandler | None = None,
        records: CallRecords | None = None,
        limits: Limits | None = None,
        timers: Timers | None = None,
        network: Network | None = None,
        seed: int | None = None,
    ) -> None:
        password = secret_or_none(password)  # so that no traceback with its locals shows it
        account = Account(
            aor,
            password=password,
            username=username,
            display_name=display_name,
            registrar=registrar,
            proxy=proxy,
            weakest_algorithm=weakest_algorithm,
            credentials=credentials,
            credentials_to=credentials_to,
            credentials_to_callers=credentials_to_callers,
            instance=instance,
            contact_host=contact_host,
        )
        super().__init__((account, *accounts))
        check_text(user_agent)
        if advertise is not None and advertise != AUTO and stun_server(advertise) is None:
            check_host(advertise)
        self._media = media
        self._policy = policy
        self._trace = trace
        self._trusted = Trusted(trusted)
        settings = Settings(tls=as_tls(tls), origins=tuple(origins))
        self._network = network or HostNetwork(settings)
        texts = [listen] if isinstance(listen, str) else listen
        listens = [Listen.parse(text, self._network.transports) for text in texts]
        limits = self._limits = limits or Limits()
        self._listens = [
            attrs.evolve(each, advertise=_told(each, advertise or ""), maximum_datagram=limits.datagram)
            for each in listens
        ]
        seal, store = (sessions, None) if isinstance(sessions, Sealed) else (None, sessions)
        source = None if seed is None else random.Random(seed)  # noqa: S311
        ours = self._network
        self._identifiers = ours.identifiers(source) if isinstance(ours, Naming) else Identifiers(source)
        self._configuration = Configuration(
            identity=account._identity,
            identities=tuple(each._identity for each in accounts),
            user_agent=user_agent,
            session_ids=session_ids,
            timers=timers or Timers(),
            maximum_transactions=limits.transactions,
            maximum_dialogs=limits.dialogs,
            maximum_unacknowledged=limits.unacknowledged,
            maximum_age=limits.age,
            maximum_lag=limits.lag,
            peers=check_peers(peers),
            keeps_sessions=store is not None,
            seal=seal,
            nodes=other_nodes(nodes, node, self.accounts),
            keep_alive=check_seconds(keep_alive),
            largest_datagram=tcp_above,
        )
        self._extensions = (
            *standard_extensions(
                self._configuration.timers,
                reliable_responses=reliable,
                timer=session_timer if seal is None else _kept_by_peer(session_timer),
                expires=expiry,
            ),
            *extensions,
        )
        self._expiry = expiry
        self._sessions = store
        self._records = records
        name = f" {ours.name}" if isinstance(ours, Naming) else ""
        self._node = node or f"{socket.gethostname()} {texts[0]}{name}"
        self._on_resume = on_resume
        self._orphans: Orphans | None = None
        self._server: Server | None = None
        self._grace = 8 * self._configuration.timers.t1  # seconds: time for three retransmissions

    # -- life ----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> UserAgent:
        if self._running is not None:
            raise LocalProtocolError("the user agent is running already")
        core = Core(self._configuration, self._identifiers)
        for tag in self._extensions:
            core.registry.add_extension(tag)
        core.expires = self._expiry is not None
        for account in self.accounts:
            if account._web_resource is not None:
                core.router.add_resource(account._web_resource)
        runtime = Runtime(core, self._network, self._trace, self._media, self._grace)
        runtime.trusted = self._trusted
        start_services(runtime)
        calls = self._limits.calls
        if calls is None and self._media is None:
            calls = calls_by_descriptors()
        room = Occupancy(calls, self._limits.calls_per_source), Occupancy(self._limits.requests)
        server = Server(self, runtime, self._policy, *room)
        keeper = None
        if self._sessions is not None:
            await self._sessions.open(self._node)
            keeper = Keeper(runtime.driver, self._sessions, form_of(self._sessions), self._limits.age)
            self._resuming = resuming = Resuming(runtime, keeper, self._sessions, self._on_resume, room[0])
            self._orphans = Orphans(runtime, self._sessions, resuming)
            runtime.kept = KeptState(self._sessions, Json(), self._node)
        elif self._configuration.seal is not None:
            self._resuming = ResumedSessions(runtime, self._on_resume, room[0])
        try:
            if self._records is not None:
                await self._records.open(self._node)
                runtime.recorder = CallRecorder(runtime.driver, self._records, self._node)
                if keeper is not None:
                    keeper.recorder = runtime.recorder
            await runtime.start(self._listens, server.arrived)
        except BaseException:
            await self._close_stores(runtime)
            raise
        self._running, self._server = runtime, server
        if self._orphans is not None:
            self._orphans.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        runtime, server = self._running, self._server
        if runtime is None or server is None:
            return
        server.close_nowait()
        if self._resuming is not None:
            self._resuming.close_nowait()
        try:
            if self._orphans is not None:
                await self._orphans.close()
            await runtime.close()
        finally:
            self._running = self._server = None
            await self._close_stores(runtime)

    async def drain(self, timeout: float | None = None, *, hand_over: bool = False) -> int:
        """Take nothing new from now on, so that this node can leave its cluster, and wait for what is here.

        Whatever would begin something gets 503 with Retry-After, and so does OPTIONS, by which a proxy sees
        it. Calls go on, for ``timeout`` seconds at most, or until their ends. Returns how many are left: to
        leave the user agent then hangs them up.

        ``hand_over``, where ``sessions`` are kept in a store that other nodes have too, or sealed with keys
        that they have: each call that is kept as it is ends here at once (``CallEnded`` by "elsewhere") and
        its peer hears nothing; the node that its next request reaches goes on with it. A request that still
        comes to us gets 503. A call that is kept nowhere, since its state does not fit into a seal perhaps,
        is left as without ``hand_over``, which the log tells. What we begin ourselves meanwhile, and our
        registrations, are the application's to stop.
        """
        return await drain(self._runtime, timeout, hand_over=hand_over)

    async def _close_stores(self, runtime: Runtime) -> None:
        self._resuming = self._orphans = None
        if runtime.recorder is not None:
            runtime.recorder.close(CLOSED)
            await runtime.recorder.records.close()
        if self._sessions is not None:
            await self._sessions.close()

    # -- answering -----------------------------------------------------------------------------------------

    async def serve(
        self,
        handler: CallHandler | None = None,
        requests: Mapping[str, RequestHandler] = NO_REQUESTS,
        packages: Collection[str] = (),
        authenticate: Authentication | None = None,
        info: Mapping[str, InfoHandler] = NO_INFO,
    ) -> None:
        """Answer until cancelled: a handler runs in a task of its own for each call and each request.

        ``handler`` takes the calls; None leaves them to the policy, or to a 480. ``requests`` are handlers by
        method, such as ``{"MESSAGE": take}``: it is announced in Allow; without a handler it is refused.
        ``packages``, such as ``["message-summary"]``, are the event packages whose SUBSCRIBE, NOTIFY and
        PUBLISH these handlers take: they are announced in Allow-Events, and any other is refused with 489.
        Without it such a handler gets the requests of all packages. ``info`` are handlers by Info Package
        (RFC 6086) of the INFO requests in calls: they are announced in Recv-Info of calls that begin
        meanwhile, and any other package is refused with 469.
        ``authenticate``: whom we let in; everybody if not given. While it lasts, each request outside of a
        dialog, whoever serves it, gets 401 until its user has proved himself, but for OPTIONS.
        ``invitation.user`` tells his name. The ``policy`` is not asked before.

        A handler that returns without answering refuses with 480. One that raises refuses with 500, or with
        the status of the SipError (486 when it forwards the call to a busy phone). A caller's CANCEL
        cancels the task.
        """
        async with self.serving(handler, requests, packages, authenticate, info):
            await asyncio.get_running_loop().create_future()

    def serving(
        self,
        handler: CallHandler | None = None,
        requests: Mapping[str, RequestHandler] = NO_REQUESTS,
        packages: Collection[str] = (),
        authenticate: Authentication | None = None,
        info: Mapping[str, InfoHandler] = NO_INFO,
    ) -> AbstractAsyncContextManager[None]:
        """Answer like ``serve`` while the ``async with`` block runs. There may be several such blocks, for
        different methods. Raises LocalProtocolError when a method has a handler already, or when packages are
        given without a handler for SUBSCRIBE, NOTIFY or PUBLISH, or credentials are asked for already.
        """
        if self._server is None:
            raise LocalProtocolError(NOT_RUNNING)
        return self._server.serving(handler, requests, packages, authenticate, info)


def _told(listen: Listen, advertise: str) -> str:
    """What a listening address advertises: over UDP alone it can be found out."""
    found_out = advertise == AUTO or stun_server(advertise) is not None
    return "" if found_out and listen.transport != "udp" else advertise


def _kept_by_peer(timer: SessionTimer | None) -> SessionTimer | None:
    """Who keeps the session is to refresh it: after a crash of ours nobody else does."""
    if timer is None or timer.refresher is not None:
        return timer
    return attrs.evolve(timer, refresher="remote")
