"""Sessions in the memory of this process."""

from __future__ import annotations

import asyncio

import pytest

from sipstack.outcome import Outcome
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


async def test_what_would_not_even_fit_alone_is_another_matter_than_what_has_no_room_now() -> None:
    store, outcomes = MemoryStore(octets=2_000), list[Outcome]()
    await store.open("node")
    store.put("one", bytes(1_000), 0, 60.0, outcomes.append)
    store.put("two", bytes(1_000), 0, 60.0, outcomes.append)
    store.put("three", bytes(2_000), 0, 60.0, outcomes.append)
    assert outcomes == [Outcome.DONE, Outcome.FAILED, Outcome.TOO_LARGE]
