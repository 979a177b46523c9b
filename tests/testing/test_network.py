"""The pure network: fates, times and order, and the trace that the seed decides."""

from __future__ import annotations

import math
import random

import pytest

from sipstack.testing.link import Link
from sipstack.testing.network import Delivery, Fate, Network, Passage

ALICE = ("192.0.2.1", 5060)
BOB = ("192.0.2.2", 5060)
CAROL = ("192.0.2.3", 5060)


def heard(network: Network, now: float = math.inf) -> list[tuple[float, bytes]]:
    return [(delivery.time, delivery.data) for delivery in network.deliveries(now)]


def fates(network: Network) -> list[tuple[float, str]]:
    return [(passage.time, str(passage.fate)) for passage in network.trace]


# --- what goes wrong ---


def test_a_lost_datagram_is_seen_in_the_trace_only() -> None:
    network = Network(Link(loss=1.0))
    network.send(ALICE, BOB, b"INVITE", 1.5)
    assert network.next_delivery == math.inf
    assert heard(network) == []
    assert network.trace == [Passage(1.5, ALICE, BOB, Fate.LOST, b"INVITE")]


def test_a_partition_cuts_both_directions_and_heals() -> None:
    network = Network()
    network.partition({ALICE[0]}, {BOB[0]})
    network.send(ALICE, BOB, b"1", 0.0)
    network.send(BOB, ALICE, b"2", 1.0)
    network.heal()
    network.send(ALICE, BOB, b"3", 2.0)
    assert heard(network) == [(2.0, b"3")]
    assert fates(network) == [(0.0, "cut"), (1.0, "cut"), (2.0, "delivered")]


def test_a_partition_lets_the_own_side_and_bystanders_through() -> None:
    network = Network()
    network.partition({ALICE[0], BOB[0]}, {"192.0.2.9"})
    network.send(ALICE, BOB, b"same side", 0.0)
    network.send(CAROL, ALICE, b"bystander", 0.0)
    assert heard(network) == [(0.0, b"same side"), (0.0, b"bystander")]


def test_a_partition_cuts_what_is_under_way() -> None:
    network = Network(Link(delay=1.0))
    network.send(ALICE, BOB, b"1", 0.0)
    network.partition({ALICE[0]}, {BOB[0]})
    assert heard(network) == []
    assert fates(network) == [(1.0, "cut")]


def test_a_host_that_is_down_does_not_send() -> None:
    network = Network()
    network.down(ALICE[0])
    network.send(ALICE, BOB, b"1", 0.0)
    network.up(ALICE[0])
    network.send(ALICE, BOB, b"2", 1.0)
    assert heard(network) == [(1.0, b"2")]
    assert fates(network) == [(0.0, "down"), (1.0, "delivered")]


def test_what_arrives_at_a_host_that_is_down_is_lost_what_it_sent_before_is_not() -> None:
    network = Network(Link(delay=1.0))
    network.send(ALICE, BOB, b"to bob", 0.0)
    network.send(BOB, ALICE, b"from bob", 0.0)
    network.down(BOB[0])
    assert heard(network) == [(1.0, b"from bob")]
    assert network.trace == [
        Passage(1.0, ALICE, BOB, Fate.DOWN, b"to bob"),
        Passage(1.0, BOB, ALICE, Fate.DELIVERED, b"from bob"),
    ]


def test_a_refusal_takes_the_path_back_and_its_delay() -> None:
    network = Network(Link(delay=0.1))
    network.send(ALICE, BOB, b"INVITE", 0.0)
    (arrived,) = network.deliveries(0.1)
    network.refuse(arrived, 0.1)
    assert network.deliveries(0.15) == []
    assert network.deliveries(0.2) == [Delivery(0.2, BOB, ALICE, b"INVITE", refused=True)]
    assert fates(network) == [(0.1, "delivered"), (0.2, "refused")]


def test_a_refusal_is_never_refused_in_turn() -> None:
    network = Network()
    network.refuse(Delivery(0.0, BOB, ALICE, b"INVITE", refused=True), 0.0)
    assert network.next_delivery == math.inf


# --- times and order ---


