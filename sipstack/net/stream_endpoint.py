"""An endpoint of any transport with a stream of octets: its connections, their number, and their time.

What makes the connections is a ``Carrier``: the sockets of this host, or a simulated network.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable
from typing import Protocol

from sipstack.core.outputs import Address, Flow, Target, Transport
from sipstack.errors import FlowClosed, ParseError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.log import TRANSPORT
from sipstack.message.partial import MalformedMessage
from sipstack.net.connection import Connection
from sipstack.net.network import EndpointUser
from sipstack.net.own_address import WILDCARDS
from sipstack.net.reasons import authority
from sipstack.net.stream_limits import LEAVING, StreamLimits

GRANULARITY = 0.1
"""Seconds between two looks at the deadlines of all connections, at the least."""
NOWHERE: Address = ("", 0)


class Carrier(Protocol):
    """Makes connections."""

    def dial(self, target: Target, connection: Connection) -> Callable[[], object]:
        """Begin a connection to ``target``: its ``connection_made`` follows, or its ``fail``. Returns what
        gives up. Raises TransportError when there is no way from here.
        """

    def source(self, remote: Address) -> str:
        """Our address on the way to ``remote``. Raises TransportError."""

    def has(self, host: str) -> bool:
        """Whether we have this address."""

    def handshake(self, connection: Connection) -> bool:
        """Begin what comes before the first message, if anything does; the endpoint's ``begin`` follows, or
        the connection's ``fail``. Returns whether there is something.
        """

    def close(self) -> None:
        """Accept no more, and give up what was begun."""

    async def wait_closed(self) -> None:
        """Until what was begun is given up."""


class StreamEndpoint:
    """A listening port and the connections that begin or end there; without a port, those that we open."""

    def __init__(
        self, transport: Transport, user: EndpointUser, limits: StreamLimits, advertise: str = ""
    ) -> None:
        self.transport = transport
        self.limits = limits
        self.local: Address = NOWHERE
        self.received = user.received
        self.ponged = user.ponged
        self.connections: dict[int, Connection] = {}
        """Those over which messages may pass, by the number in their flow."""
        self.turned_away = 0
        """Connections of peers that were more than allowed."""
        self._carrier: Carrier
        self._user = user
        self._advertise = advertise
        self._numbers = itertools.count(1)
        self._identifiers = Identifiers()
        self._loop = asyncio.get_running_loop()
        self._all: dict[Connection, Callable[[], object] | None] = {}  # with what gives up their opening
        self._opening: dict[Connection, float] = {}
        self._sources: dict[str, int] = {}
        self._accepted: dict[Connection, str] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._armed_at = math.inf
        self._closed = False
        self._gone = asyncio.Event()
        """It is closed, and no connection is left."""

    def ready(self, carrier: Carrier, local: Address) -> None:
        """Connections can be made."""
        self._carrier = carrier
        self.local = local

    def accepting(self) -> Connection:
        """The protocol of a connection that a peer opens."""
        return Connection(self)

    # -- what the driver asks ------------------------------------------------------------------------------

    def open(self, target: Target) -> None:
        """Begin a connection to ``target``; the user is told. Raises TransportError."""
        connection = Connection(self, target)
        self._all[connection] = None
        try:
            self._all[connection] = self._carrier.dial(target, connection)
        except BaseException:
            del self._all[connection]
            raise
        self._opening[connection] = deadline = self._loop.time() + self.limits.opening
        self.watch(deadline)

    def flow_to(self, remote: Address) -> Flow:
        """A flow as one to ``remote`` would be. Raises TransportError."""
        return self._flow((self._carrier.source(remote), self.local[1]), remote, 0)

    @property
    def follows(self) -> bool:
        return self.local[1] != 0 and self.local[0] in WILDCARDS

    def stranded(self, flow: Flow) -> bool:
        """See ``own_address.Following``."""
        return not self._carrier.has(flow.local[0])

    def network_changed(self) -> None:
        """Nothing was learned."""

    def _flow(self, local: Address, remote: Address, number: int) -> Flow:
        """Whichever port a connection was opened from, we are reached where we listen; who listens nowhere is
        reached over the connection alone.
        """
        port = self.local[1] or local[1]
        return Flow(
            self.transport.name,
            local,
            remote,
            reliable=True,
            secure=self.transport.secure,
            connection=number,
            advertised=(self._advertise or local[0], port),
            endpoint=self,
            dialled=self.local[1] == 0,
        )

    def send(self, flow: Flow, data: bytes) -> None:
        """Never raises; that the connection is gone is told later."""
        connection = self.connections.get(flow.connection)
        if connection is not None and not connection.is_closing:
            connection.send(data)
        else:
            gone = FlowClosed(f"{authority(flow.remote)}: the connection is closed")
            self._loop.call_soon(self._user.failed, flow, gone)

    def close_flow(self, flow: Flow) -> None:
        """End a connection; ``failed`` tells when it is gone."""
        connection = self.connections.get(flow.connection)
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """End all connections. What was written is sent while ``LEAVING`` lasts; nothing is told any more."""
        if self._closed:
            return
        self._closed = True
        if self.turned_away:
            TRANSPORT.warning("%s: %s connections were more than allowed", self.local, self.turned_away)
        if self._timer is not None:
            self._timer.cancel()
        self._carrier.close()
        for connection, give_up in list(self._all.items()):
            if connection.flow is not None:
                connection.close()
                continue
            del self._all[connection]
            connection.abort()
            if give_up is not None:
                give_up()
        self.connections.clear()
        self._opening.clear()
        if self._all:
            self._timer = self._loop.call_later(LEAVING, self._leave_at_once)
        else:
            self._gone.set()

    def _leave_at_once(self) -> None:
        for connection in self._all:
            connection.abort()
        self._gone.set()

    async def wait_closed(self) -> None:
        """After ``close``: until what was written is out and nothing is open."""
        await self._carrier.wait_closed()
        await self._gone.wait()

    # -- what the connections tell -------------------------------------------------------------------------

    def made(self, connection: Connection) -> None:
        """There is a transport: a handshake is due, or messages may pass."""
        transport = connection.transport
        assert transport is not None
        if self._closed:
            transport.abort()
            return
        self._opening.pop(connection, None)
        if connection.target is None and not self._admit(connection, transport):
            connection.abort("more connections than allowed")
            return
        self._all[connection] = None
        if not self._carrier.handshake(connection):
            self.begin(connection, transport)

    def begin(self, connection: Connection, transport: asyncio.Transport) -> None:
        """Messages may pass over ``transport``: tell the user."""
        if connection.is_closing or self._closed:
            transport.abort()
            return
        number = next(self._numbers)
        local, remote = _address(transport, "sockname"), _address(transport, "peername")
        if not local[0] or not remote[0]:  # it was reset before we could look
            transport.abort()
            return
        self.connections[number] = connection
        flow = self._flow(local, remote, number)
        connection.begin(transport, flow)
        if connection.target is None:
            self._user.accepted(flow)
        else:
            self._user.opened(connection.target, flow)
        connection.take_early()

    def refusal(self, error: MalformedMessage) -> bytes:
        """The response to a request that ends the stream; empty when there is none to give."""
        request = error.request
        if request is None or request.method == "ACK":
            return b""
        try:
            return bytes(request.response(error.status, to_tag=self._identifiers.tag()))
        except ParseError:
            return b""

    def lost(self, connection: Connection, error: TransportError) -> None:
        """A connection is gone, or never came to be."""
        self._all.pop(connection, None)
        self._opening.pop(connection, None)
        self._leave(connection)
        if self._closed:
            if not self._all and self._timer is not None:
                self._timer.cancel()
                self._gone.set()
            return
        if connection.flow is not None:
            self.connections.pop(connection.flow.connection, None)
            self._user.failed(connection.flow, error)
        elif connection.target is not None:
            self._user.refused(connection.target, error)
        else:
            TRANSPORT.debug("%s: a connection came to nothing: %s", self.local, error)

    # -- number --------------------------------------------------------------------------------------------

    def _admit(self, connection: Connection, transport: asyncio.Transport) -> bool:
        """Whether one more connection of this peer may be: those that greet us count, too."""
        limits, source = self.limits, _address(transport, "peername")[0]
        if len(self._accepted) >= limits.connections or self._sources.get(source, 0) >= limits.per_source:
            self.turned_away += 1
            if self.turned_away & (self.turned_away - 1) == 0:
                TRANSPORT.warning(
                    "%s has as many connections as allowed: %s were turned away so far, now one of %s",
                    self.local,
                    self.turned_away,
                    source,
                )
            return False
        self._accepted[connection] = source
        self._sources[source] = self._sources.get(source, 0) + 1
        return True

    def _leave(self, connection: Connection) -> None:
        source = self._accepted.pop(connection, None)
        if source is not None:
            self._sources[source] -= 1
            if not self._sources[source]:
                del self._sources[source]

    # -- time ----------------------------------------------------------------------------------------------

    def watch(self, deadline: float) -> None:
        """Look at the deadlines then: one timer serves all connections."""
        if deadline < self._armed_at and not self._closed:
            if self._timer is not None:
                self._timer.cancel()
            self._armed_at = deadline
            self._timer = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        now = max(self._armed_at, self._loop.time())
        self._timer, self._armed_at = None, math.inf
        for connection, deadline in list(self._opening.items()):
            if deadline <= now:
                self._give_up(connection)
        for connection in [each for each in self.connections.values() if each.deadline <= now]:
            connection.expire(now)
        following = [each.deadline for each in self.connections.values()]
        self.watch(max(min([*following, *self._opening.values()], default=math.inf), now + GRANULARITY))

    def _give_up(self, connection: Connection) -> None:
        give_up = self._all.get(connection)
        connection.fail(f"no connection within {self.limits.opening:g} s")
        if give_up is not None:
            give_up()


def _address(transport: asyncio.Transport, name: str) -> Address:
    """The address of an end of a connection; NOWHERE when it is gone already."""
    address = transport.get_extra_info(name)
    return (str(address[0]).partition("%")[0], int(address[1])) if address else NOWHERE
