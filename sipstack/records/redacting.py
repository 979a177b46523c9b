"""Deleting what opens the commitments of a person: salt and text go, the chain stays as it is."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from sipstack.errors import ParseError, StoreError
from sipstack.records.commitment import Opening
from sipstack.records.files import CLEAR, beside, segments_of
from sipstack.records.sqlite import MAGIC, connected

Concerned = Callable[[Opening], bool]


def redact(path: Path, concerned: Concerned) -> int:
    """Delete every text that is ``concerned``; returns how many. It may be written to meanwhile. Raises
    StoreError.
    """
    try:
        with path.open("rb") as file:
            is_table = file.read(len(MAGIC)) == MAGIC
        if is_table:
            return _in_table(path, concerned)
        clear = [beside(each, CLEAR) for each in (*segments_of(path), path)]
        return sum(_in_file(each, concerned) for each in clear if each.exists())
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path} cannot be redacted: {error}") from None


def _in_file(path: Path, concerned: Concerned) -> int:
    """In place, by blanks: the process that writes the file goes on at its end, and nothing is left of the
    text on the disk where files are overwritten in place.
    """
    count = 0
    with path.open("r+b") as file:
        place = 0
        for line in file.read().splitlines(keepends=True):
            text = line.removesuffix(b"\n")
            if text.strip() and line.endswith(b"\n") and _is_concerned(text, concerned):
                file.seek(place)
                file.write(b" " * len(text))
                count += 1
            place += len(line)
        file.flush()
        os.fsync(file.fileno())
    return count


def _is_concerned(line: bytes, concerned: Concerned) -> bool:
    try:
        return concerned(Opening.read(line))
    except ParseError:
        return False


def _in_table(path: Path, concerned: Concerned) -> int:
    connection = connected(path)
    try:
        rows = connection.execute("SELECT commitment, salt, text FROM openings").fetchall()
        gone = [(row[0],) for row in rows if concerned(Opening(*row))]
        connection.executemany("DELETE FROM openings WHERE commitment = ?", gone)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log has it as well
    finally:
        connection.close()
    return len(gone)
