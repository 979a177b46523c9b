"""A pair of UDP ports, on real loopback sockets."""

from __future__ import annotations

import asyncio
import errno
import random
import socket
from typing import Any

import pytest

from sipstack.errors import TransportError
from sipstack.media.peer_address import Address
from sipstack.media.transport import UdpTransport, close_both
from sipstack.media.udp_port import LARGEST, UdpPort

ANY = (0, 0)
uniform = random.Random(1).uniform


class Received:
    """What arrived at one port."""

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.sources: list[Address] = []

    def __call__(self, data: bytes, source: Address, now: float) -> None:
        self.data.append(data)
        self.sources.append(source)


def never(error: TransportError) -> None:
    """What ``failed`` is where nothing fails."""
    raise error


class Broken(socket.socket):
    """A socket that reports ``error`` whenever it is read, though there is something to be read."""

    error = errno.ENETDOWN

    def recvfrom(self, *_: Any) -> Any:
        raise OSError(self.error, "as told")


@pytest.fixture(params=["127.0.0.1", "::1"])
def host(request: pytest.FixtureRequest) -> str:
    address: str = request.param
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        pytest.skip(f"no {address} here")
    return address


@pytest.mark.parametrize("host", ["localhost", "example.invalid", "", "256.1.1.1", "1.2.3.4.5"])
def test_a_host_that_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(TransportError):
        UdpTransport.bind(host, ANY, uniform)


def test_an_address_that_is_not_ours_is_refused() -> None:
    with pytest.raises(TransportError, match=r"no pair of RTP ports on 192\.0\.2\.1"):
        UdpTransport.bind("192.0.2.1", ANY, uniform)


def test_rtp_has_an_even_port_and_rtcp_the_next(host: str) -> None:
    for _ in range(20):
        transport = UdpTransport.bind(host, ANY, uniform)
        assert transport.port % 2 == 0
        assert transport.rtcp_port == transport.port + 1
        transport.close()


def test_ports_of_a_range_until_it_is_used_up() -> None:
    first = free_range(8)
    transports = [UdpTransport.bind("127.0.0.1", (first, first + 7), uniform) for _ in range(4)]
    assert sorted(transport.port for transport in transports) == [first, first + 2, first + 4, first + 6]
    with pytest.raises(TransportError):
        UdpTransport.bind("127.0.0.1", (first, first + 7), uniform)
    transports.pop().close()
    UdpTransport.bind("127.0.0.1", (first, first + 7), uniform).close()
    for transport in transports:
        transport.close()


