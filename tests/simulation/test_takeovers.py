"""Calls whose other end is two nodes with one store: they crash, are started again, lose the store, and take
calls over from one another, now and then from one that is not dead. Each has a clock of its own, another one
after each start. Over a bad network.

Whatever happens, two nodes never send one CSeq, and a call is not brought back once its BYE was answered.
"""

from __future__ import annotations

import os
import random
from collections import defaultdict

import pytest

from sipstack.core.events import Event, SessionResumed
from sipstack.core.outputs import DialogKey
from sipstack.message import Request, Response, parse
from sipstack.testing.agent import CoreAgent
from sipstack.testing.sessions import SharedStore
from sipstack.testing.world import World
from tests.simulation.users import BAD, User

SEEDS = int(os.environ.get("SIPSTACK_SEEDS", "1000"))
BLOCK = 50
BLOCKS = [range(first, first + BLOCK) for first in range(0, SEEDS, BLOCK)]
ADDRESSES = {name: (f"192.0.2.1{number}", 5060) for number, name in enumerate(("one", "two", "three"), 1)}
BEGUN = 5.0
"""Seconds until the call is up, or has failed: what happens before is of the other simulations."""
SETTLED = 40.0
"""Seconds until what was under way when the call ended is over: 64*T1 and the delays of the network."""


class Cluster:
    """Two nodes, each a process that may be another one tomorrow."""

    names: tuple[str, ...] = ("one", "two")

    def __init__(self, world: World) -> None:
        self.world = world
        self.draw = random.Random(f"{world.seed} cluster")
        self.store = SharedStore()
        self.store.delay = lambda: self.draw.uniform(0.0, 0.3)
        self.nodes: dict[str, User] = {}
        self.dead: list[CoreAgent] = []
        self.resumed: list[tuple[float, DialogKey]] = []
        for name in self.names:
            self.start(name)

    def agent(self, name: str, ahead: float) -> CoreAgent:
        return CoreAgent(self.world, name, ADDRESSES[name], store=self.store, ahead=ahead)

    def start(self, name: str) -> None:
        ahead = self.draw.uniform(0, 1e6)  # what one process calls now tells another nothing
        agent = self.agent(name, ahead)
        user = self.nodes[name] = User(agent, random.Random(f"{self.world.seed} {name} {self.world.now}"))
        hears = agent.on_event

        def heard(event: Event) -> None:
            if isinstance(event, SessionResumed):
                user.session = event.session
                self.resumed.append((self.world.now, event.session.dialog.key))
            hears(event)

        agent.on_event = heard

    def crash(self, name: str) -> None:
        """The process is killed; another one takes its place within a minute."""
        agent = self.nodes[name].agent
        if agent not in self.dead:
            self.dead.append(agent)
            agent.kill()
            self.world.later(self.draw.uniform(0.0, 60.0), lambda: self.start(name))

    def lose_the_store(self, name: str) -> None:
        self.store.cut.add(name)
        self.world.later(self.draw.uniform(0.0, 30.0), lambda: self.store.cut.discard(name))

    def claim(self, name: str) -> None:
        """Take every call over, whether or not its owner is dead, and tell the peer where it is now."""
        user = self.nodes[name]
        if user.agent in self.dead:
            return
        takeovers = user.agent.core.takeovers
        assert takeovers is not None
        for key, entry in list(self.store.entries.items()):
            if entry.record is not None and user.agent.core.find_dialog(*key) is None:
                takeovers.claim(key, user.agent.now)
        self.world.later(2.0, user.offer)

    def something(self) -> None:
        name = self.draw.choice(self.names)
        act = self.draw.choice([self.crash, self.lose_the_store, self.claim, self.offer])
        act(name)

    def offer(self, name: str) -> None:
        if self.nodes[name].agent not in self.dead:
            self.nodes[name].offer()

    def hang_up(self) -> None:
        for user in self.nodes.values():
            if user.agent not in self.dead:
                user.hang_up()


