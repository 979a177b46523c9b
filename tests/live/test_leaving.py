"""Who leaves in the same moment as it sends: what was written reaches the peer, over every transport."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sipstack import Call, Invitation, UserAgent
from sipstack.core.outputs import Flow, Target
from sipstack.net.host import DIALLERS, HostNetwork
from sipstack.net.network import Endpoint, Listen
from sipstack.net.settings import Settings
from sipstack.net.stream_limits import LEAVING, StreamLimits
from sipstack.net.tls_settings import Tls
from sipstack.testing.certificates import CertificateAuthority
from sipstack.testing.media import SilentMedia
from tests.net.streams import PATIENCE, REQUEST, Told

STREAMS = ["tcp", "tls", "ws", "wss"]
LARGE = REQUEST + b"Content-Length: 50000\r\n\r\n" + b"x" * 50_000
MESSAGES = 12


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of both sides: they know one authority."""
    issuer = CertificateAuthority()
    certificate, key = issuer.issue("127.0.0.1").write(tmp_path, "server")
    return Settings(tls=Tls(certificate=certificate, key=key, authority=issuer.write(tmp_path)))


def user_agent(listen: str, settings: Settings) -> UserAgent:
    return UserAgent(
        f"sip:{listen.partition(':')[0]}@127.0.0.1",
        listen=listen,
        network=HostNetwork(settings),
        media=SilentMedia,
    )


class Callee:
    """Answers, and keeps the calls."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.ends: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, invitation: Invitation) -> None:
        async with invitation.accept() as call:
            self.calls.append(call)
            await self.ends.put((await call.ended()).by)


@pytest.mark.parametrize("transport", ["udp", *STREAMS])
async def test_the_bye_of_who_leaves_is_answered(transport: str, settings: Settings) -> None:
    """The call ends by the caller's BYE, and not because a connection is gone."""
    callee = Callee()
    async with user_agent(f"{transport}:127.0.0.1:0", settings) as bob, bob.serving(callee):
        async with user_agent("udp:127.0.0.1:0", settings) as alice:
            async with alice.call(f"sip:bob@127.0.0.1:{port(bob)};transport={transport}"):
                assert len(alice.calls) == 1
        async with asyncio.timeout(PATIENCE):
            assert await callee.ends.get() == "remote"


def port(agent: UserAgent) -> int:
    return agent._runtime.driver.endpoints[0].local[1]


class Peer:
    """A server of ours and a client of ours, each with what it was told."""

    def __init__(self, server: Endpoint, at_server: Told, client: Endpoint, at_client: Told) -> None:
        self.server, self.at_server = server, at_server
        self.client, self.at_client = client, at_client

    async def flow(self) -> Flow:
        """A connection of the client."""
        self.client.open(Target(self.server.transport.name, self.server.local, "127.0.0.1"))
        await self.at_client.wait(there=1)
        return self.at_client.there[0][1]


@asynccontextmanager
async def pair(transport: str, settings: Settings) -> AsyncIterator[Peer]:
    network, at_server, at_client = HostNetwork(settings), Told(), Told()
    server = await network.listen(Listen(transport, "127.0.0.1", 0), at_server)
    client = DIALLERS[transport](at_client, settings)
    try:
        yield Peer(server, at_server, client, at_client)
    finally:
        for endpoint in (client, server):
            endpoint.close()
            await endpoint.wait_closed()


@pytest.mark.parametrize("transport", STREAMS)
async def test_what_was_written_before_the_end_arrives(transport: str, settings: Settings) -> None:
    """More than the system takes at once."""
    async with pair(transport, settings) as peer:
        flow = await peer.flow()
        for _ in range(MESSAGES):
            peer.client.send(flow, LARGE)
        peer.client.close()
        await peer.client.wait_closed()
        await peer.at_server.wait(messages=MESSAGES, failures=1)
        assert [data for _, data in peer.at_server.messages] == [LARGE] * MESSAGES
        assert peer.at_client.failures == []


@pytest.mark.parametrize("transport", STREAMS)
async def test_what_a_server_has_written_before_its_end_arrives(transport: str, settings: Settings) -> None:
    async with pair(transport, settings) as peer:
        await peer.flow()
        await peer.at_server.wait(visitors=1)
        peer.server.send(peer.at_server.visitors[0], LARGE)
        peer.server.close()
        await peer.server.wait_closed()
        await peer.at_client.wait(messages=1, failures=1)
        assert peer.at_server.failures == []


@pytest.mark.parametrize("transport", STREAMS)
async def test_leaving_without_a_connection_takes_no_time(transport: str, settings: Settings) -> None:
    async with pair(transport, settings) as peer:
        began = time.monotonic()
        peer.client.open(Target(peer.server.transport.name, peer.server.local, "127.0.0.1"))
        for endpoint in (peer.client, peer.server):
            endpoint.close()
            await endpoint.wait_closed()
        assert time.monotonic() < began + LEAVING / 2
        assert (peer.at_client.refusals, peer.at_server.failures) == ([], [])


async def test_a_peer_that_does_not_read_is_waited_for_no_longer_than_the_limit() -> None:
    patient = Settings(streams=StreamLimits(unsent=100_000_000))
    async with pair("tcp", patient) as peer:
        with socket.create_connection(peer.server.local) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await peer.at_server.wait(visitors=1)
            for _ in range(100):
                peer.server.send(peer.at_server.visitors[0], LARGE)
            began = time.monotonic()
            peer.server.close()
            await peer.server.wait_closed()
            assert began + LEAVING - 0.1 < time.monotonic() < began + LEAVING + 1
