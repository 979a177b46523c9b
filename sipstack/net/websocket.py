"""SIP over WebSocket (RFC 7118): the endpoints of ``ws:`` and ``wss:``, to listen and to open connections.

What a connection does is in ``websocket_connection``, which needs the package ``websockets``; it is imported
when the first endpoint listens or opens a connection.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
from collections.abc import Coroutine
from typing import TYPE_CHECKING

from sipstack.core.outputs import Address, Flow, Target, Transport
from sipstack.errors import FlowClosed, TransportError
from sipstack.log import TRANSPORT
from sipstack.net.network import EndpointUser, Listen
from sipstack.net.own_address import WILDCARDS, is_ours
from sipstack.net.reasons import authority, tls_reason
from sipstack.net.settings import Settings
from sipstack.net.stream_limits import LEAVING
from sipstack.net.tls import fault_of
from sipstack.net.tls_buffer import shrink_buffer
from sipstack.net.tls_contexts import TlsContexts
from sipstack.net.udp import source_address

if TYPE_CHECKING:
    from sipstack.net.websocket_connection import Connection

BACKLOG = 1024  # connections that the kernel keeps for us while we are busy
TLS_SHUTDOWN = 1.0  # seconds to wait for the peer's end of TLS
WS = Transport("WS", reliable=True, default_port=80)
WSS = Transport("WSS", reliable=True, secure=True, default_port=443)


async def listen_on_websocket(
    listen: Listen, user: EndpointUser, settings: Settings, *, secure: bool
) -> WebSocketEndpoint:
    """An endpoint that accepts connections. Raises TransportError."""
    endpoint = WebSocketEndpoint(user, settings, secure=secure, advertise=listen.advertise)
    await endpoint.listen((listen.host, listen.port))
    return endpoint


class WebSocketEndpoint:
    """The connections of one transport, WS or WSS, until ``listen`` those that it opens only.

    Who listens is reached at ``advertise``, or the address that is bound. Who only opens connections is
    reached over them and nowhere else: its Via and Contact name a host of its own in ``.invalid`` (RFC 7118
    §5).
    """

    def __init__(self, user: EndpointUser, settings: Settings, *, secure: bool, advertise: str = "") -> None:
        self.user = user
        self.settings = settings
        self.limits = settings.streams
        self.loop = asyncio.get_running_loop()
        self.transport = WSS if secure else WS
        self.local: Address = (WILDCARDS[0], 0)
        self._advertise = advertise
        self._anonymous: Address = (f"{secrets.token_hex(6)}.invalid", 0)
        self._server: asyncio.Server | None = None
        self._contexts = TlsContexts(settings.tls)
        self._connections: dict[int, Connection] = {}
        self._numbers = itertools.count(1)
        self._sources: dict[str, int] = {}
        self._accepted = 0
        self._turned_away = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self._last: asyncio.TimerHandle | None = None
        self._gone = asyncio.Event()
        """It is closed, and no connection is left."""

    async def listen(self, address: Address) -> None:
        """Accept connections there. Raises TransportError."""
        host, port = address
        scheme = self.transport.name.lower()
        connection = _connections()
        try:
            if self.transport.secure:
                self._contexts.server()
        except TransportError as error:
            raise TransportError(f"cannot listen on {scheme}:{authority(address)}: {error}") from error
        try:
            self._server = await self.loop.create_server(
                lambda: connection(self, None), host, port, backlog=BACKLOG
            )
        except OSError as error:
            where = f"{scheme}:{authority(address)}"
            raise TransportError(f"cannot listen on {where}: {_strerror(error)}") from error
        name = self._server.sockets[0].getsockname()
        self.local = name[0], name[1]

    # -- the protocol of endpoints -------------------------------------------------------------------------

    def open(self, target: Target) -> None:
        """Begin a connection to ``target``: ``opened`` or ``refused`` tell. Raises TransportError."""
        source, host = self.local[0], target.address[0]
        if source not in WILDCARDS and (":" in host) != (":" in source):
            raise TransportError(f"{host} cannot be reached from {source}: not the same IP version")
        connection = _connections()(self, target)
        if self.transport.secure:
            self._contexts.client()
        self._run(self._dial(connection, target))

    def flow_to(self, remote: Address) -> Flow:
        host, port = self.local
        return self._flow((source_address(remote) if host in WILDCARDS else host, port), remote, 0)

    def send(self, flow: Flow, data: bytes) -> None:
        connection = self._connections.get(flow.connection)
        if connection is not None:
            connection.send(data)
        else:
            gone = FlowClosed(f"{authority(flow.remote)}: the connection is closed")
            self.loop.call_soon(self.user.failed, flow, gone)

    @property
    def follows(self) -> bool:
        return self.local[1] != 0 and self.local[0] in WILDCARDS

    def stranded(self, flow: Flow) -> bool:
        """See ``own_address.Following``."""
        return not is_ours(flow.local[0])

    def network_changed(self) -> None:
        """Nothing was learned."""

    def close_flow(self, flow: Flow) -> None:
        connection = self._connections.get(flow.connection)
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Take leave of every peer at once."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        for connection in list(self._connections.values()):
            connection.leave()
        if self._turned_away:
            TRANSPORT.warning("%s: %s connections were more than allowed", self.local, self._turned_away)
        if self._connections:
            self._last = self.loop.call_later(LEAVING, self._leave_at_once)
        else:
            self._gone.set()

    def _leave_at_once(self) -> None:
        for connection in list(self._connections.values()):
            connection.close()
        self._gone.set()

    async def wait_closed(self) -> None:
        """After ``close``: until what was written is out and nothing is open."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._gone.wait()

    # -- for its connections -------------------------------------------------------------------------------

    def enter(self, connection: Connection, source: str | None) -> int:
        """The number of a new connection, 0 when it is one too many; ``source``: of one that was accepted."""
        if self._is_closed:
            return 0
        if source is not None:
            limits, held = self.limits, self._sources.get(source, 0)
            if self._accepted >= limits.connections or held >= limits.per_source:
                self._turn_away(source)
                return 0
            self._accepted += 1
            self._sources[source] = held + 1
        number = next(self._numbers)
        self._connections[number] = connection
        return number

    def leave(self, number: int, source: str | None) -> None:
        """The connection is gone, or never was; it may say so twice."""
        if self._connections.pop(number, None) is None:
            return
        if self._last is not None and not self._connections:
            self._last.cancel()
            self._gone.set()
        if source is None:
            return
        self._accepted -= 1
        self._sources[source] -= 1
        if not self._sources[source]:
            del self._sources[source]

    def flow(self, transport: asyncio.BaseTransport, number: int) -> Flow:
        """The flow of a connection. Raises TransportError when it is gone already."""
        local, remote = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if local is None or remote is None:
            raise FlowClosed("the connection is closed")
        return self._flow(_plain(local), _plain(remote), number)

    def start_tls(self, connection: Connection, transport: asyncio.Transport, target: Target | None) -> None:
        """Put TLS below a connection: its ``begin`` or ``end`` tells."""
        transport.pause_reading()
        self._run(self._shake_hands(connection, transport, target))

    # -- inside --------------------------------------------------------------------------------------------

    def _flow(self, local: Address, remote: Address, number: int) -> Flow:
        secure, advertised = self.transport.secure, self._anonymous
        if self._server is not None:
            advertised = self._advertise or local[0], self.local[1]
        name = self.transport.name
        return Flow(name, local, remote, True, secure, number, advertised=advertised, endpoint=self)

    async def _dial(self, connection: Connection, target: Target) -> None:
        host, port = target.address
        source = None if self.local[0] in WILDCARDS else (self.local[0], 0)
        try:
            async with asyncio.timeout(self.limits.opening):
                await self.loop.create_connection(lambda: connection, host, port, local_addr=source)
        except TimeoutError:
            connection.end(f"no connection within {self.limits.opening:g} s")
        except OSError as error:
            connection.end(_strerror(error))

    async def _shake_hands(
        self, connection: Connection, transport: asyncio.Transport, target: Target | None
    ) -> None:
        context = self._contexts.server() if target is None else self._contexts.client()
        name = None if target is None else target.domain or target.address[0]
        protocol = transport.get_protocol()
        self.loop.call_soon(shrink_buffer, transport)  # before the first octet, as in `TlsHandshake`
        try:
            secured = await self.loop.start_tls(
                transport,
                protocol,
                context,
                server_side=target is None,
                server_hostname=name,
                ssl_handshake_timeout=self.limits.opening,
                ssl_shutdown_timeout=TLS_SHUTDOWN,
            )
        except (OSError, ValueError) as error:
            connection.end(tls_reason(error, name or "the peer"))
            error.__traceback__ = None  # as in `TlsHandshake`
            return
        if secured is None:  # closed meanwhile
            connection.end("the connection is closed")
        elif name is not None and (fault := fault_of(secured, name, self.settings.tls, web=True)):
            connection.end(fault)
            secured.abort()
        else:
            connection.begin(secured)

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _turn_away(self, source: str) -> None:
        """A flood of connections is told at 1, 2, 4, 8 ... of them."""
        self._turned_away = count = self._turned_away + 1
        if count & (count - 1) == 0:
            TRANSPORT.warning(
                "%s has too many connections: %s were turned away so far, the last from %s",
                self.local,
                count,
                source,
            )


def _strerror(error: OSError) -> str:
    """In plain words: asyncio has the address and the number of the error in its own."""
    return os.strerror(error.errno) if error.errno else str(error) or "the connection is closed"


def _plain(name: tuple[str, int]) -> Address:
    return name[0].partition("%")[0], name[1]


def _connections() -> type[Connection]:
    """The class that needs the package. Raises TransportError without it."""
    try:
        from sipstack.net.websocket_connection import Connection
    except ImportError as error:
        raise TransportError(
            "ws: and wss: need the extra 'websocket': pip install 'sipstack[websocket]'"
        ) from error
    return Connection
