"""The protocols between the driver and a network; addresses to listen on."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Protocol, runtime_checkable

import attrs

from sipstack.core.dns_records import Answer, Query
from sipstack.core.outputs import Address, Flow, Target, Transport
from sipstack.core.routing import as_address
from sipstack.errors import LocalProtocolError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.net.udp import MAXIMUM_DATAGRAM

AUTO = "auto"
STUN_PORT = 3478


def _without_brackets(host: str) -> str:
    return as_address(host) or host


@attrs.frozen
class Listen:
    """An address to listen on, written ``udp:HOST:PORT``; port 0 takes any free one.

    ``advertise`` is the host that peers are told in place of the one that is bound; over UDP also
    ``stun:HOST:PORT``, a server that is asked how it sees us, or ``auto``: as the answers of the registrar
    tell. A datagram of more than ``maximum_datagram`` octets is dropped.
    """

    transport: str
    host: str
    port: int
    advertise: str = attrs.field(default="", converter=_without_brackets)
    maximum_datagram: int = MAXIMUM_DATAGRAM

    @classmethod
    def parse(cls, text: str, transports: Collection[str] = ("udp",)) -> Listen:
        """Raises LocalProtocolError that says how to write it."""
        transport, _, rest = text.partition(":")
        host, _, port = rest.rpartition(":")
        address = as_address(host) if host.startswith("[") == host.endswith("]") else None
        is_port = port.isascii() and port.isdigit() and len(port) < 6
        if transport.lower() not in transports or address is None or not is_port:
            ways = " or ".join(f"{each}:HOST:PORT" for each in transports)
            raise LocalProtocolError(
                f"{text!r} is no listening address: write {ways}, such as udp:0.0.0.0:5060"
            )
        if int(port) > 65535:
            raise LocalProtocolError(f"{text!r}: {port} is no port: it must be below 65536")
        return cls(transport.lower(), address, int(port))


class EndpointUser(Protocol):
    """Receives what happens at an endpoint."""

    def received(self, flow: Flow, data: bytes) -> None:
        """A datagram, or one whole message of a stream: endpoints frame."""

    def opened(self, target: Target, flow: Flow) -> None:
        """A connection that ``open`` has begun is there."""

    def refused(self, target: Target, error: TransportError) -> None:
        """A connection that ``open`` has begun came to nothing."""

    def accepted(self, flow: Flow) -> None:
        """A peer has opened a connection to us."""

    def failed(self, flow: Flow, error: TransportError) -> None:
        """The peer of the flow is not there, or the connection is closed."""

    def moved(self, endpoint: Endpoint, reason: str) -> None:
        """Peers see the endpoint at another address now: its flows name the old one."""

    def ponged(self, flow: Flow) -> None:
        """The peer has answered a keep-alive of ours (RFC 5626 §3.5)."""


class Endpoint(Protocol):
    """One listening address, or a dialler that listens nowhere, and the flows that begin there."""

    transport: Transport
    local: Address
    """As bound: the host may be a wildcard, the port is real. Port 0: it only opens connections."""

    def open(self, target: Target) -> Flow | None:
        """The flow to ``target``; None when a connection must be made first: ``opened`` or ``refused`` tell.

        Raises TransportError when there is no way from here.
        """

    def flow_to(self, remote: Address) -> Flow:
        """A flow as one to ``remote`` would be, to know our address on the way. Raises TransportError."""

    def send(self, flow: Flow, data: bytes) -> None:
        """Never raises. That the connection is gone is told by ``failed``: later, not from inside of this."""

    def close_flow(self, flow: Flow) -> None:
        """End a connection; ``failed`` tells when it is gone."""

    def close(self) -> None:
        """Begin to end everything: what was written goes out still, nothing is told any more."""

    async def wait_closed(self) -> None:
        """After ``close``: until what was written is out and nothing is open, for ``LEAVING`` at most."""


def reaching(endpoint: Endpoint) -> Transport:
    """The transport of a listening address, with the IP families that it reaches: connections that begin at
    a wildcard reach any.
    """
    transport, host = endpoint.transport, endpoint.local[0]
    if transport.reliable and host in ("0.0.0.0", "::"):
        return transport
    return attrs.evolve(transport, families=("AAAA",) if ":" in host else ("A",))


class Network(Protocol):
    """A network: the real one, or a simulated one."""

    transports: Collection[str]
    """The transports that ``listen`` knows, as a listening address names them."""

    async def listen(self, listen: Listen, user: EndpointUser) -> Endpoint:
        """Raises TransportError when the address cannot be bound."""

    def diallers(self, spoken: Collection[str], user: EndpointUser) -> list[Endpoint]:
        """Endpoints that open connections, and accept none, for the transports that are not among ``spoken``
        (as a listening address names them): a client needs no port of its own.
        """

    async def resolve(self, query: Query) -> Answer:
        """What the DNS, or who stands for it, answers."""


@runtime_checkable
class Naming(Protocol):
    """A network that has a say in the Call-IDs of who uses it."""

    name: str
    """Tells it apart from others that listen at the same addresses."""

    def identifiers(self, source: random.Random | None) -> Identifiers:
        """The identifiers for a user agent, drawn from ``source``, or from the system."""


def stun_server(advertise: str) -> Address | None:
    """The host and port of ``stun:HOST:PORT``; None for anything else. Raises LocalProtocolError."""
    scheme, _, rest = advertise.partition(":")
    if scheme.lower() != "stun":
        return None
    host, colon, port = rest.rpartition(":") if not rest.endswith("]") else (rest, "", "")
    if not colon:
        host, port = rest, str(STUN_PORT)
    if not host or not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        raise LocalProtocolError(f"{advertise!r}: write stun:HOST:PORT, such as stun:stun.example.com:3478")
    return _without_brackets(host), int(port)
