"""TCP on this host (RFC 3261 §18), and what goes before the first message of TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from sipstack.core.outputs import Address, Target, Transport
from sipstack.errors import TransportError
from sipstack.net.connection import Connection
from sipstack.net.network import EndpointUser, Listen
from sipstack.net.own_address import is_ours
from sipstack.net.reasons import authority, reason_of
from sipstack.net.settings import Settings
from sipstack.net.stream_endpoint import StreamEndpoint
from sipstack.net.udp import source_address

BACKLOG = 256
"""Connections that the system completes before we take them; so many are taken in one turn of the loop."""
TCP = Transport("TCP", reliable=True)
WILDCARD: Address = ("0.0.0.0", 0)  # noqa: S104


class Handshake(Protocol):
    """What secures a connection before its first message."""

    async def __call__(self, connection: Connection) -> asyncio.Transport:
        """The transport to go on with. Raises TransportError, without the peer's address."""


class Sockets:
    """The carrier of an endpoint: the TCP sockets of this host."""

    def __init__(self, endpoint: StreamEndpoint, host: str, handshake: Handshake | None = None) -> None:
        self._endpoint = endpoint
        self._host = host
        """The address that connections are opened from; empty: whichever is on the way."""
        self._handshake = handshake
        self._loop = asyncio.get_running_loop()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, port: int) -> None:
        """Accept connections. Raises OSError."""
        server = await self._loop.create_server(
            self._endpoint.accepting, self._host, port, backlog=BACKLOG, start_serving=False
        )
        self._server = server
        name = server.sockets[0].getsockname()
        self._endpoint.ready(self, (name[0], name[1]))
        await server.start_serving()

    def dial(self, target: Target, connection: Connection) -> Callable[[], object]:
        host = self._host
        if host and (":" in host) != (":" in target.address[0]):
            raise TransportError(
                f"{target.address[0]} cannot be reached from {host}: not the same IP version"
            )
        return self._begin(self._connect(target.address, connection)).cancel

    async def _connect(self, remote: Address, connection: Connection) -> None:
        source = (self._host, 0) if self._host and not _is_wildcard(self._host) else None
        try:
            await self._loop.create_connection(lambda: connection, *remote, local_addr=source)
        except OSError as error:
            if connection.transport is None:  # otherwise it has heard the end itself
                connection.fail(reason_of(error))

    def source(self, remote: Address) -> str:
        return self._host if self._host and not _is_wildcard(self._host) else source_address(remote)

    def has(self, host: str) -> bool:
        return is_ours(host)

    def handshake(self, connection: Connection) -> bool:
        assert connection.transport is not None
        with contextlib.suppress(OSError, AttributeError):  # a peer that is cut off is found some day
            connection.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1
            )
        if self._handshake is None:
            return False
        connection.transport.pause_reading()
        self._begin(self._secure(connection, self._handshake))
        return True

    async def _secure(self, connection: Connection, handshake: Handshake) -> None:
        raw = connection.transport
        assert raw is not None
        try:
            transport = await handshake(connection)
        except TransportError as error:
            connection.fail(str(error))
            raw.abort()
        except asyncio.CancelledError:
            raw.abort()
            raise
        else:
            self._endpoint.begin(connection, transport)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()

    async def wait_closed(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)


def _is_wildcard(host: str) -> bool:
    return ipaddress.ip_address(host).is_unspecified


async def listen_on_tcp(listen: Listen, user: EndpointUser, settings: Settings) -> StreamEndpoint:
    """A listening endpoint. Raises TransportError."""
    return await listening(TCP, listen, user, settings)


async def listening(
    transport: Transport,
    listen: Listen,
    user: EndpointUser,
    settings: Settings,
    handshake: Handshake | None = None,
) -> StreamEndpoint:
    """An endpoint that listens, and opens connections from its host. Raises TransportError."""
    endpoint = StreamEndpoint(transport, user, settings.streams, listen.advertise)
    try:
        await Sockets(endpoint, listen.host, handshake).listen(listen.port)
    except OSError as error:
        where = f"{listen.transport}:{authority((listen.host, listen.port))}"
        raise TransportError(f"cannot listen on {where}: {reason_of(error)}") from error
    return endpoint


def tcp_dialler(user: EndpointUser, settings: Settings) -> StreamEndpoint:
    """An endpoint that only opens connections."""
    return dialling(TCP, user, settings)


def dialling(
    transport: Transport, user: EndpointUser, settings: Settings, handshake: Handshake | None = None
) -> StreamEndpoint:
    """An endpoint that only opens connections, of both IP versions."""
    endpoint = StreamEndpoint(transport, user, settings.streams)
    endpoint.ready(Sockets(endpoint, "", handshake), WILDCARD)
    return endpoint
