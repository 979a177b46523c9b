"""A thousand calls of a virtual hour each, with session timers, over a bad network (RFC 4028).

Who refreshes, by UPDATE or re-INVITE, how often, and which side takes part at all is the seed's to say. See
``test_calls``: SIPSTACK_SEEDS sets how many calls there are.
"""

from __future__ import annotations

import contextlib
import os
import random
from typing import Literal

import pytest

from sipstack.core.events import Ended
from sipstack.errors import LocalProtocolError
from sipstack.testing.agent import CoreAgent
from sipstack.testing.world import World
from sipstack.usage.invite.session import Session
from sipstack.usage.invite.session_timer import BY, SessionTimer
from sipstack.usage.invite.timed_call import session_timer
from sipstack.usage.invite.update import update
from tests.simulation.users import BAD, User, fate

SEEDS = int(os.environ.get("SIPSTACK_SEEDS", "1000"))
BLOCK = 50
ALL = [range(first, first + BLOCK) for first in range(0, SEEDS, BLOCK)]
HALF = ALL[: max(1, len(ALL) // 2)]
HOUR = 3600.0
GRACE = 100.0
"""Seconds: a transaction of 32 s for a refresh, one for the BYE, and the wait after them."""


def blocks(of: list[range]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("seeds", of, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")


def timer_of(user: User) -> SessionTimer:
    minimum = user.draw.choice([90, 90, 120, 300])
    refresher: Literal["local", "remote"] | None = user.draw.choice(["local", "remote", None])
    return SessionTimer(user.draw.choice([300, 600, 1800]), minimum, refresher=refresher)


class Agreeable(User):
    """Takes every offer: whoever refuses one and the same again and again wants no refresh."""

    def _take(self, session: Session, body: bytes) -> None:
        with contextlib.suppress(LocalProtocolError):
            session.accept_offer(self._description(), self.now)


def timed(world: World) -> tuple[User, User, float]:
    """Alice, who is about to call, bob, and the longest that a session lasts without a refresh."""
    draw = random.Random(f"users {world.seed}")
    alice = Agreeable(CoreAgent(world, "alice", ("192.0.2.1", 5060)), draw)
    bob = Agreeable(CoreAgent(world, "bob", ("192.0.2.2", 5060)), draw)
    longest = 0.0
    for user in (alice, bob):
        timer = timer_of(user)
        longest = max(longest, timer.expires)
        if user is alice or user.draw.random() < 0.8:
            user.agent.core.registry.add_extension(session_timer(timer))
        if user.draw.random() < 0.7:
            user.agent.core.registry.add_extension(update())
    return alice, bob, longest


def refreshes(world: World) -> int:
    """The requests after the first minute, when the call stood, and before the end of the hour."""
    times = [time for time, line in world.timed_ladder() if line.split()[3] in ("UPDATE", "INVITE")]
    return sum(60 < time < HOUR for time in times)


def hold_now_and_then(world: World, users: tuple[User, User]) -> None:
    for user in users:
        for _ in range(3):
            world.at(user.draw.uniform(60.0, HOUR - 60.0), user.offer)


@blocks(ALL)
def test_a_call_lasts_as_long_as_both_are_there(seeds: range) -> None:
    for seed in seeds:
        world = World(BAD, seed=seed)
        alice, bob, longest = timed(world)
        hold_now_and_then(world, (alice, bob))
        alice.call(bob.agent.uri)
        world.run(HOUR)
        assert (alice.in_call, bob.in_call) == (True, True), f"seed {seed}"
        assert refreshes(world) >= HOUR // longest, f"seed {seed}"
        alice.hang_up()
        world.settle()
        assert fate(alice.agent) == ["answered", "ended by local"], f"seed {seed}"
        assert fate(bob.agent) == ["ended by remote"], f"seed {seed}"
        assert (alice.agent.leftovers, bob.agent.leftovers) == ([], []), f"seed {seed}"


@blocks(HALF)
def test_a_call_that_is_cut_ends_on_both_sides_by_the_clock(seeds: range) -> None:
    """Where bob knows no timers only alice finds out: he is hung up at last."""
    for seed in seeds:
        world = World(BAD, seed=seed)
        alice, bob, longest = timed(world)
        alice.call(bob.agent.uri)
        cut = alice.draw.uniform(60.0, HOUR)
        world.at(cut, lambda world=world: world.network.partition(["192.0.2.1"], ["192.0.2.2"]))  # type: ignore[misc]
        world.run(cut + longest + GRACE)
        assert not alice.in_call, f"seed {seed}"
        assert bob.in_call is (session_timer_of(bob) is None), f"seed {seed}"
        ends = [event.by for user in (alice, bob) for event in user.agent.events if isinstance(event, Ended)]
        assert set(ends) <= {BY, "timeout"}, f"seed {seed}"
        bob.hang_up()
        world.settle()
        assert (alice.agent.leftovers, bob.agent.leftovers) == ([], []), f"seed {seed}"


def session_timer_of(user: User) -> object:
    return user.agent.core.registry.extensions.get("timer")


@blocks(HALF)
def test_a_partition_that_is_shorter_than_a_transaction_ends_nothing(seeds: range) -> None:
    for seed in seeds:
        world = World(BAD, seed=seed)
        alice, bob, _ = timed(world)
        alice.call(bob.agent.uri)
        for _ in range(10):
            cut = alice.draw.uniform(60.0, HOUR)
            world.at(cut, lambda world=world: world.network.partition(["192.0.2.1"], ["192.0.2.2"]))  # type: ignore[misc]
            world.at(cut + alice.draw.uniform(0.0, 12.0), world.network.heal)
        world.at(HOUR + 100.0, alice.hang_up)
        world.run(HOUR + 99.0)
        assert (alice.in_call, bob.in_call) == (True, True), f"seed {seed}"
        world.settle()
        assert fate(bob.agent) == ["ended by remote"], f"seed {seed}"
        assert (alice.agent.leftovers, bob.agent.leftovers) == ([], []), f"seed {seed}"


def test_the_same_seed_gives_the_same_trace() -> None:
    def trace(seed: int) -> object:
        world = World(BAD, seed=seed)
        alice, bob, _ = timed(world)
        hold_now_and_then(world, (alice, bob))
        alice.call(bob.agent.uri)
        world.run(HOUR)
        return world.trace

    assert trace(7) == trace(7) != trace(8)
