"""Kill -9 at any moment of a call, over a network that loses and doubles: in the end nothing is left over."""

from __future__ import annotations

import asyncio
import random

import pytest

from sipstack import Call, SipError, UserAgent
from sipstack.testing.killing import kill
from sipstack.testing.link import Link
from sipstack.testing.world import World
from tests.ua.handlers import Answering
from tests.ua.test_resuming import Nodes

pytestmark = pytest.mark.virtual_time

SEEDS = range(40)


async def deeds(alice: UserAgent, chance: random.Random) -> str:
    """Alice calls, does this and that, and hangs up. What came of it."""
    try:
        async with alice.call("sip:bob@bob.test") as call:
            for _ in range(chance.randint(0, 4)):
                await asyncio.sleep(chance.uniform(0, 20))
                if call._is_over:
                    return "ended early"
                await (call.resume() if call.held else call.hold())
            await asyncio.sleep(chance.uniform(0, 60))
    except SipError as error:
        return type(error).__name__
    return "done"


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_happens_the_call_is_at_one_node_and_ends_clean(seed: int) -> None:
    chance, nodes = random.Random(seed), Nodes()
    world = World(Link(delay=0.02, jitter=0.02, loss=0.05, duplicate=0.05), seed=seed)
    held: dict[str, list[Call]] = {"carol": [], "dave": []}

    def heir(name: str) -> UserAgent:
        async def keep(call: Call) -> None:
            held[name].append(call)
            await call.ended()

        return world.user_agent(name, sessions=nodes.store(), node=name, on_resume=keep)

    bob = world.user_agent("bob", sessions=nodes.store(), node="bob")
    async with world.user_agent("alice") as alice, bob, bob.serving(Answering()):
        async with heir("carol") as carol, heir("dave") as dave:
            calling = asyncio.create_task(deeds(alice, chance))
            await asyncio.sleep(chance.uniform(0, 30))
            await kill(bob)
            await asyncio.sleep(chance.uniform(0, 15))
            await nodes.stores[0].close()  # its lease is over
            if chance.random() < 0.5:  # and it may be started again, at its old address
                again = world.user_agent("bob", sessions=nodes.stores[0], node="bob")
                async with again:
                    await asyncio.sleep(chance.uniform(0, 100))
                    assert sum(len(each.calls) for each in (carol, dave, again)) <= 1
            else:
                await asyncio.sleep(50)
                assert sum(len(each.calls) for each in (carol, dave)) <= 1
            async with asyncio.timeout(600):
                await calling
        everybody = [call for calls in held.values() for call in calls]
        assert len(everybody) == len(set(map(id, everybody)))
    assert world.leftovers == []
