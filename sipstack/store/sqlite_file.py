"""The file of an SQLite store: how it is opened and checked, and each thing that is done in it.

Many writes are one statement: the interpreter's lock is given up once for all of them, and not once for each,
after which a busy event loop would keep it for five milliseconds.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sipstack.errors import StoreError
from sipstack.outcome import Absent, Outcome
from sipstack.store.port import Listed, Taken
from sipstack.store.sqlite_asks import Write, key_text
from sipstack.store.sqlite_schema import is_new, make_tables
from sipstack.store.sqlite_trouble import DAMAGED, in_words, primary_code
from sipstack.store.store_time import MachineClock, Seen, offset_now

T = TypeVar("T")

PATIENCE = 1.5
"""Seconds that a transaction waits for one of another process."""
PAUSE = 0.001
"""Seconds between two looks whether it is over."""
LEASE = 10.0
"""Seconds after its last sign of life when a node counts as dead."""
MOST_LISTED = 1_000_000
SWEPT_AT_ONCE = 1000
"""Records that are deleted in one transaction, which the others wait for."""
FORGOTTEN = 86_400.0
"""Seconds after which a dead node that owns nothing is forgotten."""
LARGEST_WAL = 16 * 2**20

SIZES = (64, 16, 4, 1)
"""How many writes are one statement: few texts, which SQLite reads once each."""
_INSERT = "INSERT INTO record VALUES "
_ROW = "(?, ?, ?, ?, ?, ?)"
_OVER = """
    ON CONFLICT (key) DO UPDATE SET record = excluded.record, epoch = excluded.epoch, owner = excluded.owner,
        written = excluded.written, ends = excluded.ends
    WHERE ends <= ? OR epoch <= excluded.epoch AND (record IS NOT NULL OR excluded.record IS NULL)
