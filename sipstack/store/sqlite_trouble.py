"""What went wrong with the file of a store, in words, and what is to be done."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sipstack.errors import StoreError
from sipstack.log import STORE

QUIET = 10.0
"""Seconds without trouble after which all is well again: a disk that is full now and then is told once."""


DAMAGED = (
    "it is damaged, or no file of SQLite: move it away, with its -wal and -shm, and a new one is made;"
    " the sessions in it are lost"
)


def primary_code(error: sqlite3.Error) -> int:
    """What kind of error, without the details that SQLite adds; 0 of one that the Python module raises."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def in_words(error: Exception) -> str:
    """What is wrong with the file, and what helps."""
    if not isinstance(error, sqlite3.Error):
        return f"{type(error).__name__}: {error}"
    match primary_code(error):
        case sqlite3.SQLITE_FULL:
            return "the disk is full: make room"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return "another process keeps it locked: see which has it open"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return "this process must be allowed to write it, and its directory"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return DAMAGED
        case sqlite3.SQLITE_IOERR:
            return f"its disk cannot be read or written: {error}"
    return str(error)


class Trouble:
    """Says once that sessions are not kept, and once that they are again."""

    __slots__ = ("_path", "_since")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._since: float | None = None

    def began(self, error: Exception, now: float) -> None:
        if self._since is None:
            told = isinstance(error, StoreError)  # it begins with the path
            words = str(error).removeprefix(f"{self._path}: ") if told else in_words(error)
            STORE.warning("%s: sessions are not kept: %s", self._path, words)
        self._since = now

    def is_over(self, now: float) -> None:
        if self._since is not None and now >= self._since + QUIET:
            self._since = None
            STORE.info("%s: sessions are kept again", self._path)
