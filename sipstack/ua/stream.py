"""What ``async for`` iterates over in the public API."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")

MAXIMUM_WAITING = 64
"""Items kept for an application that is slow to take them; then the oldest is dropped."""


class Stream(Generic[T]):
    """An iterator over items as they come; a plain object: leaving the loop leaves nothing behind."""

    def __init__(self) -> None:
        self._waiting: deque[T] = deque(maxlen=MAXIMUM_WAITING)
        self._news = asyncio.Event()
        self._closed = False

    def put(self, item: T) -> None:
        self._waiting.append(item)
        self._news.set()

    def close(self) -> None:
        """Iteration ends with what is waiting."""
        self._closed = True
        self._news.set()

    def __aiter__(self) -> Stream[T]:
        return self

    async def __anext__(self) -> T:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()
