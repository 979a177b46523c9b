"""Call records that stand up to an audit: what an application gives to ``UserAgent(records=...)``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sipstack.errors import LocalProtocolError, StoreError
from sipstack.log import CALL
from sipstack.records.chain import OPENED, Head
from sipstack.records.files import SIGNATURES, JsonLines, beside
from sipstack.records.journal import Found, Journal, remember
from sipstack.records.record import CallRecord, writable
from sipstack.records.signatures import Signatures
from sipstack.records.sqlite import ENDINGS, Table
from sipstack.records.writer import Writer

MOST_WAITING = 10_000
"""Calls that wait to be written, such as while the disk is full: those beyond are lost, and that is told."""
PATIENCE = 2.0
FAREWELL = 10.0
"""Seconds that the end waits for the writer."""


class CallRecords:
    """Writes one record of each call to ``path``, when it is over: answered or not, in both directions.

    A record is an entry of a chain: each holds the hash of the one before (SHA-256), and where the chain
    stands is signed (Ed25519) in a file beside it, ``.sig``, each ``every`` records or ``seconds``, and at
    the end. So whoever has the public key finds what was changed, left out, moved or cut off:
    ``sipstack calls verify``. Keep copies of the signatures, or at least of the public key, elsewhere: who
    may write all of the files could begin them anew.

    ``path``: JSON lines, or a table of SQLite where it ends in ``.sqlite``, ``.sqlite3`` or ``.db``. ``key``:
    a file with the private key, made on first use with the public one beside it as ``.pub``; if not given,
    ``path`` with ``.key``. Numbers, URIs and addresses of people enter as salted commitments; what opens them
    stands apart, in ``.clear`` or another table, and can be deleted (``sipstack calls redact``). ``rotate``:
    octets after which a file of JSON lines is closed, and another begun. ``keep``: seconds after which
    closed files, and old rows, are dropped, after a signed word on that; files are then closed after a
    quarter of it, too. ``on_failure``: called with the error when a record cannot be written; calls go on, it
    is tried again, and what finds no room meanwhile is counted in the chain.

    One chain is that of one user agent: each process and node has files of its own, and
    ``sipstack calls export`` merges them. Needs the extra ``sessions``.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        key: str | Path | None = None,
        every: int = 64,
        seconds: float = 5.0,
        rotate: int = 16_777_216,
        keep: float | None = None,
        on_failure: Callable[[Exception], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if every < 1 or seconds <= 0 or rotate < 1 or (keep is not None and keep <= 0):
            raise LocalProtocolError("every, seconds, rotate and keep of call records are positive")
        self.path = Path(path)
        self.clock = clock
        """Seconds since 1970."""
        self._key = Path(key) if key is not None else beside(self.path, ".key")
        self._every = every
        self._seconds = seconds
        self._rotate = rotate
        self._keep = keep
        self._on_failure = on_failure
        self._calls: dict[str, int] = {}
        self._then: list[Callable[[], None]] = []
        self._waits = False  # somebody does, for all of these
        self._writer: Writer | None = None
        self._journal: Journal | None = None
        self._signatures: Signatures | None = None

    def __repr__(self) -> str:
        return f"<CallRecords {self.path}>"

    async def open(self, node: str) -> None:
        """Begin, or go on after the last whole line. ``node`` is the name of this process among others.
        Raises StoreError, LocalProtocolError.
        """
        if self._writer is not None:
            raise LocalProtocolError("these call records are written already: each user agent has its own")
        loop = asyncio.get_running_loop()

        def failed(error: Exception) -> None:
            _call(loop, self._tell, error)

        def recovered() -> None:
            _call(loop, CALL.info, "call records are written again to %s", self.path)

        self._writer = await loop.run_in_executor(None, self._begin, node, failed, recovered)
        self._writer.start()

    def _begin(self, node: str, failed: Callable[[Exception], None], recovered: Callable[[], None]) -> Writer:
        from sipstack.records.signing import Signer

        signer = Signer.at(self._key)
        is_table = self.path.suffix in ENDINGS
        journal: Journal = Table(self.path) if is_table else JsonLines(self.path, self._rotate)
        signatures = Signatures(beside(self.path, SIGNATURES), signer)
        try:
            signatures.open()
            try:
                found = journal.open()
                head = found.head or Head(os.urandom(16).hex())
                writer = Writer(
                    journal,
                    signatures,
                    head,
                    every=self._every,
                    seconds=self._seconds,
                    keep=self._keep,
                    clock=self.clock,
                    failed=failed,
                    recovered=recovered,
                )
                _check_signed(self.path, signatures, found)
                writer.begin(OPENED, self._opened(node, signer.public, signatures, found))
            except BaseException:
                journal.close()
                raise
        except (OSError, sqlite3.Error) as error:
            signatures.close()
            raise StoreError(f"call records cannot be written to {self.path}: {error}") from None
        except BaseException:
            signatures.close()
            raise
        self._calls, self._journal, self._signatures = found.calls, journal, signatures
        return writer

    def _opened(self, node: str, public: str, signatures: Signatures, found: Found) -> dict[str, object]:
        signed = -1 if signatures.last is None else signatures.last.number
        unsigned = 0 if found.head is None else found.head.number - signed
        if found.torn:
            CALL.warning("%s: the last line was not whole, and is left out", self.path)
        if unsigned:
            CALL.warning("%s: the last %s entries were not signed", self.path, unsigned)
        return {
            "node": writable(node),
            "public": public,
            "every": self._every,
            "torn": found.torn,
            "unsigned": unsigned,
        }

    # -- in the event loop ---------------------------------------------------------------------------------

    def written(self, key: str) -> bool:
        """Whether there is a record of this call already, among the latest 65,536: see ``CallRecord.key``."""
        return key in self._calls

    def write(self, record: CallRecord) -> None:
        """Have ``record`` written. Does not wait, and raises nothing. A second record of a call is left out,
        unless the call was taken over since.
        """
        writer = self._writer
        key = record.key
        if writer is None:
            CALL.warning("%s: there is no record of the call, for its user agent was left", record.call_id)
        elif self._calls.get(key, -1) >= record.epoch:
            CALL.info("%s: there is a record of the call already", record.call_id)
        elif writer.waiting.qsize() >= MOST_WAITING or not writer.is_alive():
            writer.turned_away += 1
            CALL.warning("%s: there is no room for the record of the call", record.call_id)
        else:
            values = record.as_values()
            remember(self._calls, values)
            writer.waiting.put(values)

    def when_written(self, then: Callable[[], None]) -> None:
        """Call ``then`` once all that was given until now is on the disk, or cannot be written for now; after
        two seconds at the latest.
        """
        self._then.append(then)
        if not self._waits:
            self._wait()

    def _wait(self) -> None:
        writer = self._writer
        then, self._then = self._then, []
        if writer is None or writer.fails or not writer.is_alive():
            _call_each(then)
            return
        passed = threading.Event()
        writer.waiting.put(passed)
        self._waits = True
        # one thread waits for all who ask meanwhile
        waiting = asyncio.get_running_loop().run_in_executor(None, passed.wait, PATIENCE)
        waiting.add_done_callback(lambda _: self._go_on(then))

    def _go_on(self, then: list[Callable[[], None]]) -> None:
        self._waits = False
        if self._then:
            self._wait()
        _call_each(then)

    def _tell(self, error: Exception) -> None:
        CALL.warning("call records cannot be written to %s: %s", self.path, error)
        if self._on_failure is not None:
            self._on_failure(error)

    async def close(self) -> None:
        """Write what waits, sign the end, and close. Does nothing when it is not open."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.stop()
        await asyncio.get_running_loop().run_in_executor(None, self._end, writer)

    def _end(self, writer: Writer) -> None:
        writer.join(FAREWELL)
        if writer.unwritten:
            CALL.warning("%s calls could not be recorded in %s", writer.unwritten, self.path)
        if not writer.is_alive() and self._journal is not None and self._signatures is not None:
            self._journal.close()
            self._signatures.close()


def _check_signed(path: Path, signatures: Signatures, found: Found) -> None:
    """What was signed is there."""
    last, head = signatures.last, found.head
    if last is None:
        return
    if head is None or head.number < last.number:
        raise StoreError(f"{path} ends before entry {last.number}, which was signed: its end was cut off")
    if head.chain != last.chain or (head.number == last.number and head.hash != last.hash):
        raise StoreError(f"{path} is not the chain that {beside(path, SIGNATURES)} has signed")


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: object) -> None:
    """In the event loop, unless that is closed."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *arguments)


def _call_each(functions: list[Callable[[], None]]) -> None:
    for function in functions:
        function()
