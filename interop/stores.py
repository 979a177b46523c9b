"""A store of sessions for every user agent of a suite: ``python -m pytest interop/sipp --sessions redis``.

Nothing that a peer sees may change by it, so every suite is to pass with each. KIND is ``memory``,
``sqlite`` (a file each), ``redis`` (a database each, of one server, at a Unix socket: so that it is reached
out of every network namespace) or ``sealed`` (keys each). A user agent that a test gave a store of its own
keeps that. What runs in a process of its own takes no part, but ``sipstack answer`` with ``sqlite``, by its
--session-store.
"""

from __future__ import annotations

import functools
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pytest

from interop.redis import server as redis_server
from sipstack import UserAgent
from sipstack.outcome import Outcome
from sipstack.store.memory import MemoryStore
from sipstack.store.port import SessionStore
from sipstack.store.redis import RedisStore
from sipstack.store.sealed import Sealed
from sipstack.store.sqlite import SqliteStore

KINDS = ("memory", "sqlite", "redis", "sealed")
DATABASES = 4096
"""As many user agents can have one each."""


@attrs.define
class Tally:
    """What was kept by all of them together, some of which run in other threads."""

    counts: Counter[str] = attrs.field(factory=Counter)
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    def add(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def counted(self, done: str, answer: Callable[[Outcome], None]) -> Callable[[Outcome], None]:
        """``answer``, counted as ``done``, or as what it was in place of that."""

        def told(outcome: Outcome) -> None:
            self.add(done if outcome is Outcome.DONE else outcome.name.lower())
            answer(outcome)

        return told


class Counting:
    """Stands in front of a store, and counts."""

    tally: Tally

    async def open(self, node: str) -> None:
        self.tally.add("agents")
        await super().open(node)  # type: ignore[misc]

    def put(
        self, key: str, record: bytes, epoch: int, lifetime: float, answer: Callable[[Outcome], None]
    ) -> None:
        super().put(key, record, epoch, lifetime, self.tally.counted("written", answer))  # type: ignore[misc]

    def forget(self, key: str, epoch: int, answer: Callable[[Outcome], None]) -> None:
        super().forget(key, epoch, self.tally.counted("forgotten", answer))  # type: ignore[misc]


class CountingMemory(Counting, MemoryStore):
    pass


class CountingSqlite(Counting, SqliteStore):
    pass


class CountingRedis(Counting, RedisStore):
    pass


class CountingSealed(Sealed):
    """Counts what it seals."""

    tally: Tally

    def seal(self, key: tuple[str, str, str], values: object, lifetime: float, room: int) -> str:
        """The user part of our Contact."""
        user = super().seal(key, values, lifetime, room)
        self.tally.add("written" if user else "too large")
        return user


@attrs.define
class Switch:
    """Makes the stores. ``socket``: Redis's."""

    kind: str
    folder: Path
    socket: Path | None = None
    tally: Tally = attrs.field(factory=Tally)
    made: int = 0

    def store(self) -> SessionStore | Sealed:
        """One for another user agent."""
        self.made += 1
        store: CountingMemory | CountingSqlite | CountingRedis | CountingSealed
        match self.kind:
            case "memory":
                store = CountingMemory()
            case "sqlite":
                store = CountingSqlite(self.folder / f"agent-{self.made}.db")
            case "redis":
                store = CountingRedis(f"unix://{self.socket}?db={self.made % DATABASES}")
            case _:
                store = CountingSealed([secrets.token_bytes(32)])
                self.tally.add("agents")
        store.tally = self.tally
        return store

    def summary(self) -> str:
        """What the run ends with."""
        counts = self.tally.counts
        parts = [f"{counts['written']} records written"]
        parts += [f"{counts[what]} {what}" for what in ("forgotten", "too large") if counts[what]]
        parts += [f"{counts['conflict']} in conflict", f"{counts['failed']} failed"]
        return f"{counts['agents']} agents kept their sessions in {self.kind}; " + ", ".join(parts)

    @property
    def worked(self) -> bool:
        """Whether something was kept, and all of it."""
        counts = self.tally.counts
        return bool(counts["agents"] and counts["written"]) and not counts["conflict"] + counts["failed"]


@contextmanager
def switched_on(kind: str) -> Iterator[Switch]:
    """Every user agent that is made in the block has a store. Raises UsageError without redis-server."""
    if kind == "redis" and not redis_server.program():
        raise pytest.UsageError("there is no redis-server on PATH (Debian: apt-get install redis-server)")
    with ExitStack() as stack:
        switch = Switch(kind, Path(stack.enter_context(TemporaryDirectory())))
        if kind == "redis":
            switch.socket = switch.folder / "redis.sock"
            options = ("--unixsocket", str(switch.socket), "--databases", str(DATABASES))
            stack.enter_context(redis_server.running(*options))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(UserAgent, "__init__", _given(switch, UserAgent.__init__))
        yield switch


def _given(switch: Switch, begin: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(begin)
    def begin_with_store(self: UserAgent, *arguments: Any, **named: Any) -> None:
        if named.get("sessions") is None:
            named["sessions"] = switch.store()
        begin(self, *arguments, **named)

    return begin_with_store
