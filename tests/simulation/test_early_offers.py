"""Calls that agree before they are answered, over a bad network: reliable responses, PRACK and UPDATE."""

from __future__ import annotations

import contextlib
import random

import pytest

from sipstack.core.configuration import Timers
from sipstack.errors import LocalProtocolError
from sipstack.sdp.exchange import ExchangeState
from sipstack.testing.agent import CoreAgent
from sipstack.testing.world import World
from sipstack.usage.invite.incoming import IncomingInvite
from sipstack.usage.invite.session import Session
from sipstack.usage.invite.standard import standard_extensions
from tests.simulation.test_calls import (
    CANCELLED,
    CROSSED,
    HUNG_UP,
    REFUSED,
    SEEDS,
    TOO_LATE,
    UNANSWERED,
    Fates,
    blocks,
)
from tests.simulation.users import BAD, User, fate

BLOCK = 50
ALL = [range(first, first + BLOCK) for first in range(0, SEEDS, BLOCK)]
NOT_TAKEN = (["failed"], ["invitationcancelled"])
"""The callee's offer, in a reliable response, is one that the caller does not take."""
BOTH: Fates = (["failed"], [])
"""The caller gives up for that, while the callee refuses."""
ENDS = (CANCELLED, TOO_LATE, UNANSWERED, CROSSED, NOT_TAKEN)


class Ringing(User):
    """Rings with a description, some with more responses behind it, and offers again before the answer."""

    def __init__(self, agent: CoreAgent, draw: random.Random) -> None:
        super().__init__(agent, draw)
        for each in standard_extensions(Timers(), reliable_responses=True):
            agent.core.registry.add_extension(each)

    def _ring(self, invitation: IncomingInvite) -> None:
        if invitation.answered:
            return
        invitation.progress(183, self.now, (), self._description())
        for status in self.draw.choices([180, 181, 182], k=self.draw.randrange(3)):
            invitation.progress(status, self.now)
        self.soon(3.0, lambda: self._offer_early(invitation.early_session))

    def _offer_early(self, session: Session | None) -> None:
        if session is not None:
            with contextlib.suppress(LocalProtocolError):  # no first pair yet, or an offer is under way
                session.reoffer(self._description(), self.now, "UPDATE")

    def _answer(self, invitation: IncomingInvite) -> None:
        if invitation.answered:
            return
        early = invitation.early_session
        if not self.answers:
            invitation.refuse(486, self.now)
        elif early is None or early.exchange.state not in (ExchangeState.IDLE, ExchangeState.STABLE):
            self.soon(1.0, lambda: self._answer(invitation))  # an offer of either side is open
        elif invitation.must_wait():
            self.soon(1.0, lambda: self._answer(invitation))
        else:
            agreed = early.exchange.local is not None
            self.session = invitation.accept(b"" if agreed else self._description(), self.now)
            self.acts()


def run(seed: int) -> tuple[World, Ringing, Ringing]:
    world = World(BAD, seed=seed)
    draw = random.Random(f"early {seed}")
    alice = Ringing(CoreAgent(world, "alice", ("192.0.2.1", 5060)), draw)
    bob = Ringing(CoreAgent(world, "bob", ("192.0.2.2", 5060)), draw)
    for user in (alice, bob):
        world.at(300.0, user.hang_up)
    return world, alice, bob


def settle(seed: int, world: World, alice: Ringing, bob: Ringing) -> tuple[list[str], list[str]]:
    alice.call(bob.agent.uri)
    world.settle()
    assert (alice.agent.leftovers, bob.agent.leftovers) == ([], []), f"seed {seed}"
    return fate(alice.agent), fate(bob.agent)


@blocks(ALL)
def test_both_know_of_the_same_pair(seeds: range) -> None:
    for seed in seeds:
        world, alice, bob = run(seed)

        def agree(alice: Ringing = alice, bob: Ringing = bob) -> None:
            if alice.session is None or bob.session is None:
                return
            ours, theirs = alice.session.exchange, bob.session.exchange
            assert (ours.local, ours.remote) == (theirs.remote, theirs.local)
            assert ours.local is not None
            alice.hang_up()

        world.at(60.0, agree)
        assert settle(seed, world, alice, bob) in (HUNG_UP, NOT_TAKEN), f"seed {seed}"


@blocks(ALL[: max(1, len(ALL) // 2)])
def test_the_caller_gives_up_at_any_moment(seeds: range) -> None:
    for seed in seeds:
        world, alice, bob = run(seed)
        alice.soon(3.5, alice.cancel)
        assert settle(seed, world, alice, bob) in ENDS, f"seed {seed}"


@blocks(ALL[: max(1, len(ALL) // 2)])
def test_the_callee_refuses_amid_offers(seeds: range) -> None:
    for seed in seeds:
        world, alice, bob = run(seed)
        bob.answers = False
        assert settle(seed, world, alice, bob) in (REFUSED, NOT_TAKEN, BOTH), f"seed {seed}"


@pytest.mark.parametrize("seed", range(0, 500, 50))
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    traces = []
    for _ in range(2):
        world, alice, bob = run(seed)
        settle(seed, world, alice, bob)
        traces.append(world.trace)
    assert traces[0] == traces[1]
