"""The simulated network as user agents see it, each from a host of its own."""

from __future__ import annotations

import ipaddress

from sipstack.core.outputs import Address, Flow
from sipstack.errors import TransportError
from sipstack.net.network import Failed, Listen, Receive
from sipstack.testing.simulated import SimulatedEndpoint, SimulatedNetwork


class HostedNetwork:
    """A user agent's Network on the host with this address; a wildcard in ``listen`` stands for the host."""

    def __init__(self, simulated: SimulatedNetwork, address: str) -> None:
        self._simulated = simulated
        self._address = address

    async def listen(self, listen: Listen, receive: Receive, failed: Failed) -> HostedEndpoint:
        host = self._address if ipaddress.ip_address(listen.host).is_unspecified else listen.host
        endpoint = HostedEndpoint(receive, failed)
        try:
            endpoint.opened(self._simulated.listen(host, listen.port, endpoint.received, endpoint.refused))
        except OSError as error:
            raise TransportError(f"cannot listen on udp:{host}:{listen.port}: {error.strerror}") from error
        return endpoint

    async def resolve(self, host: str) -> list[str]:
        return await self._simulated.resolve(host)


class HostedEndpoint:
    """A simulated port as an Endpoint: addresses become flows."""

    def __init__(self, receive: Receive, failed: Failed) -> None:
        self._receive = receive
        self._failed = failed
        self._flows: dict[Address, Flow] = {}

    def opened(self, endpoint: SimulatedEndpoint) -> None:
        self._endpoint = endpoint
        self.local = endpoint.local

    def flow_to(self, remote: Address) -> Flow:
        flow = self._flows.get(remote)
        if flow is None:
            flow = self._flows[remote] = Flow("UDP", self.local, remote, carrier=self)
        return flow

    def send(self, flow: Flow, data: bytes) -> None:
        self._endpoint.send(data, flow.remote)

    def received(self, data: bytes, source: Address) -> None:
        self._receive(self.flow_to(source), data)

    def refused(self, remote: Address, error: OSError) -> None:
        self._failed(self.flow_to(remote), TransportError(str(error)))

    def close(self) -> None:
        self._endpoint.close()
