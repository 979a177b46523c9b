"""UDP endpoints on real loopback sockets."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
import sys
import time
import warnings
from typing import Any

import pytest

from sipstack.core.outputs import Address, Flow
from sipstack.errors import TransportError
from sipstack.net.udp import BATCH, TURN, UdpEndpoint, source_address
from tests.net.inbox import LOOPBACK, Inbox, listening

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="ICMP errors are queued on Linux only")


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this host has no IPv6 loopback")
ANY_LOOPBACK = [LOOPBACK, pytest.param(("::1", 0), marks=IPV6)]


def sender(host: str = "127.0.0.1") -> socket.socket:
    """A socket of somebody else."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((host, 0))
    return opened


def free_port() -> int:
    """A port that nobody listens on, very likely for long enough."""
    with sender() as probe:
        return int(probe.getsockname()[1])


# --- listening ---


@pytest.mark.parametrize("address", ANY_LOOPBACK)
async def test_a_port_in_use_says_which(address: Address) -> None:
    with listening(address) as (endpoint, _):
        host, port = endpoint.local
        written = f"[{host}]" if ":" in host else host
        with pytest.raises(TransportError) as raised, listening((host, port)):
            raise AssertionError
        assert str(raised.value) == f"cannot listen on udp:{written}:{port}: Address already in use"


async def test_an_address_of_another_host_cannot_be_listened_on() -> None:
    with pytest.raises(TransportError, match=r"cannot listen on udp:192\.0\.2\.1:5060: "):
        UdpEndpoint(asyncio.get_running_loop(), ("192.0.2.1", 5060), Inbox().receive, Inbox().fail)


async def test_nothing_is_left_open() -> None:
    loop = asyncio.get_running_loop()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        with listening() as (endpoint, _):
            with pytest.raises(TransportError):
                UdpEndpoint(loop, endpoint.local, Inbox().receive, Inbox().fail)
            endpoint.close()  # twice does no harm
        gc.collect()


# --- exchange ---


@pytest.mark.parametrize("address", ANY_LOOPBACK)
async def test_datagrams_go_both_ways(address: Address) -> None:
    with listening(address) as (alice, at_alice), listening(address) as (bob, at_bob):
        alice.send(alice.flow_to(bob.local), b"OPTIONS")
        await at_bob.wait(received=1)
        ((flow, data),) = at_bob.received
        assert (flow, data) == (Flow("UDP", bob.local, alice.local), b"OPTIONS")
        flow.endpoint.send(flow, b"SIP/2.0 200 OK")
        await at_alice.wait(received=1)
        assert at_alice.received == [(Flow("UDP", alice.local, bob.local), b"SIP/2.0 200 OK")]


@pytest.mark.parametrize(
    ("wildcard", "peer"), [("0.0.0.0", "127.0.0.1"), pytest.param("::", "::1", marks=IPV6)]
)
async def test_a_wildcard_stands_for_the_address_on_the_way_to_the_peer(wildcard: str, peer: str) -> None:
    with listening((wildcard, 0)) as (endpoint, inbox), listening((peer, 0)) as (other, _):
        assert endpoint.local[0] == wildcard
        assert endpoint.flow_to(other.local).local == (peer, endpoint.local[1])
        other.send(other.flow_to((peer, endpoint.local[1])), b"hello")
        await inbox.wait(received=1)
        assert inbox.received[0][0] == Flow("UDP", (peer, endpoint.local[1]), other.local)


@pytest.mark.parametrize(
    ("address", "remote"), [(LOOPBACK, "::1"), pytest.param(("::1", 0), "127.0.0.1", marks=IPV6)]
)
async def test_there_is_no_flow_to_the_other_ip_version(address: Address, remote: str) -> None:
    with listening(address) as (endpoint, _), pytest.raises(TransportError, match="not the same IP version"):
        endpoint.flow_to((remote, 5060))


def test_an_address_that_cannot_be_routed_has_no_way_to_it() -> None:
    with pytest.raises(TransportError, match=r"no way to 255\.255\.255\.255: "):  # not without SO_BROADCAST
        source_address(("255.255.255.255", 5060))


