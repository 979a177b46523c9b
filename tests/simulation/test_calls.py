"""Thousands of calls over a bad network: both sides agree, and nothing is left over.

Each test runs a block of seeds. SIPSTACK_SEEDS sets how many calls the plain test makes (1,000 unless told;
each variant makes half of that).
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from sipstack.testing.world import World
from tests.simulation.users import BAD, User, fate, two_users

SEEDS = int(os.environ.get("SIPSTACK_SEEDS", "1000"))
BLOCK = 50
PLAIN = [range(first, first + BLOCK) for first in range(0, SEEDS, BLOCK)]
VARIANT = PLAIN[: max(1, len(PLAIN) // 2)]

Plan = Callable[[World, User, User], None]
Fates = tuple[list[str], list[str]]

HUNG_UP: Fates = (["answered", "ended by local"], ["ended by remote"])
HUNG_UP_BY_BOB: Fates = (["answered", "ended by remote"], ["ended by local"])
CROSSED: Fates = (["answered", "ended by local"], ["ended by local"])
CANCELLED: Fates = (["refused with 487"], ["invitationcancelled"])
TOO_LATE: Fates = (["failed", "ended by local"], ["ended by remote"])
UNANSWERED: Fates = (["failed", "ended by local"], ["ended by local"])
"""Too late, and bob's offer found no answer in the ACK: he says BYE as well."""
OUT_OF_TIME: tuple[Fates, ...] = (
    (["failed"], ["ended by timeout"]),
    (["answered", "ended by timeout"], ["ended by remote"]),
    (["answered", "ended by remote"], ["ended by timeout"]),
)
"""After a partition an INVITE or re-INVITE may find 64*T1 passed before its response is back; once in
thousands of calls. Its side gives up, and the other learns of it by BYE or waits for an ACK in vain."""
REFUSED: Fates = (["refused with 486"], [])


