"""A stream transport in one file: ``toy:HOST:PORT``, over the simulated TCP connections of a world.

Shows how a transport is added: an Endpoint that frames, and a Network that knows it beside UDP. It touches no
file of the package.
"""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
from collections.abc import Collection
from typing import Any

from sipstack import UserAgent
from sipstack.core.dns_records import Answer, Query
from sipstack.core.outputs import Address, Flow, Target, Transport
from sipstack.errors import FlowClosed, ParseError, TransportError
from sipstack.message.stream import Ping, StreamParser
from sipstack.net.network import Endpoint, EndpointUser, Listen
from sipstack.testing.hosted import HostedNetwork
from sipstack.testing.stream import SimulatedStream
from sipstack.testing.world import World


def user_agent(world: World, name: str, **options: Any) -> UserAgent:
    """A user agent of ``world`` that listens on UDP and on the toy, at the same port."""
    defaults = {"network": ToyNetwork(world, name), "listen": ["udp:0.0.0.0:5060", "toy:0.0.0.0:5060"]}
    return world.user_agent(name, **(defaults | options))


class ToyNetwork:
    """The network as the host ``name`` sees it."""

    transports: Collection[str] = ("udp", "toy")

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    async def listen(self, listen: Listen, user: EndpointUser) -> Endpoint:
        address = self._world.names[f"{self._name}.test"][0]
        if listen.transport == "udp":
            return await HostedNetwork(self._world.simulated, address).listen(listen, user)
        host = address if ipaddress.ip_address(listen.host).is_unspecified else listen.host
        try:
            return ToyEndpoint(self._world, (host, listen.port), listen.advertise, user)
        except OSError as error:
            raise TransportError(f"cannot listen on toy:{host}:{listen.port}: {error.strerror}") from error

    def diallers(self, spoken: Collection[str], user: EndpointUser) -> list[Endpoint]:
        return []

    async def resolve(self, query: Query) -> Answer:
        return self._world.simulated.answer(query)


class ToyEndpoint:
    """A listening port, and the connections that begin or end there. Raises OSError."""

    transport = Transport("TOY", reliable=True)

    def __init__(self, world: World, address: Address, advertise: str, user: EndpointUser) -> None:
        self.user = user
        self.connections: dict[int, Connection] = {}
        self.numbers = itertools.count(1)
        self.dialled: list[Target] = []
        """Where connections were opened to, in order."""
        self._streams = world.streams
        self._advertise = advertise
        self._listener = world.streams.listen(*address, lambda: Connection(self))
        self.local = self._listener.local

    def open(self, target: Target) -> None:
        self.dialled.append(target)
        self._streams.connect((self.local[0], 0), target.address, Connection(self, target))

    def flow_to(self, remote: Address) -> Flow:
        return self.flow(self.local, remote, 0)

    def flow(self, local: Address, remote: Address, number: int) -> Flow:
        """Whichever port a connection was opened from, we are reached at the one where we listen."""
        advertised = self._advertise or self.local[0], self.local[1]
        return Flow("TOY", local, remote, True, connection=number, advertised=advertised, endpoint=self)

    def send(self, flow: Flow, data: bytes) -> None:
        connection = self.connections.get(flow.connection)
        if connection is not None:
            connection.stream.write(data)
        else:
            gone = FlowClosed(f"{flow.remote[0]}:{flow.remote[1]}: the connection is closed")
            asyncio.get_running_loop().call_soon(self.user.failed, flow, gone)

    def close_flow(self, flow: Flow) -> None:
        connection = self.connections.get(flow.connection)
        if connection is not None:
            connection.stream.close()

    def close(self) -> None:
        self._listener.close()
        for connection in list(self.connections.values()):
            connection.stream.close()

    async def wait_closed(self) -> None:
        """Nothing: what was written arrives."""


class Connection(asyncio.Protocol):
    """One connection; ``target`` is why we open it, None where the peer did."""

    stream: SimulatedStream

    def __init__(self, endpoint: ToyEndpoint, target: Target | None = None) -> None:
        self._endpoint = endpoint
        self._target = target
        self._flow: Flow | None = None
        self._parser = StreamParser()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, SimulatedStream)
        endpoint, number = self._endpoint, next(self._endpoint.numbers)
        self.stream = transport
        self._flow = flow = endpoint.flow(transport.local, transport.remote, number)
        endpoint.connections[number] = self
        if self._target is None:
            endpoint.user.accepted(flow)
        else:
            endpoint.user.opened(self._target, flow)

    def data_received(self, data: bytes) -> None:
        try:
            self._take(data)
        except ParseError:  # where the next message begins cannot be known
            self.stream.close()

    def _take(self, data: bytes) -> None:
        assert self._flow is not None
        for message in self._parser.feed(data):
            if isinstance(message, bytes):
                self._endpoint.user.received(self._flow, message)
            else:  # a ping may be two pongs that followed one another
                if isinstance(message, Ping):
                    self.stream.write(b"\r\n")
                self._endpoint.user.ponged(self._flow)
        if self._parser.error is not None:
            raise self._parser.error

    def connection_lost(self, exc: Exception | None) -> None:
        reason = exc.strerror if isinstance(exc, OSError) else "the connection is closed"
        if self._flow is not None:
            del self._endpoint.connections[self._flow.connection]
            self._endpoint.user.failed(self._flow, FlowClosed(reason))
        elif self._target is not None:
            host, port = self._target.address
            self._endpoint.user.refused(self._target, TransportError(f"{host}:{port}: {reason}"))


def toy(agent: UserAgent) -> ToyEndpoint:
    """Its endpoint for connections."""
    endpoints = agent._runtime.driver.endpoints
    return next(endpoint for endpoint in endpoints if isinstance(endpoint, ToyEndpoint))


def opened(*agents: UserAgent) -> int:
    """How many connections these have opened so far."""
    return sum(len(toy(agent).dialled) for agent in agents)


def end_of(world: World, agent: UserAgent) -> SimulatedStream:
    """This user agent's end of the only connection."""
    _, host, _ = agent.listening[0]
    (stream,) = [each for each in world.streams.streams if each.local[0] == host]
    return stream