def run(seed: int, kind: type[Cluster] = Cluster, *, icmp: bool = False) -> tuple[World, User, Cluster]:
    """One call of at most ten minutes, with a dozen things that happen to it."""
    world = World(BAD, seed=seed, icmp=icmp)
    alice = User(CoreAgent(world, "alice", ("192.0.2.1", 5060)), random.Random(f"{seed} alice"))
    cluster = kind(world)
    alice.call(cluster.nodes["one"].agent.uri)
    for _ in range(8):
        world.at(BEGUN + cluster.draw.uniform(0.0, 300.0), cluster.something)
    for _ in range(4):
        world.at(BEGUN + cluster.draw.uniform(0.0, 300.0), alice.offer)
    world.at(
        cluster.draw.uniform(30.0, 400.0), alice.hang_up if cluster.draw.random() < 0.6 else cluster.hang_up
    )
    world.at(600.0, alice.hang_up)
    world.at(700.0, cluster.hang_up)
    world.run(2_000.0)
    for name in cluster.names:  # whose owner was dead when alice said BYE
        cluster.claim(name)
    world.run(100.0)
    return world, alice, cluster


def sent_by_nodes(world: World) -> list[tuple[float, str, Request | Response]]:
    hosts = {address: name for name, address in ADDRESSES.items()}
    return [(each.time, hosts[each.source], parse(each.data)) for each in world.sent if each.source in hosts]


def numbers(world: World) -> dict[tuple[str, int], set[str]]:
    """Who sent each CSeq number inside of a call: the branch tells one transmission of a request from
    another request.
    """
    seen: dict[tuple[str, int], set[str]] = defaultdict(set)
    for _, _, message in sent_by_nodes(world):
        if isinstance(message, Request) and message.method not in ("ACK", "CANCEL"):
            seen[message.call_id, message.cseq.number].add(str(message.via.branch))
    return seen


@pytest.mark.parametrize("seeds", BLOCKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_two_nodes_never_send_one_number(seeds: range) -> None:
    for seed in seeds:
        world, alice, cluster = run(seed)
        check_numbers(numbers(world), alice, cluster, seed)


def check_numbers(seen: dict[tuple[str, int], set[str]], alice: User, cluster: Cluster, seed: int) -> None:
    """No number is of two nodes, and nothing is left of the call."""
    twice = {number: who for number, who in seen.items() if len(who) > 1}
    assert twice == {}, f"seed {seed}"
    assert alice.agent.leftovers == [], f"seed {seed}"
    live = [user.agent.leftovers for user in cluster.nodes.values() if user.agent not in cluster.dead]
    assert [left for left in live if left] == [], f"seed {seed}"
    assert cluster.store.sessions == [], f"seed {seed}"


def brought_back(world: World, cluster: Cluster) -> list[str]:
    """The calls that a node took over, or in which it answered anything but BYE with 200, after one of them
    had answered the BYE. (A node that was never told asks alice, and hears 481.)
    """
    over: dict[str, float] = {}
    wrong = []
    for time, name, message in sent_by_nodes(world):
        if isinstance(message, Request) or message.status != 200:
            continue
        since = over.get(message.call_id)
        if message.cseq.method == "BYE":
            over.setdefault(message.call_id, time)
        elif since is not None and time > since + SETTLED:
            wrong.append(f"{name} {message.status} {message.cseq} at {time}")
    resumed = [(time, key) for time, key in cluster.resumed if time > over.get(key[0], time)]
    return [*wrong, *map(str, resumed)]


@pytest.mark.parametrize("seeds", BLOCKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_a_call_is_not_brought_back(seeds: range) -> None:
    for seed in seeds:
        world, _, cluster = run(seed)
        check_it_stays_over(world, cluster, seed)


def check_it_stays_over(world: World, cluster: Cluster, seed: int) -> None:
    """However late its nodes ask for the call."""
    for later in (10.0, 100.0, 1000.0):
        for name in cluster.names:
            cluster.claim(name)
        world.run(later)
    assert brought_back(world, cluster) == [], f"seed {seed}"


def test_the_seeds_are_worth_something() -> None:
    """Most calls are established, and there is about one take-over for each."""
    runs = [run(seed) for seed in range(50)]
    established = [alice for _, alice, _ in runs if alice.session is not None]
    resumed = [len(cluster.resumed) for _, _, cluster in runs]
    assert len(established) > 45
    assert sum(resumed) > 40
