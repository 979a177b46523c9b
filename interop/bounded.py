"""Tests that wait for others are bounded in time, and leave no task."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Cancel every task when the block takes longer; behind it no other task may be left."""
    watchdog = asyncio.get_running_loop().call_later(seconds, _cancel_everything)
    yield
    watchdog.cancel()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert left == set(), "tasks are left"


def _cancel_everything() -> None:
    for task in asyncio.all_tasks():
        task.cancel("the test takes too long")
