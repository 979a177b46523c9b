"""Sessions in a file of SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipstack.store.port import TOMBSTONE
from sipstack.store.sqlite import SqliteStore
from sipstack.store.sqlite_file import LEASE
from sipstack.store.store_time import MachineClock
from tests.store.conformance import Backend, SharedConformance, asked


class SetClock(MachineClock):
    """Clocks that a test sets."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.walls = 1_700_000_000.0
        self.boots = "first"

    def monotonic(self) -> float:
        return self.time

    def wall(self) -> float:
        return self.walls

    def boot(self) -> str:
        return self.boots

    def passes(self, seconds: float) -> None:
        self.time += seconds
        self.walls += seconds


class OneMachine:
    """The processes of one machine."""

    lease = LEASE
    tombstone = TOMBSTONE

    def __init__(self, path: Path) -> None:
        self._path = path
        self.clock = SetClock()
        self._stores: list[SqliteStore] = []

    def store(self) -> SqliteStore:
        self._stores.append(SqliteStore(self._path, clock=self.clock))
        return self._stores[-1]

    async def passes(self, seconds: float) -> None:
        """Whoever is open has something to do now and then, and with it gives a sign of life."""
        for _ in range(10):
            self.clock.passes(seconds / 10)
            for store in self._stores:
                await asked(store.take_over, "none")


class TestSqlite(SharedConformance):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> Backend:
        return OneMachine(tmp_path / "sessions.db")
