"""Of many that take a session over, one goes on with it."""

from __future__ import annotations

import asyncio
import re

from interop.redis.conftest import StoreFactory
from interop.redis.server import Redis
from sipstack.outcome import Outcome
from sipstack.store.redis import RedisStore
from tests.store.conformance import asked, asking, keys_owned, orphans, put

RACES = 100


async def test_of_two_nodes_one_wins_each_time(empty_redis: Redis, opened: StoreFactory) -> None:
    """Both ask at once, over connections of their own. Each has another epoch; the last one may write."""
    dead = await opened(empty_redis, "node-0", lease=0.5)
    one, two = [await opened(empty_redis, f"node-{number}", lease=0.5) for number in (1, 2)]
    keys = [f"key {number}" for number in range(RACES)]
    for key in keys:
        await put(dead, key)
    await dead.close()
    await asyncio.sleep(0.8)
    assert len(await orphans(one, RACES)) == len(await orphans(two, RACES)) == RACES
    wins = {"node-1": 0, "node-2": 0}
    for key in keys:
        taken = await asyncio.gather(asking(one.take_over, key), asking(two.take_over, key))
        epochs = [each.epoch for each in taken]
        assert sorted(epochs) == [1, 2]
        writes = [
            asking(store.put, key, b"mine", epoch, 60.0)
            for store, epoch in zip((one, two), epochs, strict=True)
        ]
        outcomes = await asyncio.gather(*writes)
        assert sorted(outcome.name for outcome in outcomes) == ["CONFLICT", "DONE"]
        wins["node-1" if outcomes[0] is Outcome.DONE else "node-2"] += 1
    assert sum(wins.values()) == RACES
    assert len(await asked(one.owned)) == wins["node-1"]
    assert len(await asked(two.owned)) == wins["node-2"]
    assert await orphans(one, RACES) == []


async def test_ten_nodes_share_what_a_dead_one_leaves(empty_redis: Redis, opened: StoreFactory) -> None:
    """Each begins elsewhere in the list. Who is overtaken hears of it; nothing has two owners, or none."""
    dead = await opened(empty_redis, "dead", lease=0.5)
    nodes = [await opened(empty_redis, f"node-{number}", lease=0.5) for number in range(10)]
    keys = {f"key {number}" for number in range(200)}
    await asyncio.gather(*[put(dead, key) for key in sorted(keys)])
    await dead.close()
    await asyncio.sleep(0.8)
    held: dict[str, set[str]] = {}

    async def take(store: RedisStore, mine: set[str]) -> None:
        for listed in await asked(store.orphaned, 30):
            taken = await asked(store.take_over, listed.key)
            await asyncio.sleep(0.05)
            if await put(store, listed.key, b"mine", taken.epoch) is Outcome.DONE:
                mine.add(listed.key)

    while await orphans(nodes[0], 1):
        takers = [take(store, held.setdefault(f"node-{n}", set())) for n, store in enumerate(nodes)]
        await asyncio.gather(*takers)
    owned = [set(await keys_owned(store)) for store in nodes]
    assert sum(map(len, owned)) == len(keys) == len(set().union(*owned))
    for mine, known in zip(owned, held.values(), strict=True):
        assert mine <= known  # who owns it knows, for its write was DONE
    assert await orphans(nodes[0], 1000) == []


async def test_a_node_that_wants_a_few_orphans_does_not_have_all_of_them_listed(
    empty_redis: Redis, opened: StoreFactory
) -> None:
    """A dead node may leave a hundred thousand, and each of a hundred nodes looks each ten seconds."""
    dead = await opened(empty_redis, "dead", lease=0.5)
    nodes = [await opened(empty_redis, f"node-{number}", lease=0.5) for number in range(4)]
    await asyncio.gather(*[put(dead, f"key {number}", left=600.0) for number in range(3000)])
    await dead.close()
    await asyncio.sleep(0.8)
    empty_redis.command("CONFIG", "RESETSTAT")
    found = [set(await orphans(store, 50)) for store in nodes]
    assert len(set().union(*found)) > 50  # each begins elsewhere
    sent = re.search(rb"total_net_output_bytes:(\d+)", empty_redis.command("INFO", "stats"))
    assert sent is not None
    assert int(sent[1]) < 4 * 20_000


async def test_two_that_took_over_the_same_epoch(empty_redis: Redis, opened: StoreFactory) -> None:
    """A fail-over of Redis lost the first take-over, the second got the same number: one of them stops."""
    one, two = [await opened(empty_redis, f"node-{number}") for number in (1, 2)]
    await put(two, "key", b"of two", 1)
    assert await put(one, "key", b"of one", 1) is Outcome.CONFLICT
    assert (await asked(two.take_over, "key")).record == b"of two"
    assert await asked(one.forget, "key", 2) is Outcome.DONE  # the peer has hung up: that is so for both
    assert await put(two, "key", b"of two", 2) is Outcome.CONFLICT


async def test_what_expires_without_an_end_leaves_nothing_behind(
    empty_redis: Redis, opened: StoreFactory
) -> None:
    store = await opened(empty_redis)
    await asyncio.gather(*[put(store, f"key {number}", left=0.5) for number in range(500)])
    assert len(await asked(store.owned)) == 500
    await store.close()
    await asyncio.sleep(1.0)
    kept = empty_redis.command("KEYS", "*")
    assert b"lease" in kept
    assert kept.startswith(b"*1\r\n")


async def test_lists_are_longer_than_what_comes_in_one_reply(
    empty_redis: Redis, opened: StoreFactory
) -> None:
    store = await opened(empty_redis)
    outcomes = set()
    for first in range(0, 80_000, 8000):
        asked_now = [
            asking(store.put, f"key {number}", b"", 0, 600.0) for number in range(first, first + 8000)
        ]
        outcomes |= set(await asyncio.gather(*asked_now))
    assert outcomes == {Outcome.DONE}
    assert {listed.key for listed in await asked(store.owned)} == {f"key {n}" for n in range(80_000)}
