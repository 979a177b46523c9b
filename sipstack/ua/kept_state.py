"""What survives a restart beside calls: bindings, subscriptions, publications, conversations, secrets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import blake2b
from typing import TypeVar
from urllib.parse import quote

from sipstack.errors import ParseError
from sipstack.identifiers import Identifiers
from sipstack.log import TRANSACTION
from sipstack.outcome import Absent, Outcome
from sipstack.store.port import SessionStore, Taken
from sipstack.ua.keeping import Form
from sipstack.ua.result import Result

T = TypeVar("T")

PATIENCE = 1.5
"""Seconds that the beginning of something waits for the store. Then it begins as if nothing had been kept."""
AGAIN = 8.0
"""Seconds until a write that failed is tried again."""
GONE = 1.0
"""Seconds that it is kept that there is nothing: no tombstone, for it may begin anew at once."""
SKIPPED = 10
"""CSeq numbers that are left out after a restart: who died may have used some beyond the record."""
LONGEST = 366 * 86400.0
"""Seconds that something is kept which has no end of its own."""
LONGEST_KEY = 256


class Kept:
    """One thing in the store, which is ours. A later write takes the place of one that still waits, so there
    is one at a time, however often the thing changes.

    ``values``: what was kept when we began, ``age`` seconds ago; None where there was nothing.
    ``lost`` is called when another process has taken it over: nothing is written any more.
    """

    def __init__(self, state: KeptState, key: str) -> None:
        self.values: object | None = None
        self.age = 0.0
        self.lost: Callable[[], None] | None = None
        self._state = state
        self._key = key
        self._epoch: int | None = None  # None: the store has not said it yet
        self._latest: tuple[bytes, float] | None = None  # and until when it is good
        self._wanted: tuple[bytes, float] | None = None  # the latest, until it is on its way
        self._busy = False
        self._over = False
        self._complained = False
        self._again: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Kept {self._key!r}>"

    def began(self, found: Taken | Absent) -> None:
        """What the store has of it."""
        if isinstance(found, Taken):
            self._epoch, self.age, self.values = found.epoch, found.age, self._state.read(self._key, found)
        elif found is Absent.UNKNOWN:
            self._epoch = 0

    def recalled(self, read: Callable[[object, float], T | None]) -> T | None:
        """What ``read`` makes of what was kept; None where that is nothing, or none."""
        try:
            return read(self.values, self.age)
        except ParseError as error:
            TRANSACTION.warning("%s: its record cannot be read: %s", self._key, error)
            return None

    def put(self, values: object, lifetime: float) -> None:
        """Keep ``values`` for so many seconds."""
        if not self._over:
            self._latest = self._wanted = self._state.form.encode({"is": values}), _now() + lifetime
            self._write()

    def forget(self) -> None:
        """It is withdrawn: a restart begins from nothing. Later ``put`` keeps it again."""
        self._latest = self._wanted = None
        self._stop()
        if self._epoch is not None and not self._over:
            gone = self._state.form.encode({"is": None})
            self._state.store.put(self._key, gone, self._epoch, GONE, _nothing)

    def release(self) -> None:
        """It is over here, and stays as it is in the store."""
        wanted, self._wanted = self._wanted, None
        if wanted is not None and self._epoch is not None and not self._over:
            self._state.store.put(self._key, wanted[0], self._epoch, max(GONE, wanted[1] - _now()), _nothing)
        self._over, self.lost = True, None
        self._stop()
        self._state.released(self._key)

    # -- writing -------------------------------------------------------------------------------------------

    def _write(self) -> None:
        if self._busy or self._wanted is None or self._over:
            return
        self._stop()
        record, until = self._wanted
        left = until - _now()
        if left <= 0:
            return
        self._busy = True
        if self._epoch is None:  # there may be one of before, which nobody could tell us of
            self._state.store.take_over(self._key, self._caught_up)
        else:
            self._wanted = None
            self._state.store.put(self._key, record, self._epoch, left, self._written)

    def _caught_up(self, found: Taken | Absent) -> None:
        self._busy = False
        if isinstance(found, Taken):
            self._epoch = found.epoch
        elif found is Absent.UNKNOWN:
            self._epoch = 0
        else:
            self._failed()
            return
        self._write()

    def _written(self, outcome: Outcome) -> None:
        self._busy = False
        if self._over:
            return
        match outcome:
            case Outcome.DONE:
                self._complained = False
                self._write()
            case Outcome.CONFLICT:
                TRANSACTION.warning("%s: another process goes on with it", self._key)
                self._over, self._wanted = True, None
                asyncio.get_running_loop().call_soon(self._tell)  # not while the success is dealt with
            case Outcome.FAILED:
                self._wanted = self._latest
                self._failed()
            case Outcome.TOO_LARGE:
                TRANSACTION.warning("%s is not kept: it is larger than its store", self._key)
                self._write()

    def _tell(self) -> None:
        if self.lost is not None:
            self.lost()

    def _failed(self) -> None:
        if not self._complained:
            self._complained = True
            TRANSACTION.warning("%s is not kept, for its store fails: it is tried again", self._key)
        if not self._over:
            self._again = asyncio.get_running_loop().call_later(AGAIN, self._write)

    def _stop(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None


class KeptState:
    """Where a user agent keeps what it has beside calls, under keys that begin with what they are.

    Whose a thing is follows from its key. A **binding** has the node's name in it, for its Contact is the
    node's: each node of a cluster has one of its own, and goes on with it after a restart. So do a
    **subscription** and a **publication**: each node that asked for it uses it, and a second one that begins
    must take nothing away from the first, which lives. What a node had that does not come back runs out at
    the server. The **instance** is the node's as well (RFC 5626: which device). A **conversation** has no
    node, since a peer writes to the cluster: who gets its next text goes on with it, and who had it before
    ends as soon as it writes under its lower epoch. A **secret** has neither node nor owner: all read it.

    Nodes that share a store have different names, and a process that runs twice at a time under one name
    takes its own things away from itself.
    """

    def __init__(self, store: SessionStore, form: Form, node: str) -> None:
        self.store = store
        self.form = form
        self.node = node
        self._in_use: set[str] = set()
        self._instance = asyncio.Lock()

    async def claim(self, kind: str, *parts: str, everywhere: bool = False) -> Kept | None:
        """What is kept of this kind under these names, ours from now on; None while we have it already.
        ``everywhere``: it is not this node's alone. Waits for the store, a moment at the most.
        """
        key = key_of(kind, *(() if everywhere else (self.node,)), *parts)
        if key in self._in_use:
            return None
        self._in_use.add(key)
        try:
            kept = Kept(self, key)
            kept.began(await self.take(key))
        except BaseException:
            self._in_use.discard(key)
            raise
        return kept

    async def instance(self, identifiers: Identifiers) -> str:
        """The instance-id of this node: the same after a restart."""
        async with self._instance:
            key = key_of("instance", self.node)
            found = await self.take(key)
            urn = self.read(key, found) if isinstance(found, Taken) else None
            if not isinstance(urn, str):
                urn = identifiers.instance()
            if found is not Absent.FAILED:  # one that nobody could tell us of is not written over
                await self.write(key, urn, found.epoch if isinstance(found, Taken) else 0, LONGEST)
            return urn

    # -- the store, whose answers are waited for -----------------------------------------------------------

    async def take(self, key: str) -> Taken | Absent:
        """Take over what is there. FAILED where the store says nothing for too long."""
        found: Result[Taken | Absent] = Result()
        self.store.take_over(key, found.set)
        return await _within_patience(found, Absent.FAILED)

    async def write(self, key: str, values: object, epoch: int, lifetime: float) -> Outcome:
        """Keep ``values``. FAILED where the store says nothing for too long."""
        done: Result[Outcome] = Result()
        self.store.put(key, self.form.encode({"is": values}), epoch, lifetime, done.set)
        return await _within_patience(done, Outcome.FAILED)

    def read(self, key: str, taken: Taken) -> object | None:
        """The values of a record; None where it was withdrawn, or is none."""
        try:
            record = self.form.decode(taken.record)
        except ParseError as error:
            TRANSACTION.warning("%s: its record cannot be read: %s", key, error)
            return None
        return record.get("is") if isinstance(record, dict) else None

    def released(self, key: str) -> None:
        """``key`` is in use no more."""
        self._in_use.discard(key)


def key_of(kind: str, *parts: str) -> str:
    """The key as the store sees it. It is bounded, for a name may come from the network."""
    octets = (part.encode("utf-8", "surrogateescape") for part in parts)
    text = " ".join((kind, *(quote(part, safe="/:;,=?@&+$!*'()[]<>") for part in octets)))
    if len(text) <= LONGEST_KEY:
        return text
    return f"{kind} {blake2b(text.encode(), digest_size=32).hexdigest()}"


async def _within_patience(result: Result[T], otherwise: T) -> T:
    try:
        async with asyncio.timeout(PATIENCE):
            return await result
    except TimeoutError:
        return otherwise


def _now() -> float:
    return asyncio.get_running_loop().time()


def _nothing(outcome: Outcome) -> None:
    """It may as well run out."""
