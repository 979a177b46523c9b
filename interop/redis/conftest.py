"""Fixtures of the tests with Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from interop.bounded import bounded
from interop.redis.server import Redis, program, running, wait_until
from sipstack.store.redis import RedisStore

TEST_TIMEOUT = 90.0  # seconds

StoreFactory = Callable[..., Awaitable[RedisStore]]


@pytest.fixture(scope="session", autouse=True)
def _redis_is_there() -> None:
    if not program():
        pytest.skip("there is no redis-server on PATH (Debian: apt-get install redis-server redis-sentinel)")


@pytest.fixture(scope="session")
def shared_redis(_redis_is_there: None) -> Iterator[Redis]:
    """One for all tests that leave it as it is. It runs as a cluster of one: every script keeps to a slot."""
    with running("--cluster-enabled", "yes") as redis:
        redis.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        wait_until("the cluster is whole", lambda: b"cluster_state:ok" in redis.command("CLUSTER", "INFO"))
        yield redis


@pytest.fixture
def empty_redis(shared_redis: Redis) -> Redis:
    shared_redis.command("FLUSHALL")
    return shared_redis


@pytest.fixture
def redis(_redis_is_there: None) -> Iterator[Redis]:
    """One for this test alone, which may do with it what it likes."""
    with running() as redis:
        yield redis


@pytest.fixture
async def opened() -> AsyncIterator[StoreFactory]:
    """Opens a store, and closes it afterwards. No task may be left."""
    with bounded(TEST_TIMEOUT):
        async with AsyncExitStack() as stack:

            async def open_store(redis: Redis, node: str = "node-1", **arguments: Any) -> RedisStore:
                store = RedisStore(arguments.pop("url", redis.url), **arguments)
                await store.open(node)
                stack.push_async_callback(store.close)
                return store

            yield open_store
