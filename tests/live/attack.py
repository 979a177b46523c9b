"""A user agent under attack, and the checks that must hold for everything that it is sent.

It runs with real sockets in the test's own loop, serves an echo, and can reach nothing but this machine.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from typing import Any

from sipstack import Timers, TracedMessage, UserAgent
from sipstack.core.core import Core
from sipstack.core.dns_records import Answer, Query
from sipstack.core.outputs import Flow, Target
from sipstack.errors import ResolutionError, TransportError
from sipstack.media.peer_address import Address
from sipstack.media.session import AudioSession
from sipstack.media.transport import UdpTransport
from sipstack.net.host import HostNetwork
from sipstack.net.network import Endpoint, EndpointUser, Listen
from tests.live.answers import check_answer
from tests.live.attacker import Attacker
from tests.ua.handlers import echo

TIMERS = Timers(t1=0.005, t2=0.04, t4=0.05)
"""64*T1 is a third of a second."""


class LoopbackEndpoint:
    """A UDP socket that sends to this machine only."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.local = endpoint.local
        self.transport = endpoint.transport
        self.close_flow = endpoint.close_flow
        self.send = endpoint.send
        self.close = endpoint.close
        self.wait_closed = endpoint.wait_closed

    def open(self, target: Target) -> Flow:
        return self.flow_to(target.address)

    def flow_to(self, remote: tuple[str, int]) -> Flow:
        if not remote[0].startswith("127."):
            raise TransportError(f"{remote[0]} is not on this machine")
        return self._endpoint.flow_to(remote)


class Loopback(HostNetwork):
    """This machine only: a spoiled address or name fails at once."""

    async def listen(self, listen: Listen, user: EndpointUser) -> Endpoint:
        return LoopbackEndpoint(await super().listen(listen, user))

    async def resolve(self, query: Query) -> Answer:
        raise ResolutionError(f"no names are looked up here, such as {query.name}")


class LoopbackTransport(UdpTransport):
    """RTP that stays on this machine."""

    def send_rtp(self, data: bytes, destination: Address) -> None:
        if destination[0].startswith("127."):
            super().send_rtp(data, destination)

    def send_rtcp(self, data: bytes, destination: Address) -> None:
        if destination[0].startswith("127."):
            super().send_rtcp(data, destination)


def media(host: str) -> AudioSession:
    return AudioSession(host, bind=LoopbackTransport.bind)


class Attack:
    """A running user agent, and peers to attack it from."""

    def __init__(self, agent: UserAgent, stack: ExitStack) -> None:
        self.agent = agent
        self.core: Core = agent._runtime.core
        self.peers: list[Attacker] = []
        self._stack = stack

    def peer(self, host: str = "127.0.0.2") -> Attacker:
        """One more socket to attack from."""
        _, local, port = self.agent.listening[0]
        peer = self._stack.enter_context(closing(Attacker((local, port), host)))
        self.peers.append(peer)
        return peer

    async def over(self) -> list[str]:
        """Wait until no dialog or transaction is left, four times 64*T1 at most; returns what is left."""
        for _ in range(100):
            if not self.core.leftovers():
                break
            await asyncio.sleep(self.core.timers.timeout / 25)
        return self.core.leftovers()


@asynccontextmanager
async def attack(
    trace: Callable[[TracedMessage], None] | None = None, timers: Timers = TIMERS
) -> AsyncIterator[Attack]:
    """Leaving the block checks what must hold in any case: it still answers, nothing is left over, no
    exception was reported, and all that it sent is well formed.
    """
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    agent = UserAgent(
        "sip:fuzz@127.0.0.1",
        listen="udp:127.0.0.1:0",
        network=Loopback(),
        media=media,
        timers=timers,
        password="secret",
        trace=trace,
    )
    with ExitStack() as stack:
        async with agent, agent.serving(echo):
            attack = Attack(agent, stack)
            yield attack
            assert await attack.peer().is_answered()
            assert await attack.over() == []
            assert agent.calls == []
    gc.collect()  # a task whose exception nobody looked at is reported when it is collected
    assert reported == []
    for peer in attack.peers:
        for datagram in peer.datagrams:
            check_answer(datagram)