def blocks(of: list[range]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("seeds", of, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")


def run(seed: int, plan: Plan) -> tuple[World, User, User]:
    """One call by this plan, until everything is quiet. Whoever is still in it after 5 minutes hangs up."""
    world = World(BAD, seed=seed)
    alice, bob = two_users(world)
    for user in (alice, bob):
        world.at(300.0, user.hang_up)
    plan(world, alice, bob)
    alice.call(bob.agent.uri)
    world.settle()
    assert (alice.agent.leftovers, bob.agent.leftovers) == ([], []), f"seed {seed}"
    return world, alice, bob


def fates(seed: int, plan: Plan) -> Fates:
    _, alice, bob = run(seed, plan)
    return fate(alice.agent), fate(bob.agent)


# --- the plans ---


def alice_hangs_up(world: World, alice: User, bob: User) -> None:
    """After at most 20 seconds; until then both are in the call."""

    def hang_up() -> None:
        assert (alice.in_call, bob.in_call) == (True, True)
        alice.hang_up()
        assert not alice.in_call

    alice.acts = lambda: alice.soon(20.0, hang_up)


def bob_hangs_up(world: World, alice: User, bob: User) -> None:
    """Often before the ACK has come, or while alice knows nothing of the answer yet."""
    bob.acts = lambda: bob.soon(5.0, bob.hang_up)


def both_hang_up(world: World, alice: User, bob: User) -> None:
    def at_once() -> None:
        alice.hang_up()
        bob.soon(0.1, bob.hang_up)

    alice.acts = lambda: alice.soon(5.0, at_once)


def alice_gives_up(world: World, alice: User, bob: User) -> None:
    """At any moment from the first INVITE to well after the answer."""
    alice.soon(3.5, alice.cancel)


def bob_refuses(world: World, alice: User, bob: User) -> None:
    bob.answers = False


def both_offer(world: World, alice: User, bob: User) -> None:
    """Holding and resuming at random moments of the first 20 seconds; 30 seconds later they agree."""

    def agree() -> None:
        assert alice.session is not None
        assert bob.session is not None
        ours, theirs = alice.session.exchange, bob.session.exchange
        assert (ours.local, ours.remote) == (theirs.remote, theirs.local)
        assert (ours.offer, theirs.offer) == (None, None)
        alice.hang_up()

    for user in (alice, bob):
        for _ in range(4):
            user.soon(20.0, user.offer)
    world.at(50.0, agree)


def offers_and_a_hang_up(world: World, alice: User, bob: User) -> None:
    """The BYE comes at any moment between INVITE, 2xx and ACK of the offers."""
    for user in (alice, bob):
        for _ in range(4):
            user.soon(10.0, user.offer)
    first = alice.draw.choice([alice, bob])
    first.soon(12.0, first.hang_up)


def a_partition_that_heals(world: World, alice: User, bob: User) -> None:
    """Up to 10 seconds without a network, at any moment; offers and a hang-up meanwhile."""
    begin = alice.draw.uniform(0.0, 15.0)
    world.at(begin, lambda: world.network.partition(["192.0.2.1"], ["192.0.2.2"]))
    world.at(begin + alice.draw.uniform(0.0, 10.0), world.network.heal)
    offers_and_a_hang_up(world, alice, bob)


def a_partition_for_ever(world: World, alice: User, bob: User) -> None:
    """From any moment on. Alice gives up a call that nobody answers within a minute."""
    world.at(alice.draw.uniform(0.0, 15.0), lambda: world.network.partition(["192.0.2.1"], ["192.0.2.2"]))
    world.at(60.0, alice.cancel)
    offers_and_a_hang_up(world, alice, bob)


# --- the tests ---


@blocks(PLAIN)
def test_a_call_that_the_caller_ends(seeds: range) -> None:
    assert {seed: fates(seed, alice_hangs_up) for seed in seeds} == dict.fromkeys(seeds, HUNG_UP)


@blocks(VARIANT)
def test_a_call_that_the_callee_ends(seeds: range) -> None:
    assert {seed: fates(seed, bob_hangs_up) for seed in seeds} == dict.fromkeys(seeds, HUNG_UP_BY_BOB)


@blocks(VARIANT)
def test_a_call_that_both_end(seeds: range) -> None:
    for seed in seeds:
        assert fates(seed, both_hang_up) in (CROSSED, HUNG_UP, HUNG_UP_BY_BOB), f"seed {seed}"


@blocks(VARIANT)
def test_a_call_that_is_refused(seeds: range) -> None:
    assert {seed: fates(seed, bob_refuses) for seed in seeds} == dict.fromkeys(seeds, REFUSED)


@blocks(VARIANT)
def test_a_call_that_is_given_up(seeds: range) -> None:
    for seed in seeds:
        # answered before that: both hang up after 5 minutes, at the same moment
        assert fates(seed, alice_gives_up) in (CANCELLED, TOO_LATE, UNANSWERED, CROSSED), f"seed {seed}"


@blocks(VARIANT)
def test_a_call_in_which_both_make_offers(seeds: range) -> None:
    assert {seed: fates(seed, both_offer) for seed in seeds} == dict.fromkeys(seeds, HUNG_UP)


@blocks(VARIANT)
def test_a_call_that_ends_amid_offers(seeds: range) -> None:
    for seed in seeds:
        assert fates(seed, offers_and_a_hang_up) in (HUNG_UP, HUNG_UP_BY_BOB, CROSSED), f"seed {seed}"


@blocks(VARIANT)
def test_a_call_that_survives_a_partition(seeds: range) -> None:
    for seed in seeds:
        found = fates(seed, a_partition_that_heals)
        assert found in (HUNG_UP, HUNG_UP_BY_BOB, CROSSED, *OUT_OF_TIME), f"seed {seed}"


@blocks(VARIANT)
def test_a_call_that_is_cut_for_ever(seeds: range) -> None:
    """They cannot agree on who ended it; both know that it is over, and hold nothing."""
    for seed in seeds:
        _, alice, bob = run(seed, a_partition_for_ever)
        assert (alice.in_call, bob.in_call) == (False, False), f"seed {seed}"
        assert len(fate(alice.agent)) > 0, f"seed {seed}"


@pytest.mark.parametrize("seed", range(0, 1000, 50))
@pytest.mark.parametrize("plan", [alice_hangs_up, both_offer, a_partition_that_heals])
def test_the_same_seed_gives_the_same_trace_byte_for_byte(plan: Plan, seed: int) -> None:
    assert run(seed, plan)[0].trace == run(seed, plan)[0].trace


def test_another_seed_gives_another_trace() -> None:
    assert run(1, alice_hangs_up)[0].trace != run(2, alice_hangs_up)[0].trace
