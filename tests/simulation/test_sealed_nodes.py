"""Three nodes that share nothing but keys, killed and started again at any moment, over a bad network."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from contextlib import suppress

import pytest

from sipstack.core.events import Ended, OfferReceived, SessionResumed
from sipstack.core.numbers import BLOCK
from sipstack.dialog.dialog import Dialog
from sipstack.errors import LocalProtocolError
from sipstack.message import Request, Response
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.link import Link
from sipstack.testing.world import World
from sipstack.transaction.machine import NOBODY
from tests.core.sealing import BOB, node

SEEDS = int(os.environ.get("SIPSTACK_SEEDS", "200"))
BAD = Link(delay=0.02, jitter=0.1, loss=0.1, duplicate=0.1)


def carol(world: World) -> CoreAgent:
    return CoreAgent(world, "carol", ("192.0.2.3", 5060))


class Cluster:
    """One address, at which one of three nodes lives at a time; each answers what it is asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.dice = random.Random(f"cluster {world.seed}")
        self.started = 0
        self.numbers: dict[int, set[int]] = defaultdict(set)
        self.sessions = 0
        self.node = 0
        self.agent = self._start(0)

    def _start(self, number: int) -> CoreAgent:
        self.started += 1
        agent = node(self.world, number, name=f"bob{self.started}")
        agent.on_event = self._happened
        return agent

    def _happened(self, event: object) -> None:
        if isinstance(event, OfferReceived):
            event.session.accept_offer(ANSWER, self.world.now)
        elif isinstance(event, SessionResumed):
            self.sessions += 1
            session = event.session
            if self.dice.random() < 0.5:  # a request of its own
                session.usages.send(session.usages.draft("INFO"), NOBODY, self.world.now)
            self.numbers[self.node].add(session.dialog.local_cseq)

    def crash(self) -> None:
        """Another node has the address, or the same one once it is started again."""
        self.agent.kill()
        self.node = self.dice.randrange(3)
        self.agent = self._start(self.node)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_peer_has_its_call_until_it_says_bye(seed: int) -> None:
    live(seed)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_so_has_one_that_takes_a_new_contact_of_our_invites_alone(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh_target = Dialog.refresh_target

    def seldom(dialog: Dialog, message: Request | Response) -> None:
        if "carol" not in dialog.local or (isinstance(message, Request) and message.method == "INVITE"):
            refresh_target(dialog, message)

    monkeypatch.setattr(Dialog, "refresh_target", seldom)
    live(seed)


def live(seed: int) -> None:
    """A call with changes by both sides, whose node is killed now and then."""
    world = World(BAD, seed=seed)
    cluster, caller = Cluster(world), carol(world)
    caller.call("sip:bob@192.0.2.2:5060")
    while not cluster.agent.told:
        world.run(0.5)
    cluster.agent.accept()
    while "Answered" not in caller.told:
        world.run(0.5)
    world.run(5)
    for _ in range(3):
        world.run(cluster.dice.uniform(0, 20))
        if cluster.dice.random() < 0.8:
            cluster.crash()
        if cluster.dice.random() < 0.5:
            with suppress(LocalProtocolError):  # the one before is still under way
                caller.session.reoffer(OFFER, world.now)
    world.run(40)
    assert caller.session.is_established
    cluster.crash()
    caller.hang_up()
    world.run(40)
    assert caller.last(Ended).by == "local"
    assert "503" not in caller.last(Ended).reason
    blocks: dict[int, int] = {}
    for number, used in cluster.numbers.items():
        for each in used:
            assert blocks.setdefault(each // BLOCK, number) == number
    world.settle()
    assert caller.leftovers == []
    assert cluster.agent.leftovers == []
    assert cluster.agent.address == BOB
