"""What tasks wait for. A future would be cancelled with the first task that waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Generic, TypeVar, cast

T = TypeVar("T")


class Waiters:
    """The tasks that wait for one thing; any of them may be cancelled."""

    __slots__ = ("_futures",)

    def __init__(self) -> None:
        self._futures: list[asyncio.Future[None]] = []

    async def wait(self, until: float | None = None) -> None:
        """Wait for ``release``, or for the event loop's clock to show ``until``."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._futures.append(future)
        alarm = None if until is None else loop.call_at(until, _release, future)
        try:
            await future
        finally:
            self._futures.remove(future)
            if alarm is not None:
                alarm.cancel()

    def release(self) -> None:
        """Let all go on who wait."""
        for future in self._futures:
            _release(future)


class Outcome(Generic[T]):
    """A value or an error that comes once, for any number of tasks. The first to come counts."""

    __slots__ = ("_error", "_value", "_waiters", "done")

    def __init__(self) -> None:
        self.done = False
        self._value: T | None = None
        self._error: Exception | None = None
        self._waiters = Waiters()

    def set(self, value: T) -> None:
        """It is ``value``."""
        self._settle(value, None)

    def fail(self, error: Exception) -> None:
        """It is ``error``, which is raised by ``result``."""
        self._settle(None, error)

    def _settle(self, value: T | None, error: Exception | None) -> None:
        if not self.done:
            self.done, self._value, self._error = True, value, error
            self._waiters.release()

    def result(self) -> T:
        """The value. Raises the error. Only once it is ``done``."""
        assert self.done
        if self._error is not None:
            raise self._error
        return cast(T, self._value)

    async def wait(self, until: float | None = None) -> None:
        """Wait for it, or for the event loop's clock to show ``until``; raises nothing."""
        if not self.done:
            await self._waiters.wait(until)

    def __await__(self) -> Generator[object, None, T]:
        yield from self.wait().__await__()
        return self.result()


def _release(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
