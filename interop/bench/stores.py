"""What stores of sessions carry on this machine: ``python -m interop.bench.stores [FOLDER]``.

A call is a record of 700 octets that is put and, when 5,000 others have come, forgotten. So many wait for
their answer at once; where it is one, it comes fifty times a second, and is a commit of its own. FOLDER is on
the disk that is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from sipstack.outcome import Outcome
from sipstack.store.memory import MemoryStore
from sipstack.store.port import SessionStore
from sipstack.store.sqlite import SqliteStore

RECORD = bytes(range(250)) * 3
HELD = 5_000
AT_ONCE = (1, 20, 200)
SECONDS = 4.0
ALONE = 0.02
"""Seconds between those that come one by one."""


@attrs.frozen
class Carried:
    """``latencies``: seconds of each that was asked, in order of size. ``cpu``: seconds of the process."""

    seconds: float
    latencies: list[float]
    cpu: float

    def __str__(self) -> str:
        count = len(self.latencies)
        p50, p99 = (1000 * self.latencies[count * part // 100] for part in (50, 99))
        rate, cpu = count / self.seconds, 1e6 * self.cpu / count
        return f"{rate:8.0f}/s  p50 {p50:6.2f} ms  p99 {p99:6.2f} ms  {cpu:5.1f} µs of CPU each"


async def carried(store: SessionStore, at_once: int, seconds: float) -> Carried:
    """Puts and forgets, as many as can be."""
    latencies: list[float] = []
    begun, cpu = time.perf_counter(), time.process_time()

    async def timed(method: Callable[..., None], *arguments: Any) -> None:
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        asked = time.perf_counter()
        method(*arguments, answer.set_result)
        if await answer is not Outcome.DONE:
            raise RuntimeError("the store could not keep it")
        latencies.append(time.perf_counter() - asked)

    async def calls(first: int) -> None:
        number = first
        while time.perf_counter() < begun + seconds:
            await timed(store.put, _key(number), RECORD, 0, 1800.0)
            if number >= HELD:
                await timed(store.forget, _key(number - HELD), 0)
            number += at_once
            if at_once == 1:
                await asyncio.sleep(ALONE)

    await asyncio.gather(*map(calls, range(at_once)))
    return Carried(time.perf_counter() - begun, sorted(latencies), time.process_time() - cpu)


def _key(number: int) -> str:
    """As long as they are, and as scattered."""
    return f"session {hash((number, 'call')):032x} {number:010d} {hash((number, 'tag')):010x}"


async def measured(store: SessionStore, at_once: int, seconds: float) -> Carried:
    """What the store carries, from the beginning of a file."""
    await store.open("node-1")
    try:
        return await carried(store, at_once, seconds)
    finally:
        await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="a folder on the disk that is measured")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each figure (default: 4)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for at_once in AT_ONCE:
            stores: dict[str, Callable[[], SessionStore]] = {
                "memory": lambda: MemoryStore(10**7, 2**34),
                "sqlite, process": lambda: SqliteStore(Path(folder) / "process.db", durability="process"),
                "sqlite, machine": lambda: SqliteStore(Path(folder) / "machine.db"),
            }
            for name, store in stores.items():
                found = asyncio.run(measured(store(), at_once, options.seconds))
                print(f"{at_once:4d} at once  {name:16} {found}")  # noqa: T201
                for path in Path(folder).iterdir():
                    path.unlink()


if __name__ == "__main__":
    main()
