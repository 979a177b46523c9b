"""Items that ``async for`` takes as they come."""

from __future__ import annotations

from typing import Generic, TypeVar

from sipstack.ua.result import Waiters

T = TypeVar("T")

MAXIMUM_WAITING = 64
"""Items kept for an application that is slow to take them; then the oldest is dropped."""


class Stream(Generic[T]):
    """An iterator over items as they come; a plain object: leaving the loop leaves nothing behind."""

    __slots__ = ("_closed", "_items", "_waiters")

    def __init__(self) -> None:
        self._items: list[T] = []
        self._waiters = Waiters()
        self._closed = False

    def put(self, item: T) -> None:
        self._items.append(item)
        del self._items[:-MAXIMUM_WAITING]
        self._waiters.release()

    def close(self) -> None:
        """Iteration ends with what is waiting."""
        self._closed = True
        self._waiters.release()

    def __aiter__(self) -> Stream[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._closed:
                raise StopAsyncIteration
            await self._waiters.wait()
        return self._items.pop(0)