async def test_an_empty_datagram_and_one_of_the_largest_size_arrive() -> None:
    largest = b"x" * 65507
    with listening() as (alice, _), listening() as (bob, at_bob):
        flow = alice.flow_to(bob.local)
        for data in (b"", largest, b"last"):
            alice.send(flow, data)
        await at_bob.wait(received=3)
        assert at_bob.data == [b"", largest, b"last"]


@pytest.mark.parametrize("size", [65508, 65535, 70000])
async def test_a_datagram_too_large_fails_its_flow_and_no_more(size: int) -> None:
    with listening() as (alice, at_alice), listening() as (bob, at_bob):
        flow = alice.flow_to(bob.local)
        alice.send(flow, b"x" * size)
        await at_alice.wait(failures=1)
        assert at_alice.failures == [(flow, f"127.0.0.1:{bob.local[1]}: Message too long")]
        alice.send(flow, b"small")
        await at_bob.wait(received=1)
        assert (at_bob.data, len(at_alice.failures)) == ([b"small"], 1)


async def test_a_response_too_large_fails_nothing() -> None:
    """Its size is that of the request that it echoes: a peer must not be able to fail our own requests."""
    with listening() as (alice, at_alice), listening() as (bob, _):
        alice.send(alice.flow_to(bob.local), b"SIP/2.0 " + bytes(66000))
        await asyncio.sleep(0.01)
        assert at_alice.failures == []


@LINUX
async def test_an_error_that_nobody_asked_for_does_not_keep_the_loop_busy() -> None:
    """The kernel queues its own complaint on the socket, which stays readable until somebody takes it."""
    with listening() as (alice, at_alice):
        alice.send(alice.flow_to(("127.0.0.1", 5060)), b"x" * 65508)
        await at_alice.wait(failures=1)
        began = time.process_time()
        await asyncio.sleep(0.2)
        assert time.process_time() - began < 0.1


# --- ICMP ---


@LINUX
@pytest.mark.parametrize("address", ANY_LOOPBACK)
async def test_a_closed_port_fails_its_flow_and_no_other(address: Address) -> None:
    with listening(address) as (alice, at_alice), listening(address) as (bob, at_bob):
        with listening(address) as (gone, _):
            closed = alice.flow_to(gone.local)
        alice.send(closed, b"OPTIONS")
        alice.send(alice.flow_to(bob.local), b"OPTIONS")
        await at_alice.wait(failures=1)
        await at_bob.wait(received=1)
        host, port = closed.remote
        assert at_alice.failures == [(closed, f"{host}:{port}: Connection refused")]


@LINUX
async def test_a_closed_port_is_reported_to_who_sends_nothing_more() -> None:
    with listening() as (alice, at_alice):
        closed = alice.flow_to(("127.0.0.1", free_port()))
        for _ in range(3):
            at_alice.failures.clear()
            alice.send(closed, b"OPTIONS")
            await at_alice.wait(failures=1)
            assert [flow for flow, _ in at_alice.failures] == [closed]


@LINUX
async def test_each_of_many_closed_ports_is_reported_while_others_are_served() -> None:
    with listening() as (alice, at_alice), listening() as (bob, at_bob):
        closed = {alice.flow_to(("127.0.0.1", free_port())) for _ in range(20)}
        for flow in closed:
            alice.send(flow, b"OPTIONS")
            alice.send(alice.flow_to(bob.local), b"OPTIONS")
        await at_alice.wait(failures=len(closed))
        await at_bob.wait(received=len(closed))
        assert {flow for flow, _ in at_alice.failures} == closed


@LINUX
async def test_an_error_that_arrives_after_the_close_is_nobodys() -> None:
    with listening() as (alice, at_alice):
        alice.send(alice.flow_to(("127.0.0.1", free_port())), b"OPTIONS")
    alice.send(alice.flow_to(LOOPBACK), b"too late")
    await asyncio.sleep(0.01)
    assert at_alice.failures == []


# --- bursts and floods ---


