"""Chains to look at, made in a moment."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sipstack.records import CallRecord, CallRecords
from sipstack.records.chain import CLOSED, Entry
from sipstack.records.commitment import Opening
from sipstack.records.journal import Journal
from sipstack.records.reading import Evidence, read
from sipstack.records.signing import has_signed, public_key

NOON = 1_790_000_000
"""Seconds since 1970: when the first call of these tests ends."""


def call(number: int, **more: Any) -> CallRecord:
    """A call, whose number names it."""
    values: dict[str, Any] = {
        "call_id": f"call-{number}",
        "tag": "ours",
        "incoming": True,
        "local": "sip:bob@example.com",
        "remote": f"sip:caller{number}@example.com",
        "began": NOON * 1000 + number,
        "answered": NOON * 1000 + number,
        "ended": NOON * 1000 + number + 5,
        "outcome": "answered",
        "nodes": ("node 1",),
    }
    return CallRecord(**(values | more))


def ticking(start: float = NOON, step: float = 1.0) -> Callable[[], float]:
    """A clock that goes on with each look."""
    times = itertools.count(start, step)
    return lambda: next(times)


def write(
    path: Path, calls: Sequence[CallRecord] = (), *, node: str = "node 1", end: bool = True, **more: Any
) -> None:
    """Have these calls written. Without ``end`` the process is gone before it says that it ends."""
    options: dict[str, Any] = {"every": 4, "clock": ticking()} | more
    asyncio.run(_write(CallRecords(path, **options), calls, node, end))


async def _write(records: CallRecords, calls: Sequence[CallRecord], node: str, end: bool) -> None:
    await records.open(node)
    for each in calls:
        records.write(each)
    if end:
        await records.close()
        return
    writer, journal = records._writer, records._journal
    assert writer is not None
    assert journal is not None
    writer._journal = Killed(journal)
    await records.close()


class Killed:
    """Writes calls, and not that it ends: the process that is killed does not come to it."""

    def __init__(self, journal: Journal) -> None:
        self.older, self.drop, self.turn, self.is_full = (
            journal.older,
            journal.drop,
            journal.turn,
            journal.is_full,
        )
        self.open, self.close = journal.open, journal.close
        self._write = journal.write

    def write(self, entries: Sequence[Entry], openings: Sequence[Opening]) -> None:
        if entries[0].kind == CLOSED:
            raise OSError("killed")
        self._write(entries, openings)


def key_of(path: Path) -> str:
    """The public key of a chain."""
    return public_key(path.with_name(path.name + ".key.pub").read_bytes())


def look(*paths: Path, keys: Sequence[str] = (), signatures: Path | None = None) -> Evidence:
    return read(paths, has_signed, keys, signatures)


def wrong(*paths: Path, **more: Any) -> list[tuple[str, int | None]]:
    """The kind and the line of everything that is wrong."""
    return [(each.kind, each.line) for each in look(*paths, **more).findings.all if each.wrong]


def told(*paths: Path, **more: Any) -> list[str]:
    """The kinds of what is in order and worth knowing."""
    return [each.kind for each in look(*paths, **more).findings.all if not each.wrong]


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def rewrite(path: Path, content: Sequence[bytes]) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in content))
