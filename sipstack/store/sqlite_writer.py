"""The thread that has the file of an SQLite store to itself: what waits is done in one transaction."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import Any

from sipstack.log import STORE
from sipstack.store.sqlite_asks import Answer, Ask, Orphaned, Owned, Read, TakeOver, Write
from sipstack.store.sqlite_file import LEASE, SqliteFile
from sipstack.store.sqlite_trouble import Trouble, primary_code
from sipstack.store.store_time import MachineClock

MOST_AT_ONCE = 128
"""What one transaction does at most: those in it wait for each other, and are answered in one turn."""
APART = 0.005
"""Seconds from one transaction to the next, unless many wait: it costs as much as a dozen of those in it. One
that comes alone waits for none.
"""
CHORES_EACH = LEASE / 4
"""Seconds between two signs of life, each with some sweeping."""
_HARMLESS = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
"""After any other error the file is opened again: it may be another one by then."""


class Writer:
    """Does what it is asked in the order in which it is asked. These callbacks are called in its thread:
    ``opened`` once, with the error if there is one; ``answered`` for each batch; ``ended`` at the very end.
    """

    def __init__(
        self,
        file: SqliteFile,
        trouble: Trouble,
        clock: MachineClock,
        opened: Callable[[Exception | None], None],
        answered: Callable[[list[Answer]], None],
        ended: Callable[[], None],
    ) -> None:
        self._file = file
        self._trouble = trouble
        self._clock = clock
        self._opened = opened
        self._answered = answered
        self._ended = ended
        self._queue: SimpleQueue[Ask[Any] | None] = SimpleQueue()
        self._chores_at = clock.monotonic() + CHORES_EACH
        self._batch: list[Ask[Any]] = []
        self._begun = 0.0
        self._thread = threading.Thread(target=self._run, name="sipstack store", daemon=True)
        self._thread.start()

    # -- from the event loop -------------------------------------------------------------------------------

    def ask(self, ask: Ask[Any]) -> None:
        self._queue.put(ask)

    def stop(self) -> None:
        """End after what was asked before."""
        self._queue.put(None)

    def left(self) -> list[Ask[Any]]:
        """What it will not do any more, once it has ended; or what it hangs at."""
        left = list(self._batch)
        while not self._queue.empty():
            ask = self._queue.get_nowait()
            if ask is not None:
                left.append(ask)
        return left

    # -- in the thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            try:
                self._file.open()
            except Exception as error:
                self._opened(error)
                return
            self._opened(None)
            while self._turn():
                pass
        except BaseException as error:
            STORE.warning("the thread of the store has died: %s: %s", type(error).__name__, error)
        finally:
            self._file.disconnect()
            self._ended()

    def _turn(self) -> bool:
        """Do what waits. Returns whether to go on."""
        goes_on = self._collect()
        if self._clock.monotonic() >= self._chores_at:
            self._do_chores()
        if self._batch:
            self._answered(self._perform(self._batch))
            self._batch = []
        return goes_on

    def _collect(self) -> bool:
        """Wait for the first, and take along what has come meanwhile. Returns whether to go on."""
        left = self._chores_at - self._clock.monotonic()
        try:
            ask = self._queue.get(timeout=max(0.0, min(left, CHORES_EACH)))
            self._keep_apart()
            while ask is not None:
                self._batch.append(ask)
                if len(self._batch) == MOST_AT_ONCE:
                    return True
                ask = self._queue.get_nowait()
        except Empty:
            return True
        return False

    def _keep_apart(self) -> None:
        left = self._begun + APART - time.monotonic()
        if left > 0 and self._queue.qsize() < MOST_AT_ONCE:
            time.sleep(left)
        self._begun = time.monotonic()

    def _perform(self, batch: list[Ask[Any]]) -> list[Answer]:
        try:
            answers = self._transact(batch)
        except Exception as error:
            self._failed(error)
            modest = [ask for ask in batch if not ask.needs_room]
            if _is_full(error) and len(modest) < len(batch):
                refused = [(ask, ask.failed) for ask in batch if ask.needs_room]
                return [*refused, *(self._perform(modest) if modest else ())]
            return [(ask, ask.failed) for ask in batch]
        if any(ask.needs_room for ask in batch):
            self._trouble.is_over(self._clock.monotonic())
        return answers

    def _transact(self, batch: list[Ask[Any]]) -> list[Answer]:
        if not self._file.is_connected:
            self._file.connect()
        answers: list[Answer] = []
        with self._file.transaction():
            for _, run in groupby(batch, type):
                asks = list(run)
                answers += zip(asks, self._found(asks), strict=True)
        return answers

    def _found(self, asks: list[Any]) -> list[Any]:
        match asks[0]:
            case Write():
                return self._file.write(asks)
            case TakeOver():
                return [self._file.take_over(ask.key, ask.epoch) for ask in asks]
            case Read():
                return [self._file.read(ask.key) for ask in asks]
            case Owned():
                return [self._file.owned() for _ in asks]
            case Orphaned():
                return [self._file.orphaned(ask.most, ask.kind) for ask in asks]
        raise AssertionError(asks)

    def _do_chores(self) -> None:
        self._chores_at = self._clock.monotonic() + CHORES_EACH
        try:
            if self._file.is_connected and self._file.is_replaced():
                STORE.warning("the file of the store was moved or deleted: a new one is made")
                self._file.disconnect()
            if not self._file.is_connected:
                self._file.connect()
            self._file.sign_of_life()
            if self._file.sweep():
                self._chores_at = self._clock.monotonic()  # there is more: after those who wait
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._trouble.began(error, self._clock.monotonic())
        if not isinstance(error, sqlite3.Error) or primary_code(error) not in _HARMLESS:
            self._file.disconnect()


def _is_full(error: Exception) -> bool:
    return isinstance(error, sqlite3.Error) and primary_code(error) == sqlite3.SQLITE_FULL
