"""A chain in a table of SQLite: one file to ask questions of, beside the file of signatures."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from sipstack.errors import ParseError, StoreError
from sipstack.records.chain import CALL, Entry
from sipstack.records.commitment import Opening
from sipstack.records.journal import RECENT, Found, Old, remember
from sipstack.records.lines import PRIVATE

MAGIC = b"SQLite format 3\0"
ENDINGS = (".sqlite", ".sqlite3", ".db")
"""Of a file's name: then it is this."""

TABLES = """
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, key TEXT, line BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_by_key ON entries (key);
CREATE TABLE IF NOT EXISTS openings (
    commitment TEXT PRIMARY KEY, number INTEGER NOT NULL, salt BLOB NOT NULL, text TEXT NOT NULL
);
"""


def connected(path: Path) -> sqlite3.Connection:
    """Raises sqlite3.Error. What is deleted is overwritten."""
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5.0)
    connection.execute("PRAGMA secure_delete = ON")
    return connection


class Table:
    """A journal in SQLite. Its oldest entries are dropped one by one, so that it has no parts."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> Found:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, PRIVATE))
        try:
            connection = self._connection = connected(self._path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(TABLES)
            row = connection.execute("SELECT line FROM entries ORDER BY number DESC LIMIT 1").fetchone()
            latest = connection.execute(
                "SELECT line FROM entries WHERE kind = ? ORDER BY number DESC LIMIT ?", (CALL, RECENT)
            ).fetchall()
            head = None if row is None else _intact(row[0])
            calls: dict[str, int] = {}
            for (line,) in reversed(latest):
                remember(calls, Entry.read(line).body)
        except (sqlite3.Error, ParseError) as error:
            advice = "'sipstack calls verify' tells more; move it away to begin a new chain"
            raise StoreError(f"{self._path} cannot be used: {error}; {advice}") from None
        return Found(head, calls)

    def write(self, entries: Sequence[Entry], openings: Sequence[Opening]) -> None:
        owners = {
            commitment: entry.number
            for entry in entries
            for commitment in entry.body.values()
            if isinstance(commitment, str)
        }
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?)",
                [(each.number, each.at, each.kind, each.body.get("key"), each.line()) for each in entries],
            )
            connection.executemany(
                "INSERT INTO openings VALUES (?, ?, ?, ?)",
                [(each.commitment, owners[each.commitment], each.salt, each.text) for each in openings],
            )

    def is_full(self, before: int | None) -> bool:
        return False

    def turn(self) -> None:
        """There are no parts."""

    def older(self, at: int) -> Old | None:
        row = self._connection.execute(
            # up to the first one that is not older, and never the last
            "SELECT line FROM entries WHERE number < (SELECT min(number) FROM entries WHERE at >= ?)"
            " ORDER BY number DESC LIMIT 1",
            (at,),
        ).fetchone()
        if row is None:
            return None
        entry = _intact(row[0])
        return Old(entry.number, entry.hash)

    def drop(self, old: Old) -> None:
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM entries WHERE number <= ?", (old.last,))
            connection.execute("DELETE FROM openings WHERE number <= ?", (old.last,))
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._connection.close()


def _intact(line: bytes) -> Entry:
    entry = Entry.read(line)
    if entry.reckoned() != entry.hash:
        raise ParseError(f"entry {entry.number} is not what was hashed")
    return entry
