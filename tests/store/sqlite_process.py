"""A process that uses an SQLite store, for tests that kill it: ``python -m tests.store.sqlite_process``.

``keep``: puts, takes over and forgets without an end, and writes a line for each answer: the promise of the
store. ``race``: at a signal on its standard input, takes over each of fifty records and writes it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial

from sipstack.outcome import Outcome
from sipstack.store.sqlite import SqliteStore
from tests.store.conformance import asked, put

AT_ONCE = 50


def say(*words: object) -> None:
    """One write of the system, so that a line is whole or not there."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def keep(path: str, node: str) -> None:
    """Each key is put three times under growing numbers; every second is forgotten at the end."""
    store = SqliteStore(path, durability="process")
    await store.open(node)
    say("ready")

    async def one(number: int) -> None:
        key = f"{node} {number}"
        for state in range(3):
            if await put(store, key, b"%d" % state * 300, left=600.0) is Outcome.DONE:
                say("kept", number, state)
        if number % 2:
            say("ending", number)
            if await asked(store.forget, key, 0) is Outcome.DONE:
                say("over", number)

    async def some(first: int) -> None:
        number = first
        while True:
            await one(number)
            number += AT_ONCE

    await asyncio.gather(*map(some, range(AT_ONCE)))


async def race(path: str, node: str) -> None:
    store = SqliteStore(path, durability="process")
    await store.open(node)
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    for number in range(50):
        taken = await asked(store.take_over, f"key {number}")
        outcome = await put(store, f"key {number}", node.encode(), taken.epoch)
        say(number, taken.epoch, outcome.name)
    await store.close()


if __name__ == "__main__":
    mode, path, node = sys.argv[1:]
    asyncio.run(partial({"keep": keep, "race": race}[mode], path, node)())