"""
_WRITES = {size: _INSERT + ", ".join([_ROW] * size) + _OVER for size in SIZES}


class SqliteFile:
    """One connection, for one thread. What it cannot do raises sqlite3.Error, ``open`` StoreError."""

    def __init__(self, path: Path, node: str, synchronous: str, clock: MachineClock) -> None:
        self._path = path
        self._node = node
        self._synchronous = synchronous
        self._clock = clock
        self._offset = 0.0
        self._identity: tuple[int, int] | None = None
        self._connection: sqlite3.Connection | None = None

    # -- opening -------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open it, or make it, and look whether it is whole. Raises StoreError."""
        try:
            self.connect()
            with self._words():
                [problem] = _patiently(lambda: self._db.execute("PRAGMA quick_check(1)").fetchone())
            if problem != "ok":
                raise StoreError(f"{self._path}: {DAMAGED}")
        except StoreError:
            self.disconnect()
            raise

    def connect(self) -> None:
        """Open it as it is. Raises StoreError."""
        _make(self._path)
        with self._words():
            _patiently(self._connect)

    def _connect(self) -> None:
        self.disconnect()
        self._connection = db = sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None
        )
        self._identity = self._identity_now()
        with self.transaction("BEGIN"):
            is_new(db, self._path)  # before anything is changed
        if db.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise StoreError(f"{self._path}: no write-ahead log: it has to be on a disk of this machine")
        db.execute(f"PRAGMA synchronous = {self._synchronous}")
        db.execute(f"PRAGMA journal_size_limit = {LARGEST_WAL}")
        with self.transaction():
            if is_new(db, self._path):
                make_tables(db)
            self._set_time()
            self._renew_lease()

    def disconnect(self) -> None:
        """Give the file up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _set_time(self) -> None:
        row = self._db.execute("SELECT boot, offset, latest, wall FROM clock").fetchone()
        self._offset = offset_now(Seen(*row) if row else None, self._clock)
        self._db.execute("DELETE FROM clock")
        self._db.execute(
            "INSERT INTO clock VALUES (?, ?, ?, ?)",
            (self._clock.boot(), self._offset, self.now, self._clock.wall()),
        )

    @contextmanager
    def _words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            self.disconnect()
            raise StoreError(f"{self._path}: {in_words(error)}") from error

    # -- what it is ----------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The store's time."""
        return self._clock.monotonic() + self._offset

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    @property
    def _db(self) -> sqlite3.Connection:
        assert self._connection is not None
        return self._connection

    def is_replaced(self) -> bool:
        """Whether somebody has moved or deleted the file under us: what is written to it is lost."""
        return self._identity_now() != self._identity

    def _identity_now(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    # -- transactions --------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
        """All of it or nothing, and no other process in between."""
        _patiently(lambda: self._db.execute(begin))
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def write(self, writes: Sequence[Write]) -> list[Outcome]:
        """Put records and tombstones, in this order."""
        return [outcome for run in _runs(writes) for outcome in self._write_run(run)]

    def _write_run(self, writes: list[Write]) -> list[Outcome]:
        if self._insert(writes) == len(writes):
            return [Outcome.DONE] * len(writes)
        # which of them it was is told by doing each again: what was done can be done twice
        return [Outcome.DONE if self._insert([each]) else Outcome.CONFLICT for each in writes]

    def _insert(self, writes: list[Write]) -> int:
        now, owner = self.now, self._node
        values: list[object] = []
        for each in writes:
            values += (each.key, each.record, each.epoch, owner, now, now + each.lifetime)
        return self._db.execute(_WRITES[len(writes)], (*values, now)).rowcount

    def take_over(self, key: bytes, epoch: int | None) -> Taken | Absent:
        return self._taken(
            "UPDATE record SET epoch = epoch + 1, owner = ?"
            " WHERE key = ? AND record IS NOT NULL AND ends > ? AND epoch = ifnull(?, epoch)"
            " RETURNING record, epoch, written",
            (self._node, key, self.now, epoch),
        )

    def read(self, key: bytes) -> Taken | Absent:
        return self._taken(
            "SELECT record, epoch, written FROM record WHERE key = ? AND record IS NOT NULL AND ends > ?",
            (key, self.now),
        )

    def _taken(self, statement: str, values: tuple[object, ...]) -> Taken | Absent:
        found = self._db.execute(statement, values).fetchall()
        if not found:
            return Absent.UNKNOWN
        [(record, epoch, written)] = found
        return Taken(record, epoch, max(self.now - written, 0.0))

    def owned(self) -> list[Listed]:
        now = self.now
        found = self._db.execute(
            "SELECT key, owner, ends FROM record WHERE owner = ? AND record IS NOT NULL AND ends > ? LIMIT ?",
            (self._node, now, MOST_LISTED),
        )
        return [Listed(key_text(key), owner, ends - now) for key, owner, ends in found]

    def orphaned(self, most: int, kind: bytes = b"") -> list[Listed]:
        now = self.now
        found = self._db.execute(
            "SELECT key, owner, ends FROM node CROSS JOIN record ON owner = name"
            " WHERE until <= ? AND record IS NOT NULL AND ends > ? AND substr(key, 1, ?) = ? LIMIT ?",
            (now, now, len(kind), kind, most),
        )
        return [Listed(key_text(key), owner, ends - now) for key, owner, ends in found]

    # -- chores --------------------------------------------------------------------------------------------

    def sign_of_life(self) -> None:
        """This node lives, and the machine is at this time."""
        with self.transaction():
            self._renew_lease()
            self._db.execute(
                "UPDATE clock SET latest = max(latest, ?), wall = ?", (self.now, self._clock.wall())
            )

    def _renew_lease(self) -> None:
        self._db.execute(
            "INSERT INTO node VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET until = excluded.until",
            (self._node, self.now + LEASE),
        )

    def sweep(self) -> bool:
        """Delete some of what is over. Returns whether there may be more."""
        with self.transaction():
            swept = self._db.execute(
                "DELETE FROM record WHERE rowid IN (SELECT rowid FROM record WHERE ends <= ? LIMIT ?)",
                (self.now, SWEPT_AT_ONCE),
            ).rowcount
            self._db.execute(
                "DELETE FROM node WHERE until <= ? AND NOT EXISTS"
                " (SELECT 1 FROM record WHERE owner = name AND record IS NOT NULL)",
                (self.now - FORGOTTEN,),
            )
        return swept == SWEPT_AT_ONCE


def _patiently(action: Callable[[], T]) -> T:
    """While another process has the file locked. SQLite itself would look again after up to a tenth of a
    second, and not at all where two make one file.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
        time.sleep(PAUSE)


def _make(path: Path) -> None:
    """A new file is nobody else's to read. One that is there is not opened: to close it again would take
    from SQLite the locks that it has on it elsewhere in this process. Raises StoreError.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if path.is_dir():
            raise StoreError(f"{path}: it is a directory: name a file in it") from None
    except FileNotFoundError:
        raise StoreError(f"{path}: its directory is not there: make it, or name another file") from None
    except OSError as error:
        raise StoreError(f"{path}: it cannot be made: {error.strerror}") from error


def _runs(writes: Sequence[Write]) -> Iterator[list[Write]]:
    """Parts that are one statement each: of these sizes, no key twice."""
    begin = 0
    while begin < len(writes):
        keys: set[bytes] = set()
        for each in writes[begin : begin + SIZES[0]]:
            if each.key in keys:
                break
            keys.add(each.key)
        size = next(size for size in SIZES if size <= len(keys))
        yield list(writes[begin : begin + size])
        begin += size
