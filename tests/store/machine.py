"""One machine with its clocks, which a test sets, and the processes that share a file on it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sipstack.store.port import TOMBSTONE
from sipstack.store.sqlite import SqliteStore
from sipstack.store.sqlite_file import LEASE
from sipstack.store.store_time import MachineClock
from tests.store.conformance import asked


class SetClock(MachineClock):
    """Clocks that a test sets."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.time_of_day = 1_700_000_000.0
        self.boots = "first"

    def monotonic(self) -> float:
        return self.time

    def wall(self) -> float:
        return self.time_of_day

    def boot(self) -> str:
        return self.boots

    def passes(self, seconds: float) -> None:
        self.time += seconds
        self.time_of_day += seconds

    def starts_again(self, away: float) -> None:
        """The machine was off, and its wall clock says for how long."""
        self.boots += " again"
        self.time = 7.0
        self.time_of_day += away


class OneMachine:
    """The processes of one machine."""

    lease = LEASE
    tombstone = TOMBSTONE

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = SetClock()
        self._stores: list[SqliteStore] = []

    def store(self) -> SqliteStore:
        self._stores.append(SqliteStore(self.path, clock=self.clock))
        return self._stores[-1]

    async def passes(self, seconds: float) -> None:
        """Whoever is open has something to do now and then, and with it gives a sign of life."""
        for _ in range(10):
            self.clock.passes(seconds / 10)
            for store in self._stores:
                await asked(store.take_over, "none")

    def rows(self, query: str) -> list[Any]:
        """What stands in the file."""
        with self.another() as connection:
            return connection.execute(query).fetchall()

    @contextmanager
    def another(self) -> Iterator[sqlite3.Connection]:
        """Another program that has the file open."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            yield connection


def threads() -> list[threading.Thread]:
    """Those of stores. Of one that is closed it takes a moment until it is gone."""
    found = [thread for thread in threading.enumerate() if thread.name == "sipstack store"]
    for thread in found:
        thread.join(1.0)
    return [thread for thread in found if thread.is_alive()]
