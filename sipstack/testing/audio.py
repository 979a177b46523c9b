"""RTP over the simulated network: ports as an AudioSession takes them."""

from __future__ import annotations

from collections.abc import Callable

from sipstack.errors import TransportError
from sipstack.media.peer_address import Address
from sipstack.media.transport import Failed, Receive
from sipstack.testing.simulated import SimulatedEndpoint, SimulatedNetwork

FIRST, LAST = 40_000, 65_534
"""Ports for RTP, where none are asked for."""


class SimulatedAudio:
    """Opens pairs of ports on the simulated network. ``opened`` has every one that there was."""

    def __init__(self, simulated: SimulatedNetwork) -> None:
        self.opened: set[Address] = set()
        self._simulated = simulated

    def bind(
        self, host: str, ports: tuple[int, int], uniform: Callable[[float, float], float]
    ) -> SimulatedTransport:
        """The first pair that is free. Raises TransportError when there is none."""
        first, last = ports if ports[0] else (FIRST, LAST)
        for port in range(first + first % 2, last, 2):
            transport = SimulatedTransport()
            try:
                for number in (port, port + 1):
                    transport.open(self._simulated, (host, number))
            except OSError:
                transport.close()
                continue
            self.opened |= {(host, port), (host, port + 1)}
            return transport
        raise TransportError(f"no pair of RTP ports on {host}: none in {first, last} is free")


class SimulatedTransport:
    """An RtpTransport on the simulated network. What is sent to a closed port is lost, or refused."""

    def __init__(self) -> None:
        self.send_errors = 0
        self._closed = False
        self._endpoints: list[SimulatedEndpoint] = []
        self._receivers: list[Receive] = []

    @property
    def port(self) -> int:
        return self._endpoints[0].local[1]

    @property
    def rtcp_port(self) -> int:
        return self._endpoints[1].local[1]

    def open(self, simulated: SimulatedNetwork, address: tuple[str, int]) -> None:
        """The next port. Raises OSError."""
        place = len(self._endpoints)

        def receive(data: bytes, source: Address) -> None:
            for receiver in self._receivers[place : place + 1]:
                receiver(data, source, simulated.now)

        self._endpoints.append(simulated.listen(*address, receive, self._refused))

    def start(self, rtp: Receive, rtcp: Receive, failed: Failed) -> None:
        self._receivers = [rtp, rtcp]

    def send_rtp(self, data: bytes, destination: Address) -> None:
        if not self._closed:
            self._endpoints[0].send(data, (destination[0], destination[1]))

    def send_rtcp(self, data: bytes, destination: Address) -> None:
        if not self._closed:
            self._endpoints[1].send(data, (destination[0], destination[1]))

    def close(self) -> None:
        self._closed = True
        for endpoint in self._endpoints:
            endpoint.close()
        self._receivers = []

    def _refused(self, remote: Address, error: OSError) -> None:
        self.send_errors += 1
