"""Sessions in the memory of this process, bounded: the RAM that a small device sets aside for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import islice

import attrs

from sipstack.outcome import Absent, Outcome
from sipstack.store.port import TOMBSTONE, Listed, Taken

OVERHEAD = 512
"""Octets that an entry takes beside its record, about."""


@attrs.define
class _Entry:
    """``record`` is None in a tombstone. Times are those of the event loop."""

    record: bytes | None
    epoch: int
    owner: str
    written: float
    expires: float

    @property
    def octets(self) -> int:
        return OVERHEAD + len(self.record or b"")


class MemoryStore:
    """Keeps what fits: ``sessions`` in number, ``octets`` of their records and what goes with these. What is
    full refuses, so that a new call gets 503, and nothing of the old ones is lost.

    It answers in the same turn. Its promise: a session outlives its user agent, so that another one of the
    same process, given the same store, goes on with it; and nothing outlives the process.
    """

    def __init__(self, sessions: int = 100_000, octets: int = 256 * 2**20) -> None:
        if sessions < 1 or octets < 1:
            raise ValueError("a store has room for one session at the least")
        self._most, self._most_octets = sessions, octets
        self._entries: dict[str, _Entry] = {}
        self._octets = 0
        self._living: set[str] = set()
        self._known: set[str] = set()
        self._node = ""

    def __len__(self) -> int:
        """The sessions that it keeps."""
        return sum(1 for _ in self._alive(_now()))

    async def open(self, node: str) -> None:
        self._node = node
        self._living.add(node)
        self._known.add(node)

    async def close(self) -> None:
        self._living.discard(self._node)

    def put(
        self, key: str, record: bytes, epoch: int, lifetime: float, answer: Callable[[Outcome], None]
    ) -> None:
        now = _now()
        before = self._entry(key, now)
        if before is not None and (before.record is None or before.epoch > epoch):
            answer(Outcome.CONFLICT)
            return
        entry = _Entry(record, epoch, self._node, now, now + lifetime)
        if not self._has_room(entry, before, now):
            answer(Outcome.TOO_LARGE if entry.octets > self._most_octets else Outcome.FAILED)
            return
        self._replace(key, entry)
        answer(Outcome.DONE)

    def forget(self, key: str, epoch: int, answer: Callable[[Outcome], None]) -> None:
        now = _now()
        before = self._entry(key, now)
        if before is not None and before.record is not None and before.epoch > epoch:
            answer(Outcome.CONFLICT)
            return
        self._replace(key, _Entry(None, epoch, self._node, now, now + TOMBSTONE))
        answer(Outcome.DONE)

    def take_over(self, key: str, answer: Callable[[Taken | Absent], None], epoch: int | None = None) -> None:
        now = _now()
        entry = self._entry(key, now)
        if entry is None or entry.record is None or epoch not in (None, entry.epoch):
            answer(Absent.UNKNOWN)
            return
        entry.epoch += 1
        entry.owner = self._node
        answer(Taken(entry.record, entry.epoch, now - entry.written))

    def read(self, key: str, answer: Callable[[Taken | Absent], None]) -> None:
        now = _now()
        entry = self._entry(key, now)
        if entry is None or entry.record is None:
            answer(Absent.UNKNOWN)
        else:
            answer(Taken(entry.record, entry.epoch, now - entry.written))

    def owned(self, answer: Callable[[list[Listed] | Absent], None]) -> None:
        now = _now()
        answer([listed for listed in self._alive(now) if listed.owner == self._node])

    def orphaned(self, most: int, answer: Callable[[list[Listed] | Absent], None], kind: str = "") -> None:
        dead = self._known - self._living
        if not dead:  # as mostly: so nobody looks at all of them in vain
            answer([])
            return
        orphans = (
            listed for listed in self._alive(_now()) if listed.owner in dead and listed.key.startswith(kind)
        )
        answer(list(islice(orphans, most)))

    # -- the table -----------------------------------------------------------------------------------------

    def _alive(self, now: float) -> Iterator[Listed]:
        for key, entry in self._entries.items():
            if entry.record is not None and entry.expires > now:
                yield Listed(key, entry.owner, entry.expires - now)

    def _entry(self, key: str, now: float) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None and entry.expires <= now:
            self._drop(key)
            return None
        return entry

    def _replace(self, key: str, entry: _Entry) -> None:
        self._drop(key)
        self._entries[key] = entry
        self._octets += entry.octets

    def _drop(self, key: str) -> None:
        before = self._entries.pop(key, None)
        if before is not None:
            self._octets -= before.octets

    def _has_room(self, entry: _Entry, before: _Entry | None, now: float) -> bool:
        """A session that is here already has an eighth more: it is not lost for a detail."""
        if self._fits(entry, before):
            return True
        for key in [key for key, each in self._entries.items() if each.expires <= now]:
            self._drop(key)
        return self._fits(entry, before)

    def _fits(self, entry: _Entry, before: _Entry | None) -> bool:
        if before is not None:
            return self._octets - before.octets + entry.octets <= self._most_octets * 9 // 8
        return len(self._entries) < self._most and self._octets + entry.octets <= self._most_octets


def _now() -> float:
    return asyncio.get_running_loop().time()
