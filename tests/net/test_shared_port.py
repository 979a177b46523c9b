"""One port of several workers, on real loopback sockets; here the workers are in one process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import attrs
import pytest

from sipstack import CallRejected, Invitation, LocalProtocolError, UserAgent
from sipstack.errors import TransportError
from sipstack.net.network import Listen
from sipstack.net.shared_port import HEADER, SharedEndpoint, SharedPort
from sipstack.net.udp import open_socket
from tests.net.inbox import Inbox, User

PORT = "udp:127.0.0.1:0"


def message(call_id: str, method: str = "OPTIONS") -> bytes:
    return f"{method} sip:b SIP/2.0\r\nCall-ID: {call_id}\r\n\r\n".encode()


@attrs.frozen
class Worker:
    endpoint: SharedEndpoint
    inbox: Inbox


@contextlib.asynccontextmanager
async def workers(count: int, listen: str = PORT) -> AsyncIterator[tuple[SharedPort, list[Worker]]]:
    """So many endpoints that share one port."""
    shared = SharedPort(listen, count)
    made = []
    try:
        for number in range(count):
            inbox = Inbox()
            endpoint = await shared.network(number).listen(Listen.parse(shared.listen), User(inbox))
            assert isinstance(endpoint, SharedEndpoint)
            made.append(Worker(endpoint, inbox))
        yield shared, made
    finally:
        for worker in made:
            worker.endpoint.close()
        shared.close()


def owned_by(shared: SharedPort, number: int, name: str = "call") -> str:
    """A Call-ID of this worker."""
    names = (f"{name}-{count}" for count in range(10_000))
    return next(each for each in names if shared.partition.owner(each.encode()) == number)


@pytest.fixture
def peer() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("127.0.0.1", 0))
    opened.setblocking(False)
    return opened


# -- what fails --------------------------------------------------------------------------------------------


def test_a_port_that_others_have_is_refused_even_where_they_share_it() -> None:
    first = SharedPort(PORT, 2)
    try:
        with pytest.raises(TransportError, match="cannot listen on udp:127.0.0.1"):
            SharedPort(first.listen, 2)
        with pytest.raises(TransportError):
            open_socket(first.address)
    finally:
        first.close()
    SharedPort(first.listen, 1).close()


@pytest.mark.parametrize(("listen", "count"), [("tcp:127.0.0.1:0", 2), ("127.0.0.1", 2), (PORT, 0)])
def test_what_cannot_be_shared_is_said_at_once(listen: str, count: int) -> None:
    with pytest.raises(LocalProtocolError):
        SharedPort(listen, count)


@pytest.mark.parametrize("advertise", ["auto", "stun:127.0.0.1:3478"])
async def test_workers_do_not_ask_how_others_see_them(advertise: str) -> None:
    shared = SharedPort(PORT, 2)
    try:
        agent = UserAgent(listen=shared.listen, network=shared.network(0), advertise=advertise)
        with pytest.raises(LocalProtocolError, match="advertise a host"):
            await agent.__aenter__()
    finally:
        shared.close()


async def test_a_worker_listens_nowhere_else() -> None:
    shared = SharedPort(PORT, 2)
    try:
        with pytest.raises(TransportError, match="nowhere else"):
            await UserAgent(listen="udp:127.0.0.1:0", network=shared.network(0)).__aenter__()
        with pytest.raises(LocalProtocolError):
            UserAgent(listen="tcp:127.0.0.1:0", network=shared.network(0))
    finally:
        shared.close()


async def test_a_worker_that_does_not_read_loses_its_own_and_nobody_elses(peer: socket.socket) -> None:
    async with workers(2) as (shared, (one, two)):
        receiver = await receiver_of(shared, (one, two), peer)
        other = 1 - receiver
        (one, two)[other].endpoint._passed.stop()
        flood = message(owned_by(shared, other)) + bytes(8000)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            for sent in range(2000):  # noqa: B007
                shared.put(other, HEADER.pack(1, 9) + b"127.0.0.1" + flood)
        assert 4 < sent < 2000
        peer.sendto(flood, shared.address)
        peer.sendto(message(owned_by(shared, receiver, "mine")), shared.address)
        inbox = (one, two)[receiver].inbox
        await inbox.wait(received=2)
        assert inbox.data[1] == message(owned_by(shared, receiver, "mine"))
    peer.close()


async def receiver_of(shared: SharedPort, made: tuple[Worker, ...], peer: socket.socket) -> int:
    """Whom the kernel gives what ``peer`` sends: what is nobody's stays there."""
    peer.sendto(b"\r\n\r\n", shared.address)
    waiting = [asyncio.ensure_future(worker.inbox.wait(received=1)) for worker in made]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
    return next(number for number, worker in enumerate(made) if worker.inbox.received)


# -- one address sends everything --------------------------------------------------------------------------


