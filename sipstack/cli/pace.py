"""Many things done at a rate, and not too many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

Work = Callable[[int, float], Coroutine[Any, Any, None]]
"""Takes its number, from 1 on, and how many seconds late it begins. Raises nothing."""


async def keep_pace(work: Work, count: int, rate: float | None, parallel: int | None) -> None:
    """Do ``work`` ``count`` times, each in a task that there is from its beginning to its end.

    With ``rate`` the n-th begins (n - 1) / ``rate`` seconds after the first, whatever the others do, so that
    no delay adds up; else as soon as it may. At most ``parallel`` at a time: then it begins late. Cancelled,
    it cancels what is under way and waits for that.
    """
    loop = asyncio.get_running_loop()
    slots = asyncio.Semaphore(count if parallel is None else parallel)
    start = loop.time()
    async with asyncio.TaskGroup() as group:
        for number in range(1, count + 1):
            due = start + (number - 1) / rate if rate is not None else loop.time()
            await asyncio.sleep(due - loop.time())
            await slots.acquire()
            late = loop.time() - due if rate is not None else 0.0
            group.create_task(work(number, late)).add_done_callback(lambda _: slots.release())
