"""Sessions in a file of SQLite: they outlive the process, on this machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sipstack.errors import StoreError
from sipstack.outcome import Absent, Outcome
from sipstack.store.port import TOMBSTONE, Listed, Taken
from sipstack.store.sqlite_asks import Answer, Ask, Orphaned, Owned, Read, TakeOver, Write, key_octets
from sipstack.store.store_time import MachineClock

if TYPE_CHECKING:
    from sipstack.store.sqlite_writer import Writer

MOST_WAITING = 10_000
"""What may wait for the disk, in number; more has failed at once. At 500 calls a second it is ten seconds."""
MOST_OCTETS = 32 * 2**20
"""The same in octets."""
CLOSING = 5.0
"""Seconds that what is under way at the end gets."""

SYNCHRONOUS = {"machine": "FULL", "process": "NORMAL"}


class SqliteStore:
    """Keeps sessions in the file at ``path``, which is made, readable for its owner alone, where there is
    none. Several processes of one machine may share it; it has to be on a disk of this machine. Beside it
    are two files, -wal and -shm, which belong to it.

    Its promise, by ``durability``, of everything that was answered:

    - "machine": it outlives the machine (a power failure), as far as the disk keeps what it was told to.
      Each batch waits for the disk.
    - "process": it outlives the process (kill -9, a crash of Python). With the machine, what was written
      since the disk was last waited for is lost: that is done each thousand pages, or few hundred calls.

    One thread writes, a batch at a time, and whatever waits meanwhile is the next batch, five milliseconds
    later or more. Measured on two busy cores and a virtual disk, with records of 700 octets, for "process"
    and "machine" (interop/bench/stores.py): one that comes alone takes 0.3 and 0.9 ms, at the 99th percentile
    3 and 41; 200 at once are 30,000 and 23,000 writes a second, each of 5 and 9 ms, at the 99th percentile 23
    and 18. 100,000 sessions are a file of 90 MiB, which is opened and looked through in 0.2 s.

    What it cannot do within 1.5 s has FAILED, such as while another process has the file locked, or the disk
    is full. The log ``sipstack.store`` says so once, and once that all is well again. Time is the machine's,
    which no setting of the clock moves; while the machine is off, five minutes pass at the most.

    Keys begin with the kind of what is kept, as in "session ...": the same file has other kinds beside them,
    such as "registration ...", and who lists takes those that are his.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Literal["machine", "process"] = "machine",
        clock: MachineClock | None = None,
    ) -> None:
        """``clock`` is for tests."""
        if durability not in SYNCHRONOUS:
            raise ValueError(f'durability is "machine" or "process", not {durability!r}')
        self._path = Path(path)
        self._durability = durability
        self._clock = clock or MachineClock()
        self._writer: Writer | None = None
        self._ended: asyncio.Future[None] | None = None
        self._closing = False
        self._waiting = self._octets = 0

    async def open(self, node: str) -> None:
        """Begin. Raises StoreError, which says what to do."""
        if self._ended is not None and not self._ended.done():
            raise StoreError("the store is open already: each user agent needs one of its own")
        from sipstack.store.sqlite_file import SqliteFile  # sqlite3 is loaded where it is used
        from sipstack.store.sqlite_trouble import Trouble
        from sipstack.store.sqlite_writer import Writer

        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        self._ended = ended = loop.create_future()
        self._closing = False

        def told(error: Exception | None) -> None:
            if opened.done():  # nobody waits any more
                return
            if error is None:
                opened.set_result(None)
            else:
                opened.set_exception(error)

        def on_loop(method: Callable[..., None], *arguments: object) -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(method, *arguments)

        self._writer = Writer(
            SqliteFile(self._path, node, SYNCHRONOUS[self._durability], self._clock),
            Trouble(self._path),
            self._clock,
            opened=lambda error: on_loop(told, error),
            answered=lambda answers: on_loop(self._answer, answers),
            ended=lambda: on_loop(self._over, ended),
        )
        try:
            await opened
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Do what is under way, and end; after 5 s without it."""
        if self._writer is None or self._ended is None:
            return
        if not self._closing:
            self._closing = True
            self._writer.stop()
        await asyncio.wait([self._ended], timeout=CLOSING)
        self._over(self._ended)

    # -- what is asked -------------------------------------------------------------------------------------

    def put(
        self, key: str, record: bytes, epoch: int, lifetime: float, answer: Callable[[Outcome], None]
    ) -> None:
        self._ask(Write(key_octets(key), record, epoch, lifetime, answer))

    def forget(self, key: str, epoch: int, answer: Callable[[Outcome], None]) -> None:
        self._ask(Write(key_octets(key), None, epoch, TOMBSTONE, answer))

    def take_over(self, key: str, answer: Callable[[Taken | Absent], None], epoch: int | None = None) -> None:
        self._ask(TakeOver(key_octets(key), answer, epoch))

    def read(self, key: str, answer: Callable[[Taken | Absent], None]) -> None:
        self._ask(Read(key_octets(key), answer))

    def owned(self, answer: Callable[[list[Listed] | Absent], None]) -> None:
        self._ask(Owned(answer))

    def orphaned(self, most: int, answer: Callable[[list[Listed] | Absent], None], kind: str = "") -> None:
        self._ask(Orphaned(most, answer, key_octets(kind)))

    def _ask(self, ask: Ask[Any]) -> None:
        octets = self._octets + ask.octets
        if self._writer is None or self._closing or self._waiting >= MOST_WAITING or octets > MOST_OCTETS:
            ask.answer(ask.failed)
            return
        self._waiting += 1
        self._octets = octets
        self._writer.ask(ask)

    # -- what is answered ----------------------------------------------------------------------------------

    def _answer(self, answers: list[Answer]) -> None:
        for ask, found in answers:
            if ask.is_answered:  # it came after the end
                continue
            ask.is_answered = True
            self._waiting -= 1
            self._octets -= ask.octets
            try:
                ask.answer(found)
            except Exception as error:
                told = {"message": "what a store answered was not taken", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)

    def _over(self, ended: asyncio.Future[None]) -> None:
        """The thread has ended, or hangs: what it leaves has failed."""
        if ended is not self._ended:  # it hung, and there is another one now
            return
        writer, self._writer = self._writer, None
        if writer is not None:
            self._answer([(ask, ask.failed) for ask in writer.left()])
        if not ended.done():
            ended.set_result(None)
