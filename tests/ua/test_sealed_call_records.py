"""Calls whose state their peers have: one record each, by the node that sees the end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sipstack import UserAgent
from sipstack.store.sealed import Sealed
from sipstack.testing.world import World
from tests.ua.books import Books, how
from tests.ua.handlers import CLEARED, Answering
from tests.ua.test_call_records_failover import kill

pytestmark = pytest.mark.virtual_time

BOTH = ("node 1", "node 2")


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def node(world: World, books: Books, number: int) -> UserAgent:
    """One of those that answer as bob; its book is called after it."""

    def clock() -> float:
        return 1_790_000_000.0 + world.now

    sealed = Sealed([bytes(range(32))], number, clock=clock)
    name = f"node {number}"
    return world.user_agent("bob", records=books.of(name, clock=clock), sessions=sealed, node=name)


async def test_a_call_that_survives_its_node_has_one_record_with_both(world: World, books: Books) -> None:
    first = node(world, books, 1)
    async with world.user_agent("alice") as alice:
        bob = await first.__aenter__()
        async with bob.serving(Answering()), alice.call("sip:bob@bob.test") as call:
            await asyncio.sleep(10)
            await kill(bob)
            async with node(world, books, 2):
                await asyncio.sleep(20)
                await call.hang_up()
        await first.__aexit__(None, None, None)
    assert books.read("node 1") == ([], [])
    (record,), _ = books.read("node 2")
    assert how(record) == ("answered", None, "remote", CLEARED)
    assert (record.nodes, record.incoming) == (BOTH, True)
    assert (record.local, record.remote) == ("sip:bob@bob.test", "sip:alice@alice.test")
    assert record.answered is not None
    assert abs(record.ended - record.answered - 30_000) <= 2000
    assert abs(record.duration - 30_000) <= 2000


async def test_a_call_that_is_left_has_its_record_even_if_nobody_answers_our_bye(
    world: World, books: Books
) -> None:
    async with world.user_agent("alice") as alice:
        async with node(world, books, 1) as bob, bob.serving(Answering()):
            await alice.call("sip:bob@bob.test").__aenter__()
            await asyncio.sleep(10)
            world.network.partition({"10.0.0.1"}, {"10.0.0.2"})
        world.network.heal()
    (record,), _ = books.read("node 1")
    assert (record.outcome, record.by) == ("answered", "local")


async def test_a_call_that_is_handed_over_has_one_record_with_both(world: World, books: Books) -> None:
    async with world.user_agent("alice") as alice:
        async with node(world, books, 1) as bob, bob.serving(Answering()):
            call = await alice.call("sip:bob@bob.test").__aenter__()
            await asyncio.sleep(10)
            assert await bob.drain(hand_over=True) == 0
        async with node(world, books, 2):
            await call.hang_up()
            await asyncio.sleep(1)
    assert books.read("node 1") == ([], [])
    (record,), _ = books.read("node 2")
    assert (record.nodes, record.by) == (BOTH, "remote")
