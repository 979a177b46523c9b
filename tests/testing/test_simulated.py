"""Simulated UDP endpoints under the virtual-time loop."""

from __future__ import annotations

import asyncio
import errno

import pytest

from sipstack.testing.link import Link
from sipstack.testing.loop import run
from sipstack.testing.network import Network, Passage
from sipstack.testing.ports import FIRST_PORT, LAST_PORT
from sipstack.testing.simulated import SimulatedEndpoint, SimulatedNetwork
from sipstack.transaction.flow import Address


class Host:
    """An endpoint that writes down what happens to it, with the virtual time."""

    def __init__(self) -> None:
        self.received: list[tuple[float, bytes, Address]] = []
        self.failures: list[tuple[float, Address, type[OSError]]] = []
        self.endpoint: SimulatedEndpoint | None = None

    async def listen(self, network: SimulatedNetwork, host: str, port: int = 5060) -> SimulatedEndpoint:
        self.endpoint = network.listen(host, port, self.receive, self.failed)
        return self.endpoint

    def receive(self, data: bytes, remote: Address) -> None:
        self.received.append((asyncio.get_running_loop().time(), data, remote))

    def failed(self, remote: Address, error: OSError) -> None:
        self.failures.append((asyncio.get_running_loop().time(), remote, type(error)))


ALICE = ("192.0.2.1", 5060)
BOB = ("192.0.2.2", 5060)


# --- what goes wrong ---


def test_with_icmp_a_closed_port_is_refused_after_the_round_trip() -> None:
    async def main() -> list[tuple[float, Address, type[OSError]]]:
        network = SimulatedNetwork(Network(Link(delay=0.05)), icmp=True)
        alice = Host()
        (await alice.listen(network, ALICE[0])).send(b"INVITE", BOB)
        await asyncio.sleep(1)
        return alice.failures

    assert run(main()) == [(0.1, BOB, ConnectionRefusedError)]


def test_without_icmp_a_closed_port_is_silent() -> None:
    async def main() -> list[tuple[float, Address, type[OSError]]]:
        network = SimulatedNetwork(Network())
        alice = Host()
        (await alice.listen(network, ALICE[0])).send(b"INVITE", BOB)
        await asyncio.sleep(1)
        return alice.failures

    assert run(main()) == []


def test_a_refusal_for_a_sender_that_has_gone_is_dropped() -> None:
    async def main() -> list[tuple[float, Address, type[OSError]]]:
        network = SimulatedNetwork(Network(Link(delay=0.05)), icmp=True)
        alice = Host()
        endpoint = await alice.listen(network, ALICE[0])
        endpoint.send(b"INVITE", BOB)
        endpoint.close()
        await asyncio.sleep(1)
        return alice.failures

    assert run(main()) == []


def test_an_address_can_be_taken_once_until_it_is_closed() -> None:
    async def main() -> None:
        network = SimulatedNetwork(Network())
        endpoint = await Host().listen(network, ALICE[0])
        with pytest.raises(OSError, match=".") as caught:
            await Host().listen(network, ALICE[0])
        assert caught.value.errno == errno.EADDRINUSE
        endpoint.close()
        again = await Host().listen(network, ALICE[0])
        endpoint.close()  # a second close does not take the address from its new owner
        assert network.listening == [again.local]

    run(main())


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_wildcard_is_no_address_of_a_host(host: str) -> None:
    async def main() -> None:
        await Host().listen(SimulatedNetwork(Network()), host)

    with pytest.raises(OSError, match=".") as caught:
        run(main())
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_a_closed_endpoint_does_not_send_and_does_not_receive() -> None:
    async def main() -> Host:
        network = SimulatedNetwork(Network(Link(delay=0.5)))
        alice, bob = Host(), Host()
        sender, receiver = await alice.listen(network, ALICE[0]), await bob.listen(network, BOB[0])
        sender.send(b"INVITE", BOB)
        receiver.close()
        await asyncio.sleep(1)
        sender.close()
        with pytest.raises(OSError, match=".") as caught:
            sender.send(b"BYE", BOB)
        assert caught.value.errno == errno.EBADF
        assert repr(sender) == "<SimulatedEndpoint 192.0.2.1 5060 closed>"
        return bob

    assert run(main()).received == []


