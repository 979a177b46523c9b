"""A world for tests: user agents on a simulated network, in virtual time.

    async def test_a_call_survives_a_bad_network():
        world = World(seed=7, link=Link(delay=0.02, jitter=0.05, loss=0.1, duplicate=0.1))
        async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
            async with bob.serving(echo), alice.call(bob.contact) as call:
                await asyncio.sleep(3600)
        assert world.leftovers == []

Run it under ``sipstack.testing.loop`` (the pytest plugin does): the hour takes milliseconds, and the same
seed gives the same ``trace``, byte for byte.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import Collection
from typing import Any

from sipstack.core.outputs import Address, Flow, Question, Target, Transport
from sipstack.errors import TransportError
from sipstack.identifiers import Identifiers
from sipstack.net.network import EndpointUser, Listen, as_targets
from sipstack.testing.link import PERFECT, Link
from sipstack.testing.media import SilentMedia
from sipstack.testing.network import Network, Passage
from sipstack.testing.simulated import SimulatedEndpoint, SimulatedNetwork
from sipstack.ua.agent import UserAgent

ADDRESSES = ipaddress.IPv4Network("10.0.0.0/8")


class World:
    """One network and everybody on it. ``icmp``: closed ports refuse, instead of swallowing what is sent."""

    def __init__(self, *, seed: int = 0, link: Link = PERFECT, icmp: bool = False) -> None:
        self.network = Network(link, seed=seed)
        self._random = random.Random(seed)
        self.names: dict[str, list[str]] = {}
        """Host names and their addresses: add those that your application looks up."""
        self._icmp = icmp
        self._simulated: SimulatedNetwork | None = None
        self._agents: list[UserAgent] = []
        self._media: list[SilentMedia] = []

    def __repr__(self) -> str:
        return f"<World of {sorted(self.names)}>"

    def user_agent(self, name: str, **options: Any) -> UserAgent:
        """A user agent ``sip:name@name.test`` on a host of its own, which is found as ``name.test``.

        Options are those of UserAgent; its media is silent unless you give another. It listens at port 5060
        of its host; a wildcard in ``listen`` stands for the host. A second one of the same name is on the
        same host: an application that was started again.
        """
        address = self._address_of(f"{name}.test")
        defaults: dict[str, Any] = {
            "aor": f"sip:{name}@{name}.test",
            "listen": f"udp:{address}:5060",
            "network": _HostedNetwork(self, address),
            "media": self._new_media,
            "seed": self._random.getrandbits(64),
        }
        agent = UserAgent(**(defaults | options))
        self._agents.append(agent)
        return agent

    def _address_of(self, host: str) -> str:
        """The address that the host has, or else the first that nobody has."""
        if host not in self.names:
            taken = {address for addresses in self.names.values() for address in addresses}
            self.names[host] = [next(str(free) for free in ADDRESSES.hosts() if str(free) not in taken)]
        return self.names[host][0]

    @property
    def simulated(self) -> SimulatedNetwork:
        """The network as endpoints under the running event loop."""
        if self._simulated is None:
            self._simulated = SimulatedNetwork(self.network, names=self.names, icmp=self._icmp)
        return self._simulated

    @property
    def trace(self) -> list[Passage]:
        """Every datagram with its fate, in order."""
        return self.network.trace

    @property
    def leftovers(self) -> list[str]:
        """What is still open or running, in words. Empty when everybody has cleaned up."""
        left = [f"endpoint {host}:{port}" for host, port in self.simulated.listening]
        left += [repr(call) for agent in self._agents for call in agent.calls]
        left += [f"open media {media!r}" for media in self._media if not media.closed]
        current = asyncio.current_task()
        left += [repr(task) for task in asyncio.all_tasks() if task is not current and not task.done()]
        return left

    def _new_media(self, host: str) -> SilentMedia:
        media = SilentMedia(host, Identifiers(self._random))
        self._media.append(media)
        return media


class _HostedNetwork:
    """The simulated network as a user agent's Network, seen from the host with this address."""

    transports: Collection[str] = ("udp",)

    def __init__(self, world: World, address: str) -> None:
        self._world = world
        self._address = address

    async def listen(self, listen: Listen, user: EndpointUser) -> _HostedEndpoint:
        host = self._address if ipaddress.ip_address(listen.host).is_unspecified else listen.host
        endpoint = _HostedEndpoint(user, listen.advertise)
        simulated = self._world.simulated
        try:
            endpoint.opened(await simulated.listen(host, listen.port, endpoint.received, endpoint.refused))
        except OSError as error:
            raise TransportError(f"cannot listen on udp:{host}:{listen.port}: {error.strerror}") from error
        return endpoint

    async def resolve(self, question: Question) -> list[Target]:
        return as_targets(question, await self._world.simulated.resolve(question.host))


class _HostedEndpoint:
    """A simulated port as an Endpoint: addresses become flows."""

    transport = Transport("UDP")

    def __init__(self, user: EndpointUser, advertise: str) -> None:
        self._user = user
        self._advertise = advertise
        self._flows: dict[Address, Flow] = {}

    def opened(self, endpoint: SimulatedEndpoint) -> None:
        self._endpoint = endpoint
        self.local = endpoint.local

    def open(self, target: Target) -> Flow:
        return self.flow_to(target.address)

    def close_flow(self, flow: Flow) -> None:
        """Nothing: there is no connection."""

    def flow_to(self, remote: Address) -> Flow:
        flow = self._flows.get(remote)
        if flow is None:
            flow = self._flows[remote] = Flow(
                "UDP",
                self.local,
                remote,
                advertised=(self._advertise or self.local[0], self.local[1]),
                endpoint=self,
            )
        return flow

    def send(self, flow: Flow, data: bytes) -> None:
        self._endpoint.send(data, flow.remote)

    def received(self, data: bytes, source: Address) -> None:
        self._user.received(self.flow_to(source), data)

    def refused(self, remote: Address, error: OSError) -> None:
        self._user.failed(self.flow_to(remote), TransportError(str(error)))

    def close(self) -> None:
        self._endpoint.close()
