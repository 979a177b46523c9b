"""Sessions in the memory of this process."""

from __future__ import annotations

import asyncio

import pytest

from sipstack.store.memory import MemoryStore
from sipstack.store.port import TOMBSTONE
from tests.store.conformance import Backend, Conformance

pytestmark = pytest.mark.virtual_time


class OneProcess:
    """The memory store, whose nodes are user agents of one process."""

    lease = 1.0
    tombstone = TOMBSTONE

    def __init__(self) -> None:
        self._store = MemoryStore()

    def store(self) -> MemoryStore:
        return self._store

    async def passes(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class TestMemory(Conformance):
    @pytest.fixture
    def backend(self) -> Backend:
        return OneProcess()
