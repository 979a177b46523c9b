"""The cluster of ``test_takeovers`` with a third node: they pass on to one another what is not theirs. In
front is somebody who deals each transaction to one of them by chance, dead or not. Over a bad network.

Whatever happens, two nodes never send one CSeq, and a call is not brought back once its BYE was answered.
"""

from __future__ import annotations

import os
from zlib import crc32

import pytest

from sipstack.core.passing import MARK
from sipstack.message import Request, Response, parse
from sipstack.testing.agent import CoreAgent
from sipstack.testing.network import authority
from sipstack.testing.world import World
from sipstack.transaction.flow import Address
from tests.simulation.test_takeovers import (
    ADDRESSES,
    Cluster,
    check_it_stays_over,
    check_numbers,
    numbers,
    run,
    sent_by_nodes,
)
from tests.simulation.users import User

SEEDS = int(os.environ.get("SIPSTACK_SEEDS", "500"))
BLOCK = 50
BLOCKS = [range(first, min(first + BLOCK, SEEDS)) for first in range(0, SEEDS, BLOCK)]
FRONT: Address = ("192.0.2.10", 5060)
ALICE: Address = ("192.0.2.1", 5060)
NODES = {name: f"sip:{authority(address)}" for name, address in ADDRESSES.items()}


class Dealt(Cluster):
    """Its Contacts lead to the front. What alice sends there comes to a node that her branch decides."""

    names = ("one", "two", "three")

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.front = world.listen("front", FRONT, self.deal, lambda remote, error: None)

    def agent(self, name: str, ahead: float) -> CoreAgent:
        others = {other: uri for other, uri in NODES.items() if other != name}
        host = f"{authority(FRONT)};node={name}"
        store = self.store
        return CoreAgent(self.world, name, ADDRESSES[name], store=store, ahead=ahead, nodes=others, host=host)

    def deal(self, data: bytes, source: Address) -> None:
        """No proxy: it sends on what comes as it is."""
        if source != ALICE:
            self.front.send(data, ALICE)
            return
        branch = parse(data).via.branch or ""
        addresses = list(ADDRESSES.values())
        self.front.send(data, addresses[crc32(f"{self.world.seed} {branch}".encode()) % len(addresses)])


def dealt(seed: int) -> tuple[World, User, Cluster]:
    """Every second network tells that a port is closed."""
    return run(seed, Dealt, icmp=bool(seed % 2))


def passed_on(world: World) -> list[Request]:
    messages = [message for _, _, message in sent_by_nodes(world)]
    return [each for each in messages if isinstance(each, Request) and MARK in (each.via.branch or "")]


def own_numbers(world: World) -> dict[tuple[str, int], set[str]]:
    """Without what was passed on: that is alice's."""
    return {
        number: {branch for branch in branches if MARK not in branch}
        for number, branches in numbers(world).items()
    }


@pytest.mark.parametrize("seeds", BLOCKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_two_nodes_that_pass_on_never_send_one_number(seeds: range) -> None:
    for seed in seeds:
        world, alice, cluster = dealt(seed)
        check_numbers(own_numbers(world), alice, cluster, seed)
        check_it_stays_over(world, cluster, seed)


def test_the_seeds_are_worth_something() -> None:
    """Most calls are established, and much is passed on, to nodes that answer and to others."""
    runs = [dealt(seed) for seed in range(50)]
    established = [alice for _, alice, _ in runs if alice.session is not None]
    assert len(established) > 45
    requests = [(seed, each) for seed, (world, _, _) in enumerate(runs) for each in passed_on(world)]
    asked = {(seed, each.via.branch, each.method) for seed, each in requests}
    heard = {
        (seed, each.via.branch, each.cseq.method)
        for seed, (world, _, _) in enumerate(runs)
        for _, _, each in sent_by_nodes(world)
        if isinstance(each, Response) and MARK in (each.via.branch or "")
    }
    assert len(requests) > 200
    assert len(heard) > 40
    assert len(asked - heard) > 10
    assert sum(len(cluster.resumed) for _, _, cluster in runs) > 30
