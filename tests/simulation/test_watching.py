"""A lamp that comes and goes over a bad network, through the public API: who watches it knows its last state.

SIPSTACK_SEEDS sets how many (30 unless told).
"""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from sipstack import MessageCount, MessageSummary, Notification, Subscription, UserAgent
from sipstack.testing.world import World
from tests.simulation.users import BAD

pytestmark = pytest.mark.virtual_time

SEEDS = int(os.environ.get("SIPSTACK_SEEDS", "30"))
BLOCK = 10
BLOCKS = [range(first, min(first + BLOCK, SEEDS)) for first in range(0, SEEDS, BLOCK)]


def messages(count: int) -> MessageSummary:
    return MessageSummary(count > 0, "", {"voice-message": MessageCount(count)})


async def follow(subscription: Subscription, heard: list[Notification]) -> None:
    async for notification in subscription:
        heard.append(notification)


async def come_and_go(bob: UserAgent, draw: random.Random) -> int:
    """Three times; the last state counts. It is there for as long as it takes to be told."""
    count = 0
    for round in range(3):
        async with bob.notifying("message-summary", messages(count), longest=draw.choice([60, 300])) as box:
            for _ in range(5):
                await asyncio.sleep(draw.uniform(0.0, 60.0))
                count += 1
                box.update(messages(count))
            if round == 2:
                await asyncio.sleep(200)  # the longest wait before we come back is a minute
                return count
        await asyncio.sleep(draw.uniform(0.0, 60.0))
    return count


@pytest.mark.parametrize("seeds", BLOCKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
async def test_whoever_watches_knows_the_last_state(seeds: range) -> None:
    for seed in seeds:
        world, draw = World(BAD, seed=seed), random.Random(f"watching {seed}")
        heard: list[Notification] = []
        async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
            going = asyncio.ensure_future(come_and_go(bob, draw))
            await asyncio.sleep(0.1)
            async with alice.subscribe("sip:bob@bob.test", "message-summary", retry=True) as subscription:
                following = asyncio.ensure_future(follow(subscription, heard))
                count = await going
                known = [each.value.voice.new for each in heard if each.body]
                assert known[-1] == count, f"seed {seed}"
                assert known == sorted(known), f"seed {seed}"
            await following
        assert world.leftovers == [], f"seed {seed}"