async def test_a_burst_is_drained_with_nothing_lost() -> None:
    with listening() as (bob, at_bob), sender() as alice:
        room = bob._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        burst = min(2000, room // 2048)  # a small datagram takes up to 2 KiB of the kernel's buffer
        assert burst > BATCH
        sent = [b"OPTIONS %d" % number for number in range(burst)]
        for data in sent:
            alice.sendto(data, bob.local)
        await at_bob.wait(received=burst)
        assert at_bob.data == sent
        flows = [flow for flow, _ in at_bob.received]
        assert all(flow is flows[0] for flow in flows)


async def test_others_get_their_turn_between_the_batches_of_a_burst() -> None:
    turns: list[int] = []
    with listening() as (bob, at_bob), sender() as alice:

        def count() -> None:
            turns.append(len(at_bob.received))
            if turns[-1] < 3 * BATCH:
                asyncio.get_running_loop().call_soon(count)

        for _ in range(3 * BATCH):
            alice.sendto(b"x", bob.local)
        count()
        await at_bob.wait(received=3 * BATCH)
        await asyncio.sleep(0)
    assert turns == sorted(turns)
    assert {BATCH, 2 * BATCH} <= set(turns)


async def test_a_turn_ends_by_the_clock_and_the_rest_waits_in_order() -> None:
    now, turns = 0.0, []
    inbox = Inbox()

    def receive(flow: Flow, data: bytes) -> None:
        nonlocal now
        now += TURN / 2
        inbox.receive(flow, data)

    def count() -> None:
        turns.append(len(inbox.received))
        if turns[-1] < 20:
            loop.call_soon(count)

    loop = asyncio.get_running_loop()
    endpoint = UdpEndpoint(loop, LOOPBACK, receive, inbox.fail, clock=lambda: now)
    with sender() as alice:
        for number in range(20):
            alice.sendto(b"%d" % number, endpoint.local)
        count()
        await inbox.wait(received=20)
        alice.sendto(b"20", endpoint.local)
        await inbox.wait(received=21)
    endpoint.close()
    assert inbox.data == [b"%d" % number for number in range(21)]
    assert all(later - earlier <= 4 for earlier, later in zip(turns, turns[1:], strict=False))
    assert (endpoint.dropped, endpoint.oversized) == (0, 0)


@LINUX
async def test_a_flood_from_one_address_leaves_the_turn_to_others() -> None:
    now = 0.0
    inbox = Inbox()

    def receive(flow: Flow, data: bytes) -> None:
        nonlocal now
        now += TURN / 2
        inbox.receive(flow, data)

    endpoint = UdpEndpoint(asyncio.get_running_loop(), LOOPBACK, receive, inbox.fail, clock=lambda: now)
    with sender("127.0.0.66") as flood, sender("127.0.0.3") as good:
        for _ in range(100):
            flood.sendto(b"flood", endpoint.local)
        good.sendto(b"good", endpoint.local)
        await inbox.wait(received=101)
    endpoint.close()
    assert inbox.data.index(b"good") < 10


async def test_closing_drops_what_waits() -> None:
    now = 0.0
    received: list[bytes] = []
    arrived = asyncio.Event()

    def receive(flow: Flow, data: bytes) -> None:
        nonlocal now
        now += TURN
        received.append(data)
        arrived.set()

    endpoint = UdpEndpoint(asyncio.get_running_loop(), LOOPBACK, receive, Inbox().fail, clock=lambda: now)
    with sender() as alice:
        for _ in range(10):
            alice.sendto(b"x", endpoint.local)
        async with asyncio.timeout(5):
            await arrived.wait()
        endpoint.close()
        seen = len(received)
        await asyncio.sleep(0.01)
    assert 0 < len(received) == seen < 10


async def test_a_datagram_longer_than_allowed_is_dropped_and_counted() -> None:
    with listening(maximum_datagram=1000) as (bob, at_bob), sender() as alice:
        for size in (1001, 1000, 60_000):
            alice.sendto(b"x" * size, bob.local)
        alice.sendto(b"last", bob.local)
        await at_bob.wait(received=2)
        assert [len(data) for data in at_bob.data] == [1000, 4]
        assert bob.oversized == 2


@LINUX  # others have only one loopback address
async def test_a_flood_from_many_addresses_starts_the_memory_over() -> None:
    with listening(maximum_peers=10) as (bob, at_bob), sender() as alice:
        alice.sendto(b"first", bob.local)
        await at_bob.wait(received=1)
        for number in range(100):
            with sender(f"127.0.1.{number + 1}") as stranger:
                stranger.sendto(b"flood", bob.local)
        alice.sendto(b"last", bob.local)
        await at_bob.wait(received=102)
        first, last = at_bob.received[0][0], at_bob.received[-1][0]
        assert len({flow for flow, _ in at_bob.received}) == 101
        assert first == last
        assert first is not last  # forgotten meanwhile
        assert len(bob._flows) <= 10


async def test_closing_in_the_middle_of_a_batch_ends_it() -> None:
    received: list[bytes] = []

    def receive(flow: Flow, data: bytes) -> None:
        received.append(data)
        flow.endpoint.close()
        flow.endpoint.send(flow, b"too late")

    endpoint = UdpEndpoint(asyncio.get_running_loop(), LOOPBACK, receive, Inbox().fail)
    with sender() as alice:
        for number in range(10):
            alice.sendto(b"%d" % number, endpoint.local)
        await asyncio.sleep(0.05)
    assert received == [b"0"]


async def test_an_exception_in_receive_loses_one_datagram_and_is_reported() -> None:
    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: reported.append(str(context["exception"]))
    )
    inbox = Inbox()

    def receive(flow: Flow, data: bytes) -> None:
        if data == b"bad":
            raise RuntimeError("a bug")
        inbox.receive(flow, data)

    endpoint = UdpEndpoint(asyncio.get_running_loop(), LOOPBACK, receive, inbox.fail)
    with sender() as alice:
        for data in (b"one", b"bad", b"two"):
            alice.sendto(data, endpoint.local)
        await inbox.wait(received=2)
    endpoint.close()
    assert (inbox.data, reported) == ([b"one", b"two"], ["a bug"])