def test_all_ports_of_a_host_can_be_in_use() -> None:
    async def main() -> None:
        network = SimulatedNetwork(Network())
        for port in range(FIRST_PORT, LAST_PORT + 1):
            await Host().listen(network, ALICE[0], port)
        with pytest.raises(OSError, match=".") as caught:
            await Host().listen(network, ALICE[0], 0)
        assert caught.value.errno == errno.EADDRINUSE

    run(main())


def test_an_exception_in_one_receiver_does_not_concern_the_others() -> None:
    broken: list[object] = []

    async def main() -> list[tuple[float, bytes, Address]]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: broken.append(context["exception"]))

        def fail(data: bytes, remote: Address) -> None:
            raise KeyError(data)

        network = SimulatedNetwork(Network())
        bob = Host()
        alice = network.listen(*ALICE, fail, Host().failed)
        await bob.listen(network, BOB[0])
        alice.send(b"to myself", ALICE)
        alice.send(b"to bob", BOB)
        await asyncio.sleep(1)
        return bob.received

    assert run(main()) == [(0.0, b"to bob", ALICE)]
    assert [repr(exception) for exception in broken] == ["KeyError(b'to myself')"]


# --- what goes right ---


def test_datagrams_go_both_ways_with_delay() -> None:
    async def main() -> tuple[Host, Host, list[Passage]]:
        network = SimulatedNetwork(Network(Link(delay=0.02)))
        alice, bob = Host(), Host()
        near, far = await alice.listen(network, ALICE[0]), await bob.listen(network, BOB[0])
        near.send(b"ping", BOB)
        await asyncio.sleep(1)
        far.send(b"pong", ALICE)
        await asyncio.sleep(1)
        return alice, bob, network.network.trace

    alice, bob, trace = run(main())
    assert bob.received == [(0.02, b"ping", ALICE)]
    assert alice.received == [(1.02, b"pong", BOB)]
    assert trace == [
        (0.02, ALICE, BOB, "delivered", b"ping"),
        (1.02, BOB, ALICE, "delivered", b"pong"),
    ]


def test_nothing_is_received_inside_send() -> None:
    async def main() -> None:
        network = SimulatedNetwork(Network())
        bob = Host()
        endpoint = await bob.listen(network, BOB[0])
        endpoint.send(b"to myself", BOB)
        assert bob.received == []
        await asyncio.sleep(0.001)
        assert bob.received == [(0.0, b"to myself", BOB)]

    run(main())


def test_a_later_datagram_on_a_faster_link_moves_the_alarm_forward() -> None:
    async def main() -> Host:
        pure = Network()
        pure.set_link(Link(delay=5.0), source=ALICE[0])
        network = SimulatedNetwork(pure)
        bob = Host()
        await bob.listen(network, BOB[0])
        network.transmit(ALICE, BOB, b"slow")
        network.transmit(("192.0.2.3", 9), BOB, b"fast")
        await asyncio.sleep(10)
        return bob

    assert run(main()).received == [(0.0, b"fast", ("192.0.2.3", 9)), (5.0, b"slow", ALICE)]


def test_free_ports_are_given_in_order() -> None:
    async def main() -> list[Address]:
        network = SimulatedNetwork(Network())
        first = await Host().listen(network, ALICE[0], 0)
        await Host().listen(network, ALICE[0], 0)
        await Host().listen(network, BOB[0], 0)
        first.close()
        await Host().listen(network, ALICE[0], 0)
        return network.listening

    assert run(main()) == [("192.0.2.1", 49152), ("192.0.2.1", 49153), ("192.0.2.2", 49152)]


def test_two_runs_with_one_seed_have_one_trace() -> None:
    async def main(seed: int) -> list[Passage]:
        bad = Link(delay=0.02, jitter=0.05, loss=0.2, duplicate=0.2, reorder=0.2)
        network = SimulatedNetwork(Network(bad, seed=seed))
        alice, bob = await Host().listen(network, ALICE[0]), await Host().listen(network, BOB[0])
        for number in range(100):
            alice.send(b"%d" % number, BOB)
            await asyncio.sleep(0.01)
            bob.send(b"%d" % number, ALICE)
        await asyncio.sleep(1)
        return network.network.trace

    assert run(main(1)) == run(main(1))
    assert run(main(1)) != run(main(2))
