"""What the store in Redis costs: ``python -m interop.redis.measure``."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

from interop.redis.load import RECORD, Load, now
from interop.redis.sentinels import replicated
from interop.redis.server import Redis, running
from sipstack.outcome import Outcome
from sipstack.store.redis import RedisStore
from tests.store.conformance import asking

RECORDS = 20_000
TOGETHER = 500
RATE = 500.0


@contextmanager
def with_a_replica() -> Iterator[Redis]:
    with replicated() as (primary, _):
        yield primary


KINDS = {
    "no appendonly": (running, ()),
    "appendfsync everysec": (running, ("--appendonly", "yes")),
    "appendfsync always": (running, ("--appendonly", "yes", "--appendfsync", "always")),
}


async def measure(name: str, redis: Redis, replicas: int) -> str:
    """One line."""
    store = RedisStore(redis.url, wait_replicas=replicas)
    await store.open("node-1")
    try:
        before = used_memory(redis)
        began, worked = now(), time.process_time()
        for first in range(0, RECORDS, TOGETHER):
            keys = [
                f"session {number:032x}@10.0.0.1 {number:08x} {number:08x}"
                for number in range(first, first + TOGETHER)
            ]
            outcomes = await asyncio.gather(*[asking(store.put, key, RECORD, 0, 600.0) for key in keys])
            assert set(outcomes) == {Outcome.DONE}
        rate = RECORDS / (now() - began)
        cost = (time.process_time() - worked) / RECORDS * 1e6
        octets = (used_memory(redis) - before) / RECORDS
        async with Load(store, RATE).running() as load:
            await asyncio.sleep(5)
    finally:
        await store.close()
    took = sorted(1000 * each.took for each in load.puts if each.took is not None)
    return (
        f"{name:38} {rate:7.0f}/s, {cost:3.0f} us of our CPU each; at {RATE:.0f}/s"
        f" p50 {statistics.median(took):5.2f} ms, p99 {took[int(len(took) * 0.99)]:5.2f} ms;"
        f" {octets:.0f} octets in Redis for a record of {len(RECORD)}"
    )


def used_memory(redis: Redis) -> int:
    found = re.search(rb"used_memory:(\d+)", redis.command("INFO", "memory"))
    assert found is not None
    return int(found[1])


def lines() -> Iterator[str]:
    for name, (start, options) in KINDS.items():
        with start(*options) as redis:
            yield asyncio.run(measure(name, redis, 0))
    for replicas in (0, 1):
        with with_a_replica() as redis:
            yield asyncio.run(measure(f"with a replica, wait_replicas={replicas}", redis, replicas))


if __name__ == "__main__":
    for line in lines():
        print(line)  # noqa: T201
