"""What the driver needs of a network, and the real one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

import attrs

from sipstack.core.outputs import Address, Flow
from sipstack.core.routing import as_address
from sipstack.errors import LocalProtocolError, ResolutionError, TransportError
from sipstack.net.udp import UdpEndpoint

Receive = Callable[[Flow, bytes], None]
Failed = Callable[[Flow, TransportError], None]


@attrs.frozen
class Listen:
    """An address to listen on, written ``udp:HOST:PORT``; port 0 takes any free one."""

    transport: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Listen:
        """Raises LocalProtocolError that says how to write it."""
        transport, _, rest = text.partition(":")
        host, _, port = rest.rpartition(":")
        address = as_address(host) if host.startswith("[") == host.endswith("]") else None
        is_port = port.isascii() and port.isdigit() and len(port) < 6
        if transport.lower() != "udp" or address is None or not is_port:
            raise LocalProtocolError(
                f"{text!r} is no listening address: write udp:HOST:PORT, such as udp:0.0.0.0:5060"
            )
        if int(port) > 65535:
            raise LocalProtocolError(f"{text!r}: {port} is no port: it must be below 65536")
        return cls(transport.lower(), address, int(port))


class Endpoint(Protocol):
    """One listening address."""

    local: Address
    """As bound: the host may be a wildcard, the port is real."""

    def flow_to(self, remote: Address) -> Flow:
        """The flow to ``remote``. Raises TransportError when there is no way from here."""

    def send(self, flow: Flow, data: bytes) -> None: ...

    def close(self) -> None: ...


class Network(Protocol):
    """A network: the real one, or a simulated one."""

    async def listen(self, listen: Listen, receive: Receive, failed: Failed) -> Endpoint:
        """Raises TransportError when the address cannot be bound."""

    async def resolve(self, host: str) -> list[str]:
        """The IP addresses of ``host``, best first. Raises ResolutionError."""


class HostNetwork:
    """The network of this host."""

    async def listen(self, listen: Listen, receive: Receive, failed: Failed) -> Endpoint:
        return UdpEndpoint(asyncio.get_running_loop(), (listen.host, listen.port), receive, failed)

    async def resolve(self, host: str) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            raise ResolutionError(f"{host}: {error}") from error
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))
