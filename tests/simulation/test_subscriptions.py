"""Subscriptions over a bad network: the subscriber ends with the notifier's last state, and nothing is left.

SIPSTACK_SEEDS sets how many each test makes (1,000 unless told).
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from functools import partial

import pytest

from sipstack.core.events import Event
from sipstack.core.registry import Method, Package
from sipstack.testing.agent import CoreAgent
from sipstack.testing.world import World
from sipstack.usage.notification import Asked, NotifierUsage, StateDue, WatcherGone
from sipstack.usage.packages.known import package_named
from sipstack.usage.publication import PublicationFailed, PublicationUsage, Published
from sipstack.usage.subscribe_server import SubscribeServer
from sipstack.usage.subscriber import SubscriberUsage
from sipstack.usage.subscription_events import Notified, Over
from tests.simulation.users import BAD

SEEDS = int(os.environ.get("SIPSTACK_SEEDS", "1000"))
BLOCK = 50
BLOCKS = [range(first, first + BLOCK) for first in range(0, SEEDS, BLOCK)]
blocks = pytest.mark.parametrize("seeds", BLOCKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")


class Pair:
    """Alice subscribes to bob's moon, which changes at moments that the seed decides."""

    def __init__(self, seed: int) -> None:
        self.world = World(BAD, seed=seed)
        self.draw = random.Random(f"subscriptions {seed}")
        self.alice = CoreAgent(self.world, "alice", ("192.0.2.1", 5060))
        self.bob = CoreAgent(self.world, "bob", ("192.0.2.2", 5060))
        moon = package_named("moon")
        self.phase = 0
        self.heard: list[int] = []
        self.over: Over | None = None
        self.gone: WatcherGone | None = None
        self.watchers = 0
        self.alice.core.registry.add_method(Method("NOTIFY", by_event=True))
        notifier = NotifierUsage(self.bob.core, moon, 60, 3600)
        server = SubscribeServer(self.bob.core, {"moon": notifier})
        self.bob.core.registry.add_method(Method("SUBSCRIBE", server.serve, by_event=True))
        for agent in (self.alice, self.bob):
            agent.core.registry.add_package(Package("moon", None))
            agent.on_event = self._hears
        self.usage: SubscriberUsage = self.alice.core.subscriber(
            self.bob.uri, moon, self.draw.choice([90, 200, 600])
        )
        self.usage.start(self.world.now)

    def _hears(self, event: Event | Asked | StateDue | WatcherGone | Notified | Over) -> None:
        now = self.world.now
        match event:
            case Asked(watcher=watcher):
                self.watchers += 1
                watcher.accept(now)
            case StateDue(watcher=watcher):
                watcher.tell(str(self.phase).encode(), now)
            case WatcherGone():
                self.gone = event
            case Notified(request=request):
                self.heard.append(int(request.body))
            case Over():
                self.over = event

    def change(self) -> None:
        self.phase += 1
        for event in self.bob.events:
            if isinstance(event, Asked):
                event.watcher.changed(self.world.now)

    def changes(self, count: int, longest: float) -> None:
        for _ in range(count):
            self.world.at(self.draw.uniform(0.0, longest), self.change)

    def partition(self) -> None:
        self.world.network.partition(["192.0.2.1"], ["192.0.2.2"])

    @property
    def leftovers(self) -> list[str]:
        return self.alice.leftovers + self.bob.leftovers


@blocks
def test_the_last_state_is_known_and_the_subscriber_ends_it(seeds: range) -> None:
    for seed in seeds:
        pair = Pair(seed)
        pair.changes(10, 900.0)
        pair.world.run(1000.0)
        assert (pair.heard[-1], pair.over, pair.gone) == (pair.phase, None, None), f"seed {seed}"
        assert pair.heard == sorted(pair.heard), f"seed {seed}"  # never an older state after a newer one
        pair.usage.unsubscribe(pair.world.now)
        pair.world.settle()
        assert (pair.over is not None, pair.gone is not None, pair.watchers) == (True, True, 1), (
            f"seed {seed}"
        )
        assert pair.leftovers == [], f"seed {seed}"


