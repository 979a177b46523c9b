"""The switch of the interop suites, by which each user agent keeps its sessions in a store."""

from __future__ import annotations

import pytest

from interop.stores import Switch, switched_on
from sipstack import UserAgent
from sipstack.outcome import Outcome
from sipstack.store.memory import MemoryStore
from sipstack.testing.world import World
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time


async def placed(world: World, switch: Switch) -> None:
    """A call between two user agents, both of whom the switch has found."""
    bob = Answering()
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as callee,
        callee.serving(bob),
        alice.call("sip:bob@bob.test"),
    ):
        assert switch.tally.counts["agents"] == 2
        assert switch.tally.counts["written"] > 0
    assert [by for by, _ in bob.ends] == ["remote"]


@pytest.mark.parametrize("kind", ["memory", "sealed"])
async def test_every_user_agent_has_a_store_while_it_is_on(world: World, kind: str) -> None:
    with switched_on(kind) as switch:
        await placed(world, switch)
    assert switch.worked
    assert f"2 agents kept their sessions in {kind}" in switch.summary()
    made = switch.made
    world.user_agent("carol")
    assert switch.made == made


async def test_what_is_over_is_forgotten(world: World) -> None:
    with switched_on("memory") as switch:
        await placed(world, switch)
    assert switch.tally.counts["forgotten"] == 2


def test_a_user_agent_with_a_store_of_its_own_keeps_that() -> None:
    with switched_on("memory") as switch:
        UserAgent(sessions=MemoryStore())
        assert switch.made == 0
        UserAgent(sessions=None)
        assert switch.made == 1


def test_a_run_in_which_nothing_was_kept_has_failed() -> None:
    with switched_on("memory") as switch:
        pass
    assert not switch.worked


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CONFLICT])
async def test_a_run_in_which_something_could_not_be_kept_has_failed(world: World, outcome: Outcome) -> None:
    told: list[Outcome] = []
    with switched_on("memory") as switch:
        await placed(world, switch)
    switch.tally.counted("written", told.append)(outcome)
    assert told == [outcome]
    assert not switch.worked
    assert f"1 {'failed' if outcome is Outcome.FAILED else 'in conflict'}" in switch.summary()
