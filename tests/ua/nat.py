"""A NAT on the simulated network: who is behind it has one address, and is seen at another."""

from __future__ import annotations

from sipstack.core.dns_records import Answer, Query
from sipstack.core.routing import with_source
from sipstack.message import Request, Response
from sipstack.testing.hosted import HostedNetwork
from sipstack.testing.registrar import ScriptedRegistrar
from sipstack.testing.simulated import Failed, Receive, SimulatedEndpoint, SimulatedNetwork
from sipstack.testing.world import World
from sipstack.transaction.flow import Address, Flow


class Nat(SimulatedNetwork):
    """Each port behind it has a mapping of its own at ``public``, which ``change`` replaces."""

    def __init__(self, world: World, public: Address) -> None:
        super().__init__(world.network, names=world.names)
        self._world = world.simulated
        self._public = public
        self._ports: list[Mapped] = []

    def listen(self, host: str, port: int, receive: Receive, failed: Failed) -> SimulatedEndpoint:
        mapped = Mapped(self._world, (host, port), receive, failed)
        mapped.map(*self._public)
        self._ports.append(mapped)
        return mapped

    def change(self, public: Address) -> None:
        """It forgets its mappings, and makes others."""
        self._public = public
        for each in self._ports:
            each.map(*public)

    def answer(self, query: Query) -> Answer:
        return self._world.answer(query)


class SeeingRegistrar(ScriptedRegistrar):
    """Its answers tell where it has seen the request come from (RFC 3581)."""

    def act(self, message: Request | Response, source: Address) -> None:
        if isinstance(message, Request):
            message = with_source(message, Flow("UDP", self.address, source))
        super().act(message, source)


class Mapped(SimulatedEndpoint):
    """A port at its private address; what it sends comes from the public one."""

    outside: SimulatedEndpoint | None = None

    def __init__(self, world: SimulatedNetwork, local: Address, receive: Receive, failed: Failed) -> None:
        super().__init__(world, local, receive, failed)
        self._world = world

    def map(self, host: str, port: int) -> None:
        if self.outside is not None:
            self.outside.close()
        self.outside = self._world.listen(host, port, self.receive, self.failed)

    def send(self, data: bytes, remote: Address) -> None:
        assert self.outside is not None
        self.outside.send(data, remote)

    def close(self) -> None:
        assert self.outside is not None
        self.outside.close()


def behind(nat: Nat, address: str) -> HostedNetwork:
    """The network of a host behind it."""
    return HostedNetwork(nat, address)
