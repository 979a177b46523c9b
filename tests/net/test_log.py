"""What the driver and the UDP endpoint write: addresses, look-ups, flows, and each message on one line."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from sipstack.core.dns_records import Answer, Query
from sipstack.core.outputs import Flow
from sipstack.core.trace import TracedMessage
from sipstack.net.host import HostNetwork
from sipstack.net.message_log import REMEMBERED, MessageLog
from sipstack.net.network import Listen
from sipstack.net.udp import UdpEndpoint
from sipstack.testing.hosted import HostedNetwork
from sipstack.testing.world import World
from tests.log_lines import lines, listen
from tests.net.inbox import LOOPBACK, Inbox
from tests.net.test_driver import THERE, VOID, Station, started

STRANGER = ("10.0.0.66", 5060)
HERE = ("10.0.0.1", 5060)


@pytest.fixture
def debug(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    listen(caplog, logging.DEBUG)
    return caplog


# --- what strangers send ---


async def told_of(world: World, caplog: pytest.LogCaptureFixture, *messages: bytes) -> list[str]:
    """What is written about messages that a stranger sends."""
    station = await started(Station(world))
    lines(caplog)
    for message in messages:
        world.send(STRANGER, HERE, message)
    await asyncio.sleep(1)
    told = lines(caplog)
    await station.driver.close()
    return told


@pytest.mark.virtual_time
async def test_a_hostile_start_line_is_one_line(world: World, debug: pytest.LogCaptureFixture) -> None:
    hostile = (
        b"SIP/2.0 200 \x1b[2Jpaid\x07\r12:00:00 INFO sipstack.call: paid\n\r\n"
        b"Call-ID: a\x1b[31m\r\nCSeq: 1\x9b INVITE\r\n\r\n"
    )
    assert await told_of(world, debug, hostile) == [
        "DEBUG transport: <- UDP 10.0.0.66:5060"
        r" SIP/2.0 200 \x1b[2Jpaid\x07\r12:00:00 INFO sipstack.call: paid\n"
        " (Call-ID a\\x1b[31m, CSeq 1\ufffd INVITE)",
        "DEBUG transaction: from 10.0.0.66:5060: the message is malformed",
    ]


@pytest.mark.virtual_time
async def test_what_reaches_nobody_is_told(world: World, debug: pytest.LogCaptureFixture) -> None:
    junk = b"Authorization: Digest response=0123\r\n\r\n"
    stray = (
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
        b"To: <sip:c@d>;tag=2\r\nCall-ID: stray\r\nCSeq: 7 BYE\r\nContent-Length: 0\r\n\r\n"
    )
    assert await told_of(world, debug, b"\r\n\r\n", junk, stray) == [
        "DEBUG transport: <- UDP 10.0.0.66:5060 keep-alive",
        "DEBUG transport: <- UDP 10.0.0.66:5060 39 octets that are not SIP",
        "DEBUG transaction: from 10.0.0.66:5060: the message is malformed",
        "DEBUG transport: <- UDP 10.0.0.66:5060 SIP/2.0 200 OK (Call-ID stray, CSeq 7 BYE)",
        "DEBUG transaction: from 10.0.0.66:5060: the message belongs to no transaction and no dialog",
    ]


@pytest.mark.virtual_time
async def test_at_the_end_the_counters_are_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    assert await told_of(world, caplog, b"junk", b"more junk") == []
    assert lines(caplog) == [
        "transaction: closed; of what came in, 2 malformed, 0 without a transaction or dialog, 0 too many"
    ]


# --- what goes wrong ---


@pytest.mark.virtual_time
async def test_a_name_that_is_not_found(world: World, caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    station = await started(Station(world))
    station.request("sip:nobody.test")
    await asyncio.sleep(1)
    assert lines(caplog) == [
        "transport: listening on udp:10.0.0.1:5060",
    ]
    await station.driver.close()


class WithoutServer(HostedNetwork):
    """The DNS knows where a host is, and fails when its services are asked for."""

    async def resolve(self, query: Query) -> Answer:
        if query.type in ("NAPTR", "SRV"):
            return Answer(problem="no DNS server answered within 2 s")
        return await super().resolve(query)


@pytest.mark.virtual_time
async def test_a_server_of_names_that_is_silent(world: World, debug: pytest.LogCaptureFixture) -> None:
    """It costs each call seconds: that is told, though the host is found."""
    station = await started(Station(world, network=WithoutServer(world.simulated, "10.0.0.1")))
    world.names["there.test"] = ["10.0.0.2"]
    lines(debug)
    station.request("sip:there.test")
    await asyncio.sleep(1)
    assert lines(debug)[:3] == [
        "DEBUG transport: NAPTR of there.test is not found: no DNS server answered within 2 s",
        "DEBUG transport: SRV of _sip._udp.there.test is not found: no DNS server answered within 2 s",
        "DEBUG transport: there.test is found at 10.0.0.2",
    ]
    await station.driver.close()


@pytest.mark.virtual_time
async def test_a_peer_that_is_not_there(debug: pytest.LogCaptureFixture) -> None:
    station = await started(Station(World(icmp=True)))
    lines(debug)
    station.request(VOID)
    await asyncio.sleep(1)
    assert lines(debug) == [
        "DEBUG transport: UDP to 10.0.0.9:5060 is open",
        "DEBUG transport: -> UDP 10.0.0.9:5060 MESSAGE sip:10.0.0.9 SIP/2.0 (Call-ID ID, CSeq 1 MESSAGE)",
        "transport: UDP with 10.0.0.9:5060 failed: [Errno 111] Connection refused",
    ]
    await station.driver.close()


async def test_no_way_to_a_target(world: World, caplog: pytest.LogCaptureFixture) -> None:
    listen(caplog)
    station = await started(Station(world, network=HostNetwork()), Listen("udp", "127.0.0.1", 0))
    lines(caplog)
    station.request("sip:[2001:db8::9]")
    await station.driver.close()
    assert lines(caplog) == [
        "transport: no UDP to [2001:db8::9]:5060: 2001:db8::9 cannot be reached from 127.0.0.1:"
        " not the same IP version"
    ]


@pytest.mark.virtual_time
async def test_repeated_messages_are_recognised(world: World, debug: pytest.LogCaptureFixture) -> None:
    station = await started(Station(world))
    lines(debug)
    station.request(VOID)
    await asyncio.sleep(2)
    sent = "DEBUG transport: -> UDP 10.0.0.9:5060 MESSAGE sip:10.0.0.9 SIP/2.0 (Call-ID ID, CSeq 1 MESSAGE"
    assert lines(debug) == [
        "DEBUG transport: UDP to 10.0.0.9:5060 is open",
        f"{sent})",
        f"{sent}, again)",
        f"{sent}, again)",
    ]
    await station.driver.close()


def test_a_bounded_number_of_messages_is_recognised(debug: pytest.LogCaptureFixture) -> None:
    log = MessageLog()
    flow = Flow("UDP", HERE, STRANGER)
    for number in (*range(REMEMBERED + 1), 1, 0):
        log(TracedMessage(0.0, False, flow, b"SIP/2.0 200 OK\r\nCSeq: %d BYE\r\n\r\n" % number))
    told = lines(debug)
    assert [line.partition("CSeq ")[2] for line in told[-3:]] == ["1024 BYE)", "1 BYE, again)", "0 BYE)"]


# --- an exchange ---


@pytest.mark.virtual_time
async def test_each_message_is_one_line_at_both_ends(world: World, debug: pytest.LogCaptureFixture) -> None:
    here, there = await started(Station(world)), await started(Station(world), THERE)
    world.names["there.test"] = ["10.0.0.2"]
    here.request("sip:bob:secret@there.test")
    await asyncio.sleep(1)
    request = "MESSAGE sip:bob:***@there.test SIP/2.0 (Call-ID ID, CSeq 1 MESSAGE)"
    response = "SIP/2.0 200 OK (Call-ID ID, CSeq 1 MESSAGE)"
    assert lines(debug) == [
        "transport: listening on udp:10.0.0.1:5060",
        "transport: listening on udp:10.0.0.2:5060",
        "DEBUG transport: there.test is found at 10.0.0.2",
        "DEBUG transport: UDP to 10.0.0.2:5060 is open",
        f"DEBUG transport: -> UDP 10.0.0.2:5060 {request}",
        f"DEBUG transport: <- UDP 10.0.0.1:5060 {request}",
        f"DEBUG transport: -> UDP 10.0.0.1:5060 {response}",
        f"DEBUG transport: <- UDP 10.0.0.2:5060 {response}",
    ]
    await here.driver.close()
    await there.driver.close()


@pytest.mark.virtual_time
async def test_the_log_and_a_trace_of_the_application_get_the_same(
    world: World, debug: pytest.LogCaptureFixture
) -> None:
    traced: list[TracedMessage] = []
    station = await started(Station(world, trace=traced.append))
    lines(debug)
    station.request(VOID)
    assert [message.sent for message in traced] == [True]
    assert [line.split()[2] for line in lines(debug)] == ["UDP", "->"]
    await station.driver.close()


@pytest.mark.virtual_time
async def test_messages_are_not_looked_at_unless_they_are_wanted(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one value becomes text, and the driver takes the way without a trace."""
    listen(caplog, logging.WARNING)
    monkeypatch.setattr("sipstack.log.legible", None)
    here, there = await started(Station(world)), await started(Station(world), THERE)
    here.request("sip:10.0.0.2")
    await asyncio.sleep(1)
    assert (here.driver.received, here.driver._traces) == (here.driver._receive, ())
    assert len(here.events) == 1
    await here.driver.close()
    await there.driver.close()
    assert lines(caplog) == []


