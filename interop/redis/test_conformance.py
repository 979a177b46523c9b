"""What every store does, by Redis."""

from __future__ import annotations

import asyncio

import pytest

from interop.redis.server import Redis
from sipstack.store import redis as module
from sipstack.store.redis import RedisStore
from tests.store.conformance import Backend, SharedConformance


class ManyNodes:
    """Stores of different processes in one Redis."""

    lease = 1.0
    tombstone = 1.0

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def store(self) -> RedisStore:
        return RedisStore(self._redis.url, lease=self.lease)

    async def passes(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class TestRedis(SharedConformance):
    @pytest.fixture
    def backend(self, empty_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Backend:
        monkeypatch.setattr(module, "TOMBSTONE", ManyNodes.tombstone)
        return ManyNodes(empty_redis)
