"""A name behind the public API on real sockets: NAPTR and SRV of a real DNS server lead to two ports, and the
first of them is of no use (RFC 3263 §4).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

import pytest

from sipstack import ResolutionError, Timers, TracedMessage, UserAgent
from sipstack.message import Request
from sipstack.message.parser import parse
from sipstack.net.host import HostNetwork
from sipstack.net.resolver import Resolver
from sipstack.net.settings import Settings
from sipstack.testing.media import SilentMedia
from tests.net.dns_server import DnsServer
from tests.ua.handlers import Answering

BOB = "sip:bob@example.test"
TIMERS = Timers(t1=0.005, t2=0.04, t4=0.05)
"""64*T1 is a third of a second."""


class Sent:
    """The requests that went out, each counted once: method, port and branch."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int, str], None] = {}

    def __call__(self, traced: TracedMessage) -> None:
        message = parse(traced.data) if traced.sent else None
        if isinstance(message, Request) and message.method != "ACK":
            self.requests[message.method, traced.flow.remote[1], message.via.branch or ""] = None

    def ports(self) -> list[int]:
        return [port for _, port, _ in self.requests]


class Unwilling(asyncio.DatagramProtocol):
    """Answers each request with 503, or not at all."""

    def __init__(self, *, answers: bool) -> None:
        self._answers = answers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        request = parse(data)
        if self._answers and isinstance(request, Request) and request.method != "ACK":
            self._transport.sendto(bytes(request.response(503, to_tag="x")), address)


@asynccontextmanager
async def useless(way: str) -> AsyncIterator[int]:
    """The port of a server that is of no use."""
    if way == "refused":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            port: int = taken.getsockname()[1]
        yield port
        return
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: Unwilling(answers=way == "503"), ("127.0.0.1", 0)
    )
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def agent(name: str, server: DnsServer, trace: Sent | None = None) -> UserAgent:
    return UserAgent(
        f"sip:{name}@example.test",
        listen="udp:127.0.0.1:0",
        media=SilentMedia,
        timers=TIMERS,
        trace=trace,
        network=HostNetwork(Settings(resolver=Resolver([server.address], hosts=""))),
    )


@asynccontextmanager
async def stage(way: str) -> AsyncIterator[tuple[UserAgent, DnsServer, Sent, int, int]]:
    """Alice, the DNS, what she sends, the useless port and Bob's."""
    sent = Sent()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(DnsServer({}))
        dead = await stack.enter_async_context(useless(way))
        bob = await stack.enter_async_context(agent("bob", server))
        await stack.enter_async_context(bob.serving(Answering()))
        (_, _, good), *_ = bob.listening
        server.zone = {
            ("example.test", "NAPTR"): [
                '10 10 "s" "SIPS+D2T" "" _sips._tcp.example.test.',
                '50 10 "s" "SIP+D2U" "" _sip._udp.example.test.',
            ],
            ("_sip._udp.example.test", "SRV"): [
                f"20 0 {good} two.example.test.",
                f"10 0 {dead} one.example.test.",
            ],
            ("one.example.test", "A"): ["127.0.0.1"],
            ("two.example.test", "CNAME"): ["host.example.test."],
            ("host.example.test", "A"): ["127.0.0.1"],
        }
        alice = await stack.enter_async_context(agent("alice", server, sent))
        yield alice, server, sent, dead, good


@pytest.mark.parametrize("way", ["refused", "silent", "503"])
async def test_a_call_goes_on_to_the_next_server_and_the_next_call_goes_there_at_once(
    way: str,
) -> None:
    async with asyncio.timeout(10), stage(way) as (alice, _, sent, dead, good):
        async with alice.call(BOB) as call:
            assert sent.ports() == [dead, good]
            assert len({branch for _, _, branch in sent.requests}) == 2
            await call.hang_up()
        sent.requests.clear()
        async with alice.call(BOB) as call:
            assert sent.ports() == [good]
            await call.hang_up()


async def test_each_record_is_asked_for_once_and_no_more_than_is_of_use() -> None:
    """Alice has no IPv6 address over UDP: nothing is asked of these."""
    async with asyncio.timeout(10), stage("refused") as (alice, server, _, _, _):
        for _ in range(3):
            assert (await alice.options(BOB)).status == 200
        assert sorted(server.asked) == [
            ("_sip._udp.example.test", "SRV"),
            ("_sips._tcp.example.test", "SRV"),
            ("example.test", "NAPTR"),
            ("one.example.test", "A"),
            ("two.example.test", "A"),
        ]


async def test_a_record_is_asked_for_again_when_its_time_is_over() -> None:
    """A TTL of 0 holds for a second, so that one call asks once."""
    async with asyncio.timeout(10), stage("refused") as (alice, server, sent, _, good):
        server.ttls["_sip._udp.example.test"] = 0
        await alice.options(BOB)
        server.zone["_sip._udp.example.test", "SRV"] = [f"10 0 {good} host.example.test."]
        await asyncio.sleep(1.1)
        server.asked.clear()
        sent.requests.clear()
        await alice.options(BOB)
        assert server.asked == [("_sip._udp.example.test", "SRV"), ("host.example.test", "A")]
        assert sent.ports() == [good]


async def test_a_name_that_the_dns_does_not_know() -> None:
    async with asyncio.timeout(10), stage("refused") as (alice, _, sent, _, _):
        with pytest.raises(
            ResolutionError, match="^no address for sip:x@nobody.test: there is no such name$"
        ):
            await alice.options("sip:x@nobody.test")
        assert sent.ports() == []


async def test_a_service_whose_only_host_is_unknown_is_named() -> None:
    async with asyncio.timeout(10), stage("refused") as (alice, server, _, _, _):
        server.zone["_sip._udp.example.test", "SRV"] = ["10 0 5060 gone.example.test."]
        reason = r"gone\.example\.test \(SRV of example\.test\): there is no such name"
        with pytest.raises(ResolutionError, match=reason):
            await alice.options(BOB)


async def test_a_user_agent_that_is_closed_waits_for_no_server() -> None:
    before = asyncio.all_tasks()
    async with asyncio.timeout(10), DnsServer({}) as server:
        server.silent.add("example.test")
        async with agent("alice", server) as alice:
            request = asyncio.create_task(alice.options(BOB))
            await server.was_asked.wait()
            request.cancel()
        await asyncio.wait([request])
    assert asyncio.all_tasks() <= before
