"""The one thread that writes the chain of a node: takes what waits in batches, and signs."""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

from sipstack.errors import SipError
from sipstack.records.chain import CALL, CLOSED, DROPPED, LOST, Entry, Head
from sipstack.records.commitment import Opening, committed
from sipstack.records.journal import Journal
from sipstack.records.signatures import Signatures

AGAIN = 2.0
"""Seconds until what could not be written is tried again."""
FAILURES = (OSError, sqlite3.Error, SipError)
PART = 0.25
"""Of the time that entries are kept: a file is closed that is older."""
LOOK_FOR_OLD = 3600.0
"""Seconds between two looks for entries that are to be dropped."""


Item = dict[str, Any] | threading.Event | None
"""The values of a call; an event to be set once everything before it is on the disk, or cannot be written;
None to look at what else there is.
"""


class Writer(threading.Thread):
    """Writes what is ``waiting``, in order. ``failed`` and ``recovered`` are called in this thread.

    ``every``: entries between two signatures at the most; ``seconds``: how long one may stay without;
    ``keep``: seconds after which closed parts are dropped.
    """

    def __init__(
        self,
        journal: Journal,
        signatures: Signatures,
        head: Entry | Head,
        *,
        every: int,
        seconds: float,
        keep: float | None,
        clock: Callable[[], float],
        failed: Callable[[Exception], None],
        recovered: Callable[[], None],
    ) -> None:
        super().__init__(name="sipstack call records", daemon=True)
        self.waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self.stopping = threading.Event()
        self.turned_away = 0
        """Calls that found no room: counted in the event loop."""
        self._journal = journal
        self._signatures = signatures
        self._head = head
        self._every = every
        self._seconds = seconds
        self._keep = keep
        self._clock = clock
        self._failed = failed
        self._recovered = recovered
        self._told = 0  # of those, the chain tells so many
        self._batch: list[dict[str, Any]] = []
        self._passed: list[threading.Event] = []
        self._unsigned = 0
        self._sign_at: float | None = None  # by time.monotonic
        self._look_at = time.monotonic()
        self.fails = False
        """Whether nothing can be written for now."""
        self.unwritten = 0
        """Calls that were not written when it ended."""

    def begin(self, kind: str, body: dict[str, Any]) -> None:
        """The first entry, signed before anything else is written. Raises what fails."""
        self._append([(kind, body, [])])
        self._sign()

    def stop(self) -> None:
        """End: write what waits, and sign the end."""
        self.stopping.set()
        self.waiting.put(None)

    def run(self) -> None:
        try:
            while self._turn():
                pass
        except Exception as error:  # a fault of ours: calls go on without records, and that is told
            self._failed(error)
        while not self.waiting.empty():
            self._take_one(self.waiting.get_nowait())
        self._pass()
        self.unwritten = len(self._batch) + self._lost

    def _turn(self) -> bool:
        """Returns whether to go on."""
        last = self._take()
        try:
            if self._unsigned < self._every and (self._batch or self._lost):
                self._write()
            if not self._batch:
                self._pass()
            due = self._sign_at is not None and time.monotonic() >= self._sign_at
            if self._unsigned >= self._every or due:
                self._sign()
            if self._journal.is_full(self._limit(PART)):
                if self._unsigned:
                    self._sign()
                self._journal.turn()
            if self._keep is not None and time.monotonic() >= self._look_at:
                self._drop()
            if last and not self._batch and self.waiting.empty() and not self._lost:
                self._append([(CLOSED, {}, [])])
                self._sign(end=True)
                self._tell_recovery()
                return False
        except FAILURES as error:
            self._pass()
            if not self.fails:
                self.fails = True
                self._failed(error)
            if last:
                return False  # nobody waits for better times
            self.stopping.wait(AGAIN)
            return True
        self._tell_recovery()
        return True

    def _tell_recovery(self) -> None:
        if self.fails:
            self.fails = False
            self._recovered()

    def _take(self) -> bool:
        """Wait for the next calls. Returns whether they are the last."""
        room = max(self._every - self._unsigned, 1)
        if not self._batch:
            try:
                self._take_one(self.waiting.get(timeout=self._patience()))
            except queue.Empty:
                return self.stopping.is_set()
        while len(self._batch) < room:
            try:
                self._take_one(self.waiting.get_nowait())
            except queue.Empty:
                break
        return self.stopping.is_set()

    def _take_one(self, item: Item) -> None:
        if isinstance(item, threading.Event):
            self._passed.append(item)
        elif item is not None:
            self._batch.append(item)

    def _pass(self) -> None:
        for event in self._passed:
            event.set()
        self._passed.clear()

    def _patience(self) -> float | None:
        if self.stopping.is_set():
            return 0.0
        if self._sign_at is None and self._keep is None:
            return None
        until = min(self._sign_at or self._look_at, self._look_at if self._keep is not None else float("inf"))
        return max(until - time.monotonic(), 0.0)

    @property
    def _lost(self) -> int:
        return self.turned_away - self._told

    def _write(self) -> None:
        lost = self._lost
        if lost:
            self._append([(LOST, {"calls": lost}, [])])
            self._told += lost
        else:
            self._append([(CALL, *committed(values, os.urandom)) for values in self._batch])
            self._batch = []

    def _append(self, rows: list[tuple[str, dict[str, Any], list[Opening]]]) -> None:
        head, entries, openings = self._head, [], []
        at = self._now()
        for kind, body, own in rows:
            head = Entry.after(head, kind, body, at)
            entries.append(head)
            openings += own
        self._journal.write(entries, openings)
        self._head = head
        self._unsigned += len(entries)
        if self._sign_at is None:
            self._sign_at = time.monotonic() + self._seconds

    def _sign(self, *, end: bool = False) -> None:
        self._signatures.sign(self._head, self._now(), end=end)
        self._unsigned, self._sign_at = 0, None

    def _drop(self) -> None:
        """First it is said and signed what is dropped, then it is dropped."""
        self._look_at = time.monotonic() + LOOK_FOR_OLD
        limit = self._limit(1.0)
        old = self._journal.older(limit) if limit is not None else None
        if old is not None:
            self._append([(DROPPED, {"last": old.last, "hash": old.hash}, [])])
            self._sign()
            self._journal.drop(old)

    def _limit(self, part: float) -> int | None:
        """What is older than this part of the time to keep it."""
        return None if self._keep is None else self._now() - int(self._keep * part * 1000)

    def _now(self) -> int:
        return int(self._clock() * 1000)
