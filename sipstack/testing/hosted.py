"""The simulated network as user agents see it, each from a host of its own."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from sipstack.core.dns_records import Answer, Query
from sipstack.core.outputs import Address, Flow, Target, Transport
from sipstack.errors import TransportError
from sipstack.net.network import AUTO, Endpoint, EndpointUser, Listen
from sipstack.testing.hosted_streams import TRANSPORTS, dialler, listen_on_stream
from sipstack.testing.simulated import SimulatedEndpoint, SimulatedNetwork
from sipstack.testing.streams import SimulatedStreams


class HostedNetwork:
    """A user agent's Network on the host with this address; a wildcard in ``listen`` stands for the host.

    With ``streams`` it takes ``tcp:`` and ``tls:``, too, and opens connections of those in ``dials`` without
    listening.
    """

    def __init__(
        self,
        simulated: SimulatedNetwork,
        address: str,
        streams: SimulatedStreams | None = None,
        dials: Collection[str] = (),
    ) -> None:
        self.transports: Collection[str] = ("udp",) if streams is None else ("udp", *TRANSPORTS)
        self._simulated = simulated
        self._address = address
        self._streams = streams
        self._dials = dials
        self._wild: list[HostedEndpoint] = []  # those at a wildcard

    def move(self, address: str) -> None:
        """The host has this address from now on, and the other one no more. What is bound to the old one,
        connections too, stays as it is.
        """
        self._address = address
        for endpoint in self._wild:
            endpoint.move(address, self._simulated)

    async def listen(self, listen: Listen, user: EndpointUser) -> Endpoint:
        wild = ipaddress.ip_address(listen.host).is_unspecified
        host = self._address if wild else listen.host
        if self._streams is not None and listen.transport in TRANSPORTS:
            return listen_on_stream(self._streams, host, listen, user)
        endpoint = HostedEndpoint(user, listen.advertise, follows=wild)
        try:
            endpoint.opened(self._simulated.listen(host, listen.port, endpoint.received, endpoint.refused))
        except OSError as error:
            raise TransportError(f"cannot listen on udp:{host}:{listen.port}: {error.strerror}") from error
        if wild:
            self._wild.append(endpoint)
        return endpoint

    def diallers(self, spoken: Collection[str], user: EndpointUser) -> list[Endpoint]:
        if self._streams is None:
            return []
        fresh = [name for name in self._dials if name not in spoken]
        return [dialler(self._streams, self._address, name, user) for name in fresh]

    async def resolve(self, query: Query) -> Answer:
        return self._simulated.answer(query)


class HostedEndpoint:
    """A simulated port as an Endpoint: addresses become flows."""

    transport = Transport("UDP")

    def __init__(self, user: EndpointUser, advertise: str, *, follows: bool = False) -> None:
        self.follows = follows
        self.learns = advertise == AUTO
        self._user = user
        self._advertise = "" if self.learns else advertise
        self._learned: dict[Address, Address] = {}
        self._flows: dict[Address, Flow] = {}

    def opened(self, endpoint: SimulatedEndpoint) -> None:
        self._endpoint = endpoint
        self.local = endpoint.local

    def move(self, host: str, simulated: SimulatedNetwork) -> None:
        """The socket goes on at another address."""
        self._endpoint.close()
        self._flows.clear()
        self.opened(simulated.listen(host, self.local[1], self.received, self.refused))

    def stranded(self, flow: Flow) -> bool:
        return self.follows and flow.local != self.local

    def network_changed(self) -> None:
        self._learned.clear()
        self._flows.clear()

    def advertise_to(self, remote: Address, address: Address) -> None:
        self._learned[remote] = address
        self._flows.clear()

    def open(self, target: Target) -> Flow:
        return self.flow_to(target.address)

    def close_flow(self, flow: Flow) -> None:
        """Nothing: there is no connection."""

    def flow_to(self, remote: Address) -> Flow:
        flow = self._flows.get(remote)
        if flow is None:
            advertised = self._advertise or self.local[0], self.local[1]
            advertised = self._learned.get(remote, advertised)
            flow = Flow("UDP", self.local, remote, advertised=advertised, endpoint=self)
            self._flows[remote] = flow
        return flow

    def send(self, flow: Flow, data: bytes) -> None:
        self._endpoint.send(data, flow.remote)

    def received(self, data: bytes, source: Address) -> None:
        self._user.received(self.flow_to(source), data)

    def refused(self, remote: Address, error: OSError) -> None:
        self._user.failed(self.flow_to(remote), TransportError(str(error)))

    def close(self) -> None:
        self._endpoint.close()

    async def wait_closed(self) -> None:
        """Nothing: everything is sent."""