# --- UDP ---


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


class FullSocket:
    """The kernel takes nothing."""

    def __init__(self, opened: Any) -> None:
        self.close, self.fileno, self.family = opened.close, opened.fileno, opened.family

    def sendto(self, data: bytes, remote: object) -> int:
        raise BlockingIOError


@pytest.fixture
async def endpoint(inbox: Inbox) -> Any:
    endpoint = UdpEndpoint(asyncio.get_running_loop(), LOOPBACK, inbox.receive, inbox.fail)
    yield endpoint
    endpoint.close()


def _lost(endpoint: UdpEndpoint) -> Iterator[str]:
    host, port = endpoint.local
    for count in (1, 2, 4, 8):
        yield f"WARNING transport: {host}:{port} cannot send as fast: {count} datagrams are lost so far"


async def test_datagrams_that_the_kernel_does_not_take_are_told_ever_more_rarely(
    endpoint: UdpEndpoint, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen(caplog)
    monkeypatch.setattr(endpoint, "_socket", FullSocket(endpoint._socket))
    for _ in range(10):
        endpoint.send(endpoint.flow_to(("127.0.0.1", 9)), b"x")
    assert lines(caplog) == [*_lost(endpoint)]


async def test_a_response_that_is_too_long_is_told(
    endpoint: UdpEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    listen(caplog)
    endpoint.send(endpoint.flow_to(("127.0.0.1", 9)), b"SIP/2.0 400 Bad Request" + bytes(70_000))
    assert lines(caplog) == ["transport: 70023 octets are too many to answer 127.0.0.1:9"]
