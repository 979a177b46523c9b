"""What the writer of call records asks of where they are kept: files of JSON lines, or SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs

from sipstack.records.chain import Entry, Head
from sipstack.records.commitment import Opening

RECENT = 65_536
"""Calls that are remembered, so that none is written twice."""


@attrs.frozen
class Found:
    """What was there: the last entry, the latest calls (key and epoch), and what a crash has left."""

    head: Entry | Head | None
    calls: dict[str, int]
    torn: int = 0
    """Octets of a last line that was not whole, which is cut off."""


@attrs.frozen
class Old:
    """Entries that may be dropped: these and all before them."""

    last: int
    hash: str


def remember(calls: dict[str, int], body: Mapping[str, Any]) -> None:
    """This call is among the latest."""
    key, epoch = body.get("key"), body.get("epoch")
    if isinstance(key, str) and isinstance(epoch, int):
        calls[key] = max(epoch, calls.pop(key, 0))
        if len(calls) > RECENT:
            del calls[next(iter(calls))]


class Journal(Protocol):
    """All of it is called in one thread at a time, and raises OSError, or sqlite3.Error, for what fails."""

    def open(self) -> Found:
        """Begin. Raises StoreError for what is damaged beyond its last line."""

    def write(self, entries: Sequence[Entry], openings: Sequence[Opening]) -> None:
        """Append all of these, or none; they are on the disk when this returns."""

    def is_full(self, before: int | None) -> bool:
        """Whether to ``turn`` the page, once everything is signed: also when its first entry is from before
        this time.
        """

    def turn(self) -> None:
        """Close this part, and go on in another."""

    def older(self, at: int) -> Old | None:
        """The latest of the closed parts whose entries are all from before ``at``, with those before it."""

    def drop(self, old: Old) -> None:
        """Delete it, once that was written and signed."""

    def close(self) -> None:
        """End."""
