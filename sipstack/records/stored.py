"""The lines of files and tables, which are read anew each time: of a chain as long as you like only where
its lines begin is in memory.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from sipstack.errors import StoreError
from sipstack.records.chain import LONGEST_LINE
from sipstack.records.findings import Line
from sipstack.records.sqlite import connected

BLOCK = 2**20
"""Octets that are read at once."""


class FileLines:
    """Those of a file, as it was when it was opened first: what is appended later is none of them. Of a line
    that is longer than any may be there is one octet more than that. Raises OSError; StoreError when the file
    is another one by now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._starts = array("Q", [0])  # of each line, and the end of the last
        self._torn = False
        with path.open("rb") as file:
            self._file = _which(file.fileno())
            rest = b""
            while block := file.read(BLOCK):
                base, place = file.tell() - len(block), block.find(b"\n")
                while place >= 0:
                    self._starts.append(base + place + 1)
                    place = block.find(b"\n", place + 1)
                rest = block
            if rest and not rest.endswith(b"\n"):
                self._torn = True
                self._starts.append(file.tell())

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __iter__(self) -> Iterator[Line]:
        at = 0
        while at < len(self):
            end = max(bisect_right(self._starts, self._starts[at] + BLOCK) - 1, at + 1)
            yield from self._read(at, end)
            at = end

    def __getitem__(self, position: int) -> Line:
        position = range(len(self))[position]
        (line,) = self._read(position, position + 1)
        return line

    def _read(self, at: int, end: int) -> list[Line]:
        starts, base = self._starts, self._starts[at]
        with self._path.open("rb") as file:
            if _which(file.fileno()) != self._file:
                raise StoreError(f"{self._path} was replaced while it was read: look at it again")
            file.seek(base)
            data = file.read(min(starts[end] - base, BLOCK + LONGEST_LINE))
        lines = []
        for number in range(at, end):
            whole = number < len(self) - 1 or not self._torn
            first, last = starts[number] - base, starts[number + 1] - base - whole
            octets = data[first : min(last, first + LONGEST_LINE + 1)]
            lines.append(Line(str(self._path), number + 1, octets, whole))
        return lines


def _which(handle: int) -> tuple[int, int]:
    status = os.fstat(handle)
    return status.st_dev, status.st_ino


class TableLines:
    """Those of a table of SQLite, as far as it went when it was opened first. Raises sqlite3.Error;
    StoreError when some are gone by now.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        connection = connected(path)
        try:
            rows = connection.execute("SELECT number FROM entries ORDER BY number")
            self._numbers = array("q", (number for (number,) in rows))
        finally:
            connection.close()

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Line]:
        if not self._numbers:
            return
        connection, numbers = connected(self._path), iter(self._numbers)
        try:
            ask = "SELECT number, line FROM entries WHERE number <= ? ORDER BY number"
            for number, line in connection.execute(ask, (self._numbers[-1],)):
                if number != next(numbers, None):
                    raise self._gone()
                yield self._line(number, line)
        finally:
            connection.close()
        if next(numbers, None) is not None:
            raise self._gone()

    def __getitem__(self, position: int) -> Line:
        number = self._numbers[position]
        connection = connected(self._path)
        try:
            row = connection.execute("SELECT line FROM entries WHERE number = ?", (number,)).fetchone()
        finally:
            connection.close()
        if row is None:
            raise self._gone()
        return self._line(number, row[0])

    def _line(self, number: int, line: bytes) -> Line:
        return Line(str(self._path), number + 1, bytes(line))

    def _gone(self) -> StoreError:
        return StoreError(f"{self._path} was changed while it was read: look at it again")
