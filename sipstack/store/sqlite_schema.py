"""What lies in the file of an SQLite store, and how a file is known to be one."""

from __future__ import annotations

import sqlite3

from sipstack.errors import StoreError

APPLICATION = 0x73697073  # "sips"
VERSION = 1
SCHEMA = (
    "CREATE TABLE record (key BLOB PRIMARY KEY, record BLOB, epoch INTEGER NOT NULL, owner TEXT NOT NULL,"
    " written REAL NOT NULL, ends REAL NOT NULL)",
    "CREATE INDEX owned ON record (owner) WHERE record IS NOT NULL",
    "CREATE INDEX ending ON record (ends)",
    "CREATE TABLE node (name TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE clock (boot TEXT NOT NULL, offset REAL NOT NULL, latest REAL NOT NULL, wall REAL NOT NULL)",
)
"""A record that is NULL is a tombstone. ``written``, ``ends``, ``until`` and ``latest`` are store times."""


def is_new(db: sqlite3.Connection, path: object) -> bool:
    """Whether there is nothing in it yet. Inside of a transaction. Raises StoreError where it is not ours."""
    [application], [version] = (
        db.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
    )
    if application == APPLICATION:
        if version != VERSION:
            raise StoreError(f"{path}: version {version} is not ours: use the sipstack that made it")
        return False
    if application or version or db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise StoreError(f"{path}: the database of another application: name another file")
    return True


def make_tables(db: sqlite3.Connection) -> None:
    """Of a file that is new, in a transaction."""
    for statement in SCHEMA:
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    db.execute(f"PRAGMA user_version = {VERSION}")
