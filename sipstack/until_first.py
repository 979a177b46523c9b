"""Several things done at once, until the first of them has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable


async def until_first(*work: Awaitable[object]) -> None:
    """Do all of it until one has ended, and cancel the others: they are over when this returns.

    Raises what ended the first; of several that end at the same moment, the error of the one given first.
    """
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