def test_a_pair_whose_second_port_is_taken_is_passed_over() -> None:
    first = free_range(4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", first + 1))
        transport = UdpTransport.bind("127.0.0.1", (first, first + 3), uniform)
        assert transport.port == first + 2
        transport.close()


@pytest.mark.parametrize("ports", [(40000, 40000), (40001, 40002), (40002, 40001)])
def test_a_range_without_a_pair_is_refused(ports: tuple[int, int]) -> None:
    with pytest.raises(TransportError):
        UdpTransport.bind("127.0.0.1", ports, uniform)


async def test_each_port_has_its_own_receiver(host: str) -> None:
    one, two = UdpTransport.bind(host, ANY, uniform), UdpTransport.bind(host, ANY, uniform)
    rtp, rtcp = Received(), Received()
    two.start(rtp, rtcp, never)
    one.send_rtp(b"sound", _address(two, host))
    one.send_rtcp(b"report", _address(two, host, rtcp=True))
    await asyncio.sleep(0.01)
    one.close()
    two.close()
    assert (rtp.data, rtcp.data) == ([b"sound"], [b"report"])
    assert rtp.sources == [_address(one, host)]
    assert rtcp.sources == [_address(one, host, rtcp=True)]


async def test_a_flood_starves_nobody() -> None:
    """Between two datagrams of one port, all others that are ready have their turn."""
    flooded, quiet = (
        UdpTransport.bind("127.0.0.1", ANY, uniform),
        UdpTransport.bind("127.0.0.1", ANY, uniform),
    )
    turns: list[str] = []
    flooded.start(lambda *_: turns.append("flood"), Received(), never)
    quiet.start(lambda *_: turns.append("quiet"), Received(), never)
    for _ in range(200):
        quiet.send_rtp(b"x", _address(flooded, "127.0.0.1"))
    for _ in range(5):
        flooded.send_rtp(b"x", _address(quiet, "127.0.0.1"))
    await asyncio.sleep(0.05)
    flooded.close()
    quiet.close()
    assert sorted(turns[:10]) == ["flood"] * 5 + ["quiet"] * 5
    assert turns[10:] == ["flood"] * 195


async def test_what_is_larger_than_any_media_packet_is_cut() -> None:
    one, two = UdpTransport.bind("127.0.0.1", ANY, uniform), UdpTransport.bind("127.0.0.1", ANY, uniform)
    rtp = Received()
    two.start(rtp, Received(), never)
    one.send_rtp(bytes(9000), _address(two, "127.0.0.1"))
    await asyncio.sleep(0.01)
    one.close()
    two.close()
    assert rtp.data == [bytes(LARGEST)]


def test_what_the_network_refuses_is_counted_and_not_raised() -> None:
    transport = UdpTransport.bind("127.0.0.1", ANY, uniform)
    transport.send_rtp(b"x", ("127.0.0.1", 0))
    transport.send_rtp(bytes(70_000), ("127.0.0.1", 9))
    transport.send_rtcp(b"x", ("255.255.255.255", 9))
    assert transport.send_errors == 3
    transport.close()
    transport.send_rtp(b"x", ("127.0.0.1", 9))
    assert transport.send_errors == 4


async def test_closing_twice_is_closing_once_and_nothing_stays_behind() -> None:
    transport = UdpTransport.bind("127.0.0.1", ANY, uniform)
    transport.start(Received(), Received(), never)
    port = transport.port
    transport.close()
    transport.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", port))


def broken(error: int) -> UdpTransport:
    sockets = [Broken(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for sock in sockets:
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        sock.error = error
    rtp, rtcp = map(UdpPort, sockets)
    return UdpTransport(rtp, rtcp, close_both)


async def test_a_socket_that_breaks_is_reported_once_and_read_no_more() -> None:
    """Otherwise it would be ready to be read, and fail, in each turn of the loop."""
    transport = broken(errno.ENETDOWN)
    failures: list[TransportError] = []
    transport.start(Received(), Received(), failures.append)
    for _ in range(3):
        transport.send_rtp(b"x", _address(transport, "127.0.0.1"))
        transport.send_rtcp(b"x", _address(transport, "127.0.0.1", rtcp=True))
        await asyncio.sleep(0.01)
    transport.close()
    assert [str(error) for error in failures] == [
        f"media cannot be received any more: [Errno {errno.ENETDOWN}] as told"
    ]


async def test_an_earlier_packet_that_was_not_delivered_breaks_nothing() -> None:
    transport = broken(errno.ECONNREFUSED)
    transport.start(Received(), Received(), never)
    transport.send_rtp(b"x", _address(transport, "127.0.0.1"))
    await asyncio.sleep(0.01)
    transport.close()
    assert transport.send_errors > 1


async def test_it_may_be_closed_by_what_it_receives() -> None:
    one, two = UdpTransport.bind("127.0.0.1", ANY, uniform), UdpTransport.bind("127.0.0.1", ANY, uniform)
    received = []

    def receive(data: bytes, source: Address, now: float) -> None:
        received.append(data)
        two.close()

    two.start(receive, Received(), never)
    for data in (b"1", b"2"):
        one.send_rtp(data, _address(two, "127.0.0.1"))
    await asyncio.sleep(0.01)
    one.close()
    assert received == [b"1"]


def _address(transport: UdpTransport, host: str, *, rtcp: bool = False) -> Address:
    port = transport.rtcp_port if rtcp else transport.port
    return (host, port, 0, 0) if ":" in host else (host, port)


def free_range(size: int) -> int:
    """An even port with ``size`` free ones from it on, outside of the usual ephemeral range."""
    for first in range(20000, 30000, size):
        with_errors = 0
        for port in range(first, first + size):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                try:
                    sock.bind(("127.0.0.1", port))
                except OSError:
                    with_errors += 1
        if not with_errors:
            return first
    pytest.skip("no free ports")