async def test_a_full_send_buffer_loses_what_is_sent() -> None:
    with listening() as (alice, at_alice), listening() as (bob, _):
        flow = alice.flow_to(bob.local)
        for _ in range(5000):
            alice.send(flow, bytes(1400))
        await asyncio.sleep(0.01)
        assert at_alice.failures == []


class Socket:
    """The first sends fail with these errors; what came through is kept."""

    def __init__(self, real: Any, errors: list[int]) -> None:
        self._real = real
        self._errors = errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def sendto(self, data: bytes, remote: Address) -> int:
        if self._errors:
            raise OSError(self._errors.pop(0), "of this test")
        return int(self._real.sendto(data, remote))


@pytest.mark.parametrize(
    "errors", [[errno.ENOBUFS], [errno.EAGAIN], [errno.ENOMEM], [errno.EPERM, errno.ENOBUFS]]
)
async def test_a_full_queue_is_loss(errors: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction repeats what was lost: no flow has failed."""
    with listening() as (alice, at_alice), listening() as (bob, at_bob):
        monkeypatch.setattr(alice, "_socket", Socket(alice._socket, errors))
        for data in (b"one", b"two"):
            alice.send(alice.flow_to(bob.local), data)
        await at_bob.wait(received=1)
        assert (at_bob.data, at_alice.failures) == ([b"two"], [])


@pytest.mark.parametrize("error", [errno.EPERM, errno.EACCES, errno.ENETUNREACH])
async def test_a_send_that_is_refused_fails_its_flow(error: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as (alice, at_alice), listening() as (bob, at_bob):
        monkeypatch.setattr(alice, "_socket", Socket(alice._socket, [error, error]))
        flow = alice.flow_to(bob.local)
        for data in (b"one", b"two"):
            alice.send(flow, data)
        await at_bob.wait(received=1)
        assert (at_bob.data, [failed for failed, _ in at_alice.failures]) == ([b"two"], [flow])