async def test_what_one_sender_sends_reaches_each_worker_in_order(peer: socket.socket) -> None:
    async with workers(3) as (shared, made):
        calls = [f"call-{number}" for number in range(30)]
        for method in ("INVITE", "ACK", "BYE"):
            for call in calls:
                peer.sendto(message(call, method), shared.address)
        for number, worker in enumerate(made):
            mine = [call for call in calls if shared.partition.owner(call.encode()) == number]
            assert mine
            await worker.inbox.wait(received=3 * len(mine))
            expected = [message(call, method) for method in ("INVITE", "ACK", "BYE") for call in mine]
            assert worker.inbox.data == expected
            assert {flow.remote for flow, _ in worker.inbox.received} == {peer.getsockname()}
    peer.close()


async def test_the_owner_answers_from_the_shared_port(peer: socket.socket) -> None:
    async with workers(2) as (shared, made):
        for number, worker in enumerate(made):
            peer.sendto(message(owned_by(shared, number)), shared.address)
            await worker.inbox.wait(received=1)
            flow, _ = worker.inbox.received[0]
            worker.endpoint.send(flow, b"answer")
            data, source = await asyncio.get_running_loop().sock_recvfrom(peer, 100)
            assert (data, source) == (b"answer", shared.address)
    peer.close()


async def test_ipv6_addresses_are_passed_on_as_well() -> None:
    try:
        six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        six.bind(("::1", 0))
    except OSError:
        pytest.skip("this host has no IPv6 loopback")
    async with workers(2, "udp:[::1]:0") as (shared, made):
        for number, worker in enumerate(made):
            six.sendto(message(owned_by(shared, number)), shared.address)
            await worker.inbox.wait(received=1)
            assert worker.inbox.received[0][0].remote == six.getsockname()[:2]
    six.close()


async def test_what_comes_while_a_worker_is_away_waits_for_the_next_one(peer: socket.socket) -> None:
    async with workers(2) as (shared, made):
        for worker in made:
            worker.endpoint.close()
        for number in range(2):
            peer.sendto(message(owned_by(shared, number)), shared.address)
        inboxes = []
        for number in range(2):
            inbox = Inbox()
            inboxes.append(inbox)
            endpoint = await shared.network(number).listen(Listen.parse(shared.listen), User(inbox))
            assert isinstance(endpoint, SharedEndpoint)
            made.append(Worker(endpoint, inbox))
        for number, inbox in enumerate(inboxes):
            await inbox.wait(received=1)
            assert inbox.data == [message(owned_by(shared, number))]
    peer.close()


async def test_what_is_of_one_that_has_left_for_good_is_taken_by_who_gets_it(peer: socket.socket) -> None:
    async with workers(2) as (shared, made):
        receiver = await receiver_of(shared, tuple(made), peer)
        gone = 1 - receiver
        made[gone].endpoint.close()
        shared.leave(gone)
        peer.sendto(message(owned_by(shared, gone)), shared.address)
        inbox = made[receiver].inbox
        await inbox.wait(received=2)
        assert inbox.data[1] == message(owned_by(shared, gone))
    peer.close()


async def test_when_the_receiver_has_left_for_good_the_kernel_gives_to_another(peer: socket.socket) -> None:
    async with workers(2) as (shared, made):
        receiver = await receiver_of(shared, tuple(made), peer)
        left = made[1 - receiver].inbox
        made[receiver].endpoint.close()
        shared.leave(receiver)
        peer.sendto(message(owned_by(shared, receiver)), shared.address)
        peer.sendto(message(owned_by(shared, 1 - receiver)), shared.address)
        await left.wait(received=2)
    peer.close()


# -- user agents -------------------------------------------------------------------------------------------


async def test_calls_from_one_port_are_shared_by_the_workers_and_calls_of_theirs_come_back_to_them() -> None:
    answered: list[int] = []
    shared = SharedPort(PORT, 2)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shared.close)
        agents = []
        for number in range(2):

            async def handler(invitation: Invitation, number: int = number) -> None:
                answered.append(number)
                async with invitation.accept() as call:
                    await call.ended()

            agent = UserAgent("sip:us@127.0.0.1", listen=shared.listen, network=shared.network(number))
            agents.append(await stack.enter_async_context(agent))
            await stack.enter_async_context(agent.serving(handler))
        alice = await stack.enter_async_context(UserAgent("sip:alice@127.0.0.1", listen=PORT))
        address = shared.listen.removeprefix("udp:")
        for _ in range(12):
            async with alice.call(f"sip:us@{address}") as call:
                await call.hold()
        assert set(answered) == {0, 1}

        async def refuse(invitation: Invitation) -> None:
            await invitation.reject(486)

        await stack.enter_async_context(alice.serving(refuse))
        for agent in agents:
            for _ in range(3):
                with pytest.raises(CallRejected):
                    async with agent.call(alice.contact):
                        pass
