"""The primary is gone and a replica takes its place: what was lost of what had been acknowledged.

``pytest --log-cli-level=INFO`` shows what was measured.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from interop.redis.conftest import StoreFactory
from interop.redis.load import Load, Put, done, missing, now, outcomes
from interop.redis.sentinels import Replicated, follows, replicated, watched
from interop.redis.server import Redis
from interop.redis.slow import slow_way
from sipstack.errors import StoreError
from sipstack.outcome import Outcome
from sipstack.store.redis import RedisStore
from tests.store.conformance import asked, put

pytestmark = pytest.mark.usefixtures("_redis_is_there")

MEASURED = logging.getLogger("interop.redis")
LONGEST_OUTAGE = 20.0
"""Seconds until a replica is promoted, at the most: sentinels that disagree wait 2 * failover-timeout."""


@pytest.fixture
def redises() -> Iterator[Replicated]:
    with watched() as found:
        yield found


async def open_by_sentinels(opened: StoreFactory, redises: Replicated, replicas: int) -> RedisStore:
    return await opened(
        redises.primary, url=redises.url, sentinels=redises.sentinels.urls, wait_replicas=replicas
    )


async def back_again(load: Load, since: float) -> float:
    """Seconds from ``since`` until all is kept again, for a second at the least."""
    while now() < since + LONGEST_OUTAGE:
        failed = [each.asked for each in load.puts if each.outcome is Outcome.FAILED]
        if (
            failed
            and load.puts[-1].asked > failed[-1] + 1.0
            and outcomes(load.puts[-20:-10]) == {Outcome.DONE}
        ):
            return failed[-1] - since
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come back")


@pytest.mark.parametrize("replicas", [0, 1])
async def test_the_primary_is_killed_and_the_replica_promoted(
    redises: Replicated, opened: StoreFactory, replicas: int
) -> None:
    """With one replica only, and that promoted, nothing else can confirm a write: what then?"""
    store = await open_by_sentinels(opened, redises, replicas)
    async with Load(store, rate=500).running() as load:
        await asyncio.sleep(3)
        redises.primary.kill()
        killed = now()
        if replicas:  # it comes back as a replica of the promoted one, or nothing is DONE any more
            await asyncio.sleep(4)
            redises.primary.start()
        away = await back_again(load, killed)
    before = done(load.between(0, killed))
    lost = await missing(store, done(load.puts))
    MEASURED.info(
        f"wait_replicas={replicas}: lost {len(lost)} of {len(before)} acknowledged, away for {away:.1f} s"
    )
    assert len(before) > 1000
    if replicas:
        assert lost == []
    assert len(lost) < 20
    assert all(each.asked < killed for each in lost)


@pytest.mark.parametrize("replicas", [0, 1])
async def test_the_primary_stops_and_comes_back_when_another_is_promoted(
    redises: Replicated, opened: StoreFactory, replicas: int
) -> None:
    """What it had in its buffers it does not do any more, and it learns that it is a replica now."""
    store = await open_by_sentinels(opened, redises, replicas)
    async with Load(store).running() as load:
        await asyncio.sleep(1)
        redises.primary.freeze()
        stopped = now()
        await asyncio.sleep(6)
        redises.primary.go_on()
        await back_again(load, stopped)
        await asyncio.sleep(3)
    lost = await missing(store, done(load.puts))
    failed = [each for each in load.puts if each.outcome is Outcome.FAILED and each.asked > stopped + 0.1]
    MEASURED.info(f"wait_replicas={replicas}: lost {len(lost)} of {len(done(load.puts))} acknowledged")
    assert lost == []
    if not replicas:
        assert await missing(store, failed) == failed


@pytest.mark.parametrize("replicas", [0, 1])
async def test_a_planned_fail_over(redises: Replicated, opened: StoreFactory, replicas: int) -> None:
    """Who had been the primary goes on for some time, and forgets what it did; then it refuses."""
    store = await open_by_sentinels(opened, redises, replicas)
    async with Load(store).running() as load:
        await asyncio.sleep(1)
        redises.sentinels.fail_over()
        began = now()
        await asyncio.sleep(15)
    assert outcomes(load.puts[-100:]) == {Outcome.DONE}
    lost = await missing(store, done(load.puts))
    failed = [each for each in load.puts if each.outcome is Outcome.FAILED]
    until = max((each.asked - began for each in lost), default=0.0)
    MEASURED.info(
        f"planned, wait_replicas={replicas}: lost {len(lost)} of {len(done(load.puts))} acknowledged,"
        f" the last {until:.1f} s after it had begun; {len(failed)} were refused"
    )
    assert until < 3.0
    if replicas:
        assert lost == []


async def test_a_sentinel_that_is_gone_or_knows_nothing_of_it_is_passed_over(
    redises: Replicated, opened: StoreFactory
) -> None:
    sentinels = redises.sentinels
    sentinels.processes[0].kill()
    store = await open_by_sentinels(opened, redises, 0)
    assert await put(store, "key") is Outcome.DONE
    with pytest.raises(StoreError, match="know no 'other'"):
        await RedisStore("redis://other/0", sentinels=sentinels.urls).open("node-2")


async def test_no_sentinel_is_there(redises: Replicated) -> None:
    redises.sentinels.end()
    with pytest.raises(StoreError, match="none answers"):
        await RedisStore(redises.url, sentinels=redises.sentinels.urls).open("node-1")


@pytest.mark.parametrize("replicas", [0, 1])
async def test_what_a_replica_lags_behind_is_lost_with_the_primary(
    opened: StoreFactory, replicas: int
) -> None:
    """50 ms of lag, and what is on the way then never arrives. Who waits for the replica loses nothing."""
    with replicated() as (primary, replica):
        async with slow_way(primary.port, 0.05) as way:
            replica.command("REPLICAOF", "127.0.0.1", str(way.port))
            await _until_it_follows(replica)
            store = await opened(primary, wait_replicas=replicas)
            async with Load(store, rate=500).running() as load:
                await asyncio.sleep(3)
                await way.cut()
                primary.kill()
                killed = now()
                replica.command("REPLICAOF", "NO", "ONE")
            heir = await opened(replica, "node-2")
            before = done(load.between(0, killed))
            lost = await missing(heir, done(load.puts))
    MEASURED.info(
        f"wait_replicas={replicas}: lost {len(lost)} of {len(before)} acknowledged, with 50 ms of lag"
    )
    assert len(before) > 1000
    assert (lost == []) is bool(replicas)
    assert oldest(lost, killed) < 0.5


async def test_without_a_replica_nothing_is_done_that_has_to_wait_for_one(
    redis: Redis, opened: StoreFactory
) -> None:
    store = await opened(redis, wait_replicas=1)
    began = now()
    assert await put(store, "key") is Outcome.FAILED
    assert await asked(store.forget, "another", 0) is Outcome.FAILED
    assert now() - began < 3.5


async def test_lists_need_no_replica(redis: Redis, opened: StoreFactory) -> None:
    store = await opened(redis, wait_replicas=1, lease=0.5)
    assert await asked(store.owned) == []
    await asyncio.sleep(0.6)
    assert await asked(store.orphaned, 10) == []


async def _until_it_follows(replica: Redis) -> None:
    for _ in range(200):
        if await asyncio.to_thread(follows, replica):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the replica does not follow")


def oldest(puts: list[Put], end: float) -> float:
    """How long before ``end`` the first of them was asked for."""
    return max((end - each.asked for each in puts), default=0.0)
