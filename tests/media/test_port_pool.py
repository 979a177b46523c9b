"""Ports that one call after another uses: on real loopback sockets, in time that the test makes pass."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterator

import pytest

from sipstack.errors import TransportError
from sipstack.media import port_pool, transport
from sipstack.media.peer_address import Address
from sipstack.media.port_pool import QUIET, STRAGGLERS, PortPool
from sipstack.media.transport import UdpTransport
from tests.media.test_transport import Received, free_range, never

HOST = "127.0.0.1"
ANY = (0, 0)
uniform = random.Random(1).uniform

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def pool() -> Iterator[PortPool]:
    pool = PortPool()
    yield pool
    pool.close()


def open_call(pool: PortPool, ports: tuple[int, int] = ANY) -> tuple[UdpTransport, Received]:
    """A transport in use, and what it hears."""
    transport, heard = pool.bind(HOST, ports, uniform), Received()
    transport.start(heard, Received(), never)
    return transport, heard


def say(port: int, count: int = 1) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(count):
            sock.sendto(b"late", (HOST, port))


async def quiet() -> None:
    await asyncio.sleep(QUIET)


async def test_the_ports_of_a_call_are_used_again_when_they_have_been_quiet(pool: PortPool) -> None:
    first, _ = open_call(pool)
    first.close()
    await quiet()
    second, _ = open_call(pool)
    assert (second.port, second.rtcp_port) == (first.port, first.rtcp_port)
    second.close()


async def test_at_once_a_call_gets_other_ports(pool: PortPool) -> None:
    first, _ = open_call(pool)
    first.close()
    second, _ = open_call(pool)
    assert second.port != first.port
    second.close()
    assert pool.idle == 2


async def test_the_last_packets_of_a_call_do_not_get_into_the_next(pool: PortPool) -> None:
    first, heard_before = open_call(pool)
    first.close()
    say(first.port)
    say(first.rtcp_port)
    await quiet()  # and meanwhile they are read
    await quiet()
    second, heard = open_call(pool)
    assert second.port == first.port
    await asyncio.sleep(0.1)
    assert (heard.data, heard_before.data) == ([], [])
    say(second.port)
    await asyncio.sleep(0.1)
    second.close()
    assert heard.data == [b"late"]


async def test_a_pair_that_still_hears_its_last_call_waits_longer(pool: PortPool) -> None:
    first, _ = open_call(pool)
    first.close()
    await asyncio.sleep(QUIET * 0.8)
    say(first.port)
    await asyncio.sleep(QUIET * 0.8)
    second, _ = open_call(pool)
    assert second.port != first.port
    second.close()


async def test_a_pair_whose_last_peer_does_not_stop_is_given_up(pool: PortPool) -> None:
    first, _ = open_call(pool)
    first.close()
    for _ in range(STRAGGLERS):
        say(first.port)
        await asyncio.sleep(0.02)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, first.port))  # it is free
    await quiet()
    second, _ = open_call(pool)
    second.close()
    assert pool.idle == 1


async def test_who_was_closed_sends_nothing_and_closes_nobody_else(pool: PortPool) -> None:
    first, _ = open_call(pool)
    first.close()
    await quiet()
    second, heard = open_call(pool)
    first.close()
    first.send_rtp(b"too late", (HOST, second.port))
    first.start(Received(), Received(), never)
    say(second.port)
    await asyncio.sleep(0.1)
    assert first.send_errors == 1
    assert heard.data == [b"late"]
    second.close()


async def test_no_more_is_kept_than_was_asked_for() -> None:
    pool = PortPool(kept=2)
    calls = [open_call(pool)[0] for _ in range(4)]
    for call in calls:
        call.close()
    assert pool.idle == 2
    pool.close()
    assert pool.idle == 0


async def test_a_range_that_is_used_up_gives_what_is_not_yet_quiet(pool: PortPool) -> None:
    first = free_range(4)
    one, two = (open_call(pool, (first, first + 3))[0] for _ in range(2))
    with pytest.raises(TransportError):
        pool.bind(HOST, (first, first + 3), uniform)
    one.close()
    three, _ = open_call(pool, (first, first + 3))
    assert three.port == one.port
    two.close()
    three.close()


async def test_idle_ports_make_room_where_nothing_else_can_be_opened(
    pool: PortPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No descriptor is left: those that wait for calls at another address are given up for this one."""
    other, _ = open_call(pool, (free_range(4), 65000))
    other.close()
    refusals = [TransportError("too many open files")]

    def scarce(*arguments: object) -> object:
        if refusals:
            raise refusals.pop()
        return transport.bind_pair(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(port_pool, "bind_pair", scarce)
    call, _ = open_call(pool)
    assert pool.idle == 0
    call.close()


async def test_who_never_started_leaves_nothing(pool: PortPool) -> None:
    """Its port is not read, so nobody would drop what comes to it."""
    pool.bind(HOST, ANY, uniform).close()
    assert pool.idle == 0


async def test_a_pool_that_is_closed_frees_what_is_in_use_when_its_call_ends(pool: PortPool) -> None:
    call, heard = open_call(pool)
    pool.close()
    say(call.port)
    await asyncio.sleep(0.1)
    assert heard.data == [b"late"]
    call.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, call.port))


async def test_errors_of_the_last_call_are_not_those_of_the_next(pool: PortPool) -> None:
    first, _ = open_call(pool)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        closed: Address = probe.getsockname()
    first.send_rtp(b"x", closed)  # ICMP: nobody is there
    first.close()
    await quiet()
    second, _ = open_call(pool)
    await asyncio.sleep(0.1)
    assert second.send_errors == 0
    second.close()


async def test_the_pair_of_an_earlier_process_is_had_again_and_not_kept_for_others(pool: PortPool) -> None:
    first = free_range(2)
    last = first + 1
    call, _ = open_call(pool, (first, last))
    assert (call.port, call.rtcp_port) == (first, first + 1)
    with pytest.raises(TransportError, match="no pair of RTP ports"):
        open_call(pool, (first, last))
    call.close()
    assert pool.idle == 0
    again, _ = open_call(pool, (first, last))
    again.close()
