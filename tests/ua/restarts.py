"""Processes that die and are started again, and stores that fail: for what survives that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sipstack.outcome import Absent, Outcome
from sipstack.store.memory import MemoryStore
from sipstack.store.port import Listed, Taken
from sipstack.ua.agent import UserAgent


async def kill(agent: UserAgent) -> None:
    """Leave ``agent`` as kill -9 does: it says nothing more, to anybody. Its block may be left afterwards."""
    runtime = agent._runtime
    runtime.driver._draining = True  # whatever the core puts out from now on is not done
    if runtime.kept is not None:
        runtime.kept.store = Mute()
    agent._sessions = None
    for endpoint in runtime.driver.endpoints:
        endpoint.close()
    runtime.grace.seconds = 0.0
    await agent.__aexit__(None, None, None)


class Mute:
    """A store that does not answer."""

    async def open(self, node: str) -> None:
        """There is nothing to open."""

    async def close(self) -> None:
        """There is nothing to close."""

    def put(
        self, key: str, record: bytes, epoch: int, lifetime: float, answer: Callable[[Outcome], None]
    ) -> None:
        """Nobody hears it."""

    def forget(self, key: str, epoch: int, answer: Callable[[Outcome], None]) -> None:
        """Nobody hears it."""

    def take_over(self, key: str, answer: Callable[[Taken | Absent], None], epoch: int | None = None) -> None:
        """No."""

    def read(self, key: str, answer: Callable[[Taken | Absent], None]) -> None:
        """No."""

    def owned(self, answer: Callable[[list[Listed] | Absent], None]) -> None:
        """Nobody hears it."""

    def orphaned(self, most: int, answer: Callable[[list[Listed] | Absent], None], kind: str = "") -> None:
        """Nobody hears it."""


class Trouble(MemoryStore):
    """``down``: everything fails. ``late``: answers take so many seconds. ``writes``: how many were asked."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False
        self.late = 0.0
        self.writes = 0

    def put(
        self, key: str, record: bytes, epoch: int, lifetime: float, answer: Callable[[Outcome], None]
    ) -> None:
        self.writes += 1
        put = super().put
        self._do(lambda done: put(key, record, epoch, lifetime, done), answer, Outcome.FAILED)

    def take_over(self, key: str, answer: Callable[[Taken | Absent], None], epoch: int | None = None) -> None:
        take_over = super().take_over
        self._do(lambda done: take_over(key, done, epoch), answer, Absent.FAILED)

    def read(self, key: str, answer: Callable[[Taken | Absent], None]) -> None:
        read = super().read
        self._do(lambda done: read(key, done), answer, Absent.FAILED)

    def _do(self, ask: Callable[[Any], None], answer: Callable[[Any], None], failed: object) -> None:
        def do() -> None:
            if self.down:
                answer(failed)
            else:
                ask(answer)

        if self.late:
            asyncio.get_running_loop().call_later(self.late, do)
        else:
            do()


def keys(store: MemoryStore) -> list[str]:
    """What is there, and was not withdrawn."""
    return sorted(key for key, entry in store._entries.items() if entry.record != b'{"is":null}')


def octets(store: MemoryStore) -> bytes:
    """All that who reads the store can read."""
    return b"\n".join(entry.record or b"" for entry in store._entries.values())