@blocks
def test_the_notifier_ends_it_amid_changes(seeds: range) -> None:
    for seed in seeds:
        pair = Pair(seed)
        pair.changes(10, 60.0)
        pair.world.run(pair.draw.uniform(4.0, 60.0))
        if pair.watchers:
            pair.bob.last(Asked).watcher.end("noresource", pair.world.now)
        else:
            pair.usage.unsubscribe(pair.world.now)
        pair.world.settle()
        over = pair.over
        assert over is not None, f"seed {seed}"
        # a refresh that crosses the last NOTIFY is refused
        refused = over.response is not None and over.response.status == 481
        assert over.state is not None or refused, f"seed {seed}: {over}"
        assert pair.leftovers == [], f"seed {seed}"


@blocks
def test_both_end_it_at_once_or_before_it_has_begun(seeds: range) -> None:
    for seed in seeds:
        pair = Pair(seed)
        pair.changes(3, 3.0)
        pair.world.run(pair.draw.uniform(0.0, 3.0))
        pair.usage.unsubscribe(pair.world.now)
        pair.world.run(pair.draw.uniform(0.0, 0.2))
        if pair.watchers:
            pair.bob.last(Asked).watcher.end("deactivated", pair.world.now)
        pair.world.settle()
        assert (pair.over is not None, pair.leftovers) == (True, []), f"seed {seed}"


@blocks
def test_a_partition_that_heals_costs_at_most_the_subscription(seeds: range) -> None:
    """Who is told that it is over knows so; who is not has the last state."""
    for seed in seeds:
        pair = Pair(seed)
        begin, lasts = pair.draw.uniform(0.0, 300.0), pair.draw.uniform(0.0, 40.0)
        pair.world.at(begin, pair.partition)
        pair.world.at(begin + lasts, pair.world.network.heal)
        pair.changes(10, 400.0)
        pair.world.run(1200.0)
        if pair.over is None:
            assert (pair.heard[-1], pair.gone) == (pair.phase, None), f"seed {seed}"
        pair.usage.unsubscribe(pair.world.now)
        pair.world.settle()
        assert (pair.over is not None, pair.leftovers) == (True, []), f"seed {seed}"


@blocks
def test_a_partition_for_ever_ends_both(seeds: range) -> None:
    for seed in seeds:
        pair = Pair(seed)
        begin = pair.draw.uniform(0.0, 300.0)
        pair.world.at(begin, pair.partition)
        pair.changes(10, 400.0)
        pair.world.settle()
        assert (pair.over is not None, pair.leftovers) == (True, []), f"seed {seed}"


class Server:
    """Keeps one state, and answers each PUBLISH at once."""

    def __init__(self, agent: CoreAgent) -> None:
        self.state, self.tag = b"", 0
        self._core = agent.core
        agent.core.registry.add_method(Method("PUBLISH", self._serve))

    def _serve(self, request, transaction, now) -> None:  # type: ignore[no-untyped-def]
        known = request.headers.get("SIP-If-Match")
        status, headers = 200, [("Expires", str(request.expires))]
        if known is not None and known != f"t{self.tag}":
            status = 412
        else:
            self.tag += 1
            self.state = b"" if request.expires == 0 else request.body or self.state
            headers.append(("SIP-ETag", f"t{self.tag}"))
        self._core.respond(transaction, request.response(status, to_tag="x", headers=headers), now)


def at_once(world: World, command: Callable[[float], None]) -> None:
    command(world.now)


@blocks
def test_the_last_state_is_published_and_taken_back(seeds: range) -> None:
    for seed in seeds:
        world, draw = World(BAD, seed=seed), random.Random(f"publications {seed}")
        alice = CoreAgent(world, "alice", ("192.0.2.1", 5060))
        server = Server(CoreAgent(world, "bob", ("192.0.2.2", 5060)))
        usage: PublicationUsage = alice.core.publication("sip:bob@192.0.2.2", package_named("moon"), 100)
        for number in range(10):
            publish = partial(usage.publish, b"%d" % number)
            world.at(40.0 * number + draw.uniform(0.0, 40.0), partial(at_once, world, publish))
        world.run(600.0)
        assert (server.state, alice.told.count("PublicationFailed")) == (b"9", 0), f"seed {seed}"
        assert [event for event in alice.events if isinstance(event, Published | PublicationFailed)]
        usage.remove(world.now)
        world.settle()
        assert (server.state, alice.leftovers) == (b"", []), f"seed {seed}"
