"""Endpoints of the package's own connections over the simulated network: TCP, and what stands for TLS.

The simulated TLS encrypts nothing: it is TCP that is called secure, with every name taken as proved.
"""

from __future__ import annotations

from collections.abc import Callable

from sipstack.core.outputs import Address, Target, Transport
from sipstack.errors import TransportError
from sipstack.net.connection import Connection
from sipstack.net.network import EndpointUser, Listen
from sipstack.net.stream_endpoint import NOWHERE, StreamEndpoint
from sipstack.net.stream_limits import StreamLimits
from sipstack.testing.streams import SimulatedListener, SimulatedStreams

TRANSPORTS = {
    "tcp": Transport("TCP", reliable=True),
    "tls": Transport("TLS", reliable=True, secure=True, default_port=5061),
}


class SimulatedCarrier:
    """The simulated connections of one host."""

    def __init__(self, streams: SimulatedStreams, host: str, endpoint: StreamEndpoint) -> None:
        self._streams = streams
        self._host = host
        self._endpoint = endpoint
        self._listener: SimulatedListener | None = None

    def listen(self, port: int) -> None:
        """Accept connections. Raises OSError."""
        self._listener = self._streams.listen(self._host, port, self._endpoint.accepting)
        self._endpoint.ready(self, self._listener.local)

    def dial(self, target: Target, connection: Connection) -> Callable[[], object]:
        return self._streams.connect((self._host, 0), target.address, connection).abort

    def source(self, remote: Address) -> str:
        return self._host

    def has(self, host: str) -> bool:
        return host == self._host

    def handshake(self, connection: Connection) -> bool:
        return False

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()

    async def wait_closed(self) -> None:
        """Nothing: what was begun is given up at once."""


def dialler(streams: SimulatedStreams, host: str, transport: str, user: EndpointUser) -> StreamEndpoint:
    """An endpoint that only opens connections, from ``host``."""
    endpoint = StreamEndpoint(TRANSPORTS[transport], user, StreamLimits())
    endpoint.ready(SimulatedCarrier(streams, host, endpoint), NOWHERE)
    return endpoint


def listen_on_stream(
    streams: SimulatedStreams, host: str, listen: Listen, user: EndpointUser
) -> StreamEndpoint:
    """A listening endpoint at ``host``. Raises TransportError."""
    endpoint = StreamEndpoint(TRANSPORTS[listen.transport], user, StreamLimits(), listen.advertise)
    try:
        SimulatedCarrier(streams, host, endpoint).listen(listen.port)
    except OSError as error:
        where = f"{listen.transport}:{host}:{listen.port}"
        raise TransportError(f"cannot listen on {where}: {error.strerror}") from error
    return endpoint