def test_a_datagram_arrives_after_the_delay_and_not_before() -> None:
    network = Network(Link(delay=0.25))
    network.send(ALICE, BOB, b"INVITE", 10.0)
    assert network.next_delivery == 10.25
    assert network.deliveries(10.2) == []
    assert network.deliveries(10.25) == [Delivery(10.25, ALICE, BOB, b"INVITE")]
    assert network.deliveries(99.0) == []
    assert network.trace == [Passage(10.25, ALICE, BOB, Fate.DELIVERED, b"INVITE")]


def test_datagrams_of_one_time_keep_their_order() -> None:
    network = Network()
    for number in range(50):
        network.send(ALICE, BOB, b"%d" % number, 0.0)
    assert heard(network) == [(0.0, b"%d" % number) for number in range(50)]


def test_asking_late_gives_the_times_of_arrival_in_their_order() -> None:
    network = Network()
    network.set_link(Link(delay=2.0), source=ALICE[0])
    network.send(ALICE, BOB, b"slow", 0.0)
    network.send(CAROL, BOB, b"fast", 1.0)
    assert heard(network, 5.0) == [(1.0, b"fast"), (2.0, b"slow")]


def test_jitter_and_reordering_let_datagrams_overtake() -> None:
    for link in (Link(jitter=0.5), Link(reorder=0.5)):
        network = Network(link)
        sent = [b"%d" % number for number in range(50)]
        for number, data in enumerate(sent):
            network.send(ALICE, BOB, data, number * 0.02)
        received = [data for _, data in heard(network)]
        assert received != sent
        assert sorted(received) == sorted(sent)


def test_a_duplicate_arrives_twice() -> None:
    network = Network(Link(duplicate=1.0, delay=0.1))
    network.send(ALICE, BOB, b"BYE", 0.0)
    assert heard(network) == [(0.1, b"BYE"), (0.1, b"BYE")]


# --- links ---


def test_a_link_belongs_to_one_direction() -> None:
    network = Network()
    network.set_link(Link(delay=3.0), source=ALICE[0], destination=BOB[0])
    network.send(ALICE, BOB, b"there", 0.0)
    network.send(BOB, ALICE, b"back", 0.0)
    assert heard(network) == [(0.0, b"back"), (3.0, b"there")]


@pytest.mark.parametrize(
    ("source", "destination", "delay"),
    [(ALICE, BOB, 4.0), (ALICE, CAROL, 3.0), (CAROL, BOB, 2.0), (CAROL, ALICE, 1.0)],
)
def test_the_most_exact_link_wins(
    source: tuple[str, int], destination: tuple[str, int], delay: float
) -> None:
    network = Network(Link(delay=1.0))
    network.set_link(Link(delay=2.0), destination=BOB[0])
    network.set_link(Link(delay=3.0), source=ALICE[0])
    network.set_link(Link(delay=4.0), source=ALICE[0], destination=BOB[0])
    network.send(source, destination, b"", 0.0)
    assert network.next_delivery == delay


# --- determinism ---


def storm(seed: int, link: Link) -> list[Passage]:
    """Many datagrams, a partition and an outage, all on a bad link."""
    network = Network(link, seed=seed)
    traffic = random.Random(0)
    for number in range(500):
        now = number * 0.01
        source, destination = traffic.sample([ALICE, BOB, CAROL], 2)
        network.send(source, destination, b"%d" % number, now)
        if number == 200:
            network.partition({ALICE[0]}, {BOB[0], CAROL[0]})
        if number == 250:
            network.heal()
            network.down(CAROL[0])
        if number == 300:
            network.up(CAROL[0])
        network.deliveries(now)
    network.deliveries(math.inf)
    return network.trace


BAD = Link(delay=0.02, jitter=0.05, loss=0.1, duplicate=0.1, reorder=0.1)


def test_the_same_seed_gives_the_same_trace() -> None:
    assert storm(42, BAD) == storm(42, BAD)


def test_another_seed_gives_another_trace() -> None:
    assert storm(42, BAD) != storm(43, BAD)


@pytest.mark.parametrize("seed", range(20))
def test_every_datagram_has_a_fate_and_none_comes_from_nowhere(seed: int) -> None:
    trace = storm(seed, BAD)
    assert {passage.data for passage in trace} == {b"%d" % number for number in range(500)}
    assert {passage.fate for passage in trace} == {Fate.DELIVERED, Fate.LOST, Fate.CUT, Fate.DOWN}
