"""Chains in files of JSON lines, which are for their owner alone; the full ones are closed segments.

``calls.jsonl`` is written to, ``calls.000000001200.jsonl`` a segment that begins with entry 1200. Beside each
stands ``....clear``, with the texts that its commitments stand for.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from sipstack.errors import ParseError, StoreError
from sipstack.records.chain import CALL, LONGEST_LINE, Entry
from sipstack.records.commitment import Opening
from sipstack.records.journal import Found, Old, remember
from sipstack.records.lines import LineFile

CLEAR = ".clear"
SIGNATURES = ".sig"
ADVICE = "'sipstack calls verify' tells more; move the files away to begin a new chain"


def beside(path: Path, ending: str) -> Path:
    """The file that belongs to ``path``."""
    return path.with_name(path.name + ending)


def segments_of(path: Path) -> list[Path]:
    """The closed segments, the oldest first."""
    digits = "[0-9]" * 12
    return sorted(path.parent.glob(f"{_literal(path.stem)}.{digits}{_literal(path.suffix)}"))


def _literal(text: str) -> str:
    return "".join(f"[{each}]" if each in "*?[" else each for each in text)


class JsonLines:
    """A journal in files. ``largest``: octets of one."""

    def __init__(self, path: Path, largest: int) -> None:
        self._path = path
        self._largest = largest
        self._entries = LineFile(path)
        self._clear = LineFile(beside(path, CLEAR))
        self._first: Entry | None = None  # of the file that is written to

    def open(self) -> Found:
        lines, torn = self._entries.open()
        self._clear.open()
        head: Entry | None = None
        calls: dict[str, int] = {}
        segments = segments_of(self._path)
        if segments:
            head = last_entry(segments[-1])
        for place, line in enumerate(lines, 1):
            entry = self._read(line, place)
            if head is not None and (entry.number, entry.before) != (head.number + 1, head.hash):
                raise _damaged(self._path, place, "it does not continue the entry before")
            head = entry
            self._first = self._first or entry
            if entry.kind == CALL:
                remember(calls, entry.body)
        return Found(head, calls, len(torn))

    def _read(self, line: bytes, place: int) -> Entry:
        try:
            entry = Entry.read(line)
        except ParseError as error:
            raise _damaged(self._path, place, str(error)) from None
        if entry.reckoned() != entry.hash:
            raise _damaged(self._path, place, "it is not what was hashed")
        return entry

    def write(self, entries: Sequence[Entry], openings: Sequence[Opening]) -> None:
        size = self._clear.size
        # what a crash leaves between the two opens nothing, and is taken out with the segment
        self._clear.append([opening.line() for opening in openings])
        try:
            self._entries.append([entry.line() for entry in entries])
        except OSError:
            self._clear.shorten(size)
            raise
        self._first = self._first or entries[0]

    def is_full(self, before: int | None) -> bool:
        old = before is not None and self._first is not None and self._first.at < before
        return old or self._entries.size >= self._largest

    def turn(self) -> None:
        number = self._first.number if self._first is not None else 0
        segment = self._path.with_name(f"{self._path.stem}.{number:012d}{self._path.suffix}")
        self.close()
        try:
            # the texts last: a crash between the two leaves them where the next ones come
            os.replace(self._path, segment)
            os.replace(beside(self._path, CLEAR), beside(segment, CLEAR))
        finally:
            self._entries.open()
            self._clear.open()
            if self._entries.size == 0:
                self._first = None

    def older(self, at: int) -> Old | None:
        found = None
        for segment in segments_of(self._path):
            last = last_entry(segment)
            if last.at >= at:
                break
            found = Old(last.number, last.hash)
        return found

    def drop(self, old: Old) -> None:
        for segment in segments_of(self._path):
            if last_entry(segment).number > old.last:
                break
            with contextlib.suppress(FileNotFoundError):
                beside(segment, CLEAR).unlink()
            segment.unlink()

    def close(self) -> None:
        self._entries.close()
        self._clear.close()


def last_entry(segment: Path) -> Entry:
    """That of a closed file. Raises StoreError."""
    with segment.open("rb") as file:
        file.seek(max(file.seek(0, os.SEEK_END) - LONGEST_LINE - 2, 0))
        *_, line = file.read().rstrip(b"\n").rsplit(b"\n", 1)
    try:
        return Entry.read(line)
    except ParseError as error:
        raise StoreError(f"the last line of {segment} is damaged: {error}; {ADVICE}") from None


def _damaged(path: Path, place: int, why: str) -> StoreError:
    return StoreError(f"{path} is damaged in line {place}: {why}; {ADVICE}")
