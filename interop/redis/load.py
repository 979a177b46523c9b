"""What asks a store at a rate, and remembers what it was told and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import attrs

from sipstack.outcome import Absent, Outcome
from sipstack.store.port import SessionStore, Taken

RECORD = b"r" * 600
"""About what a call takes."""
TURN = 0.005


@attrs.define
class Put:
    """One that was asked for; ``took`` is None until it is answered."""

    key: str
    asked: float
    outcome: Outcome | None = None
    took: float | None = None

    def told(self, outcome: Outcome) -> None:
        assert self.outcome is None, "it was answered before"
        self.outcome = outcome
        self.took = asyncio.get_running_loop().time() - self.asked


@attrs.define
class Load:
    """Puts a new record under a new key, ``rate`` times a second. Times are those of the loop."""

    store: SessionStore
    rate: float = 200.0
    name: str = "call"
    puts: list[Put] = attrs.field(factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Load]:
        """Meanwhile; behind the block all have been answered."""
        task = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait([task])
        await answered(lambda: all(put.outcome is not None for put in self.puts))

    async def _run(self) -> None:
        began = now()
        while True:
            while len(self.puts) < (now() - began) * self.rate:
                put = Put(f"{self.name} {len(self.puts)}", now())
                self.puts.append(put)
                self.store.put(put.key, RECORD, 0, 600.0, put.told)
            await asyncio.sleep(TURN)

    def between(self, begin: float, end: float) -> list[Put]:
        """Those that were asked for in that time."""
        return [put for put in self.puts if begin <= put.asked < end]

    @property
    def slowest(self) -> float:
        return max(put.took for put in self.puts if put.took is not None)


def outcomes(puts: list[Put]) -> set[Outcome | None]:
    return {put.outcome for put in puts}


def done(puts: list[Put]) -> list[Put]:
    return [put for put in puts if put.outcome is Outcome.DONE]


async def missing(store: SessionStore, puts: list[Put]) -> list[Put]:
    """Those of ``puts`` that the store does not have. It takes the others over."""
    found: dict[str, Taken | Absent] = {}
    for number, put in enumerate(puts, 1):
        store.take_over(put.key, partial(found.__setitem__, put.key))
        if number % 1000 == 0 or number == len(puts):
            await answered(partial(_all, found, number))
    assert Absent.FAILED not in found.values()
    return [put for put in puts if found[put.key] is Absent.UNKNOWN]


async def answered(holds: Callable[[], bool]) -> None:
    until = now() + 5
    while not holds():
        assert now() < until, "not all was answered"
        await asyncio.sleep(TURN)


def _all(found: dict[str, Taken | Absent], number: int) -> bool:
    return len(found) == number


def now() -> float:
    return asyncio.get_running_loop().time()
