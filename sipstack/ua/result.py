"""Results that several tasks may wait for: a future would be cancelled with the first of them."""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Generator
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")
SILENCE = 1 / 4
"""Of the grace, which is 8*T1. From the first request on: a peer that has said nothing for so long, twice the
round trip that RFC 3261 reckons with, is not waited for.
"""


class Waiters:
    """The tasks that wait for one thing; any of them may be cancelled."""

    __slots__ = ("_futures",)

    def __init__(self) -> None:
        self._futures: list[asyncio.Future[None]] = []

    @types.coroutine
    def wait(self) -> Generator[Any, None, None]:
        """Wait for ``release``."""
        future = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        try:
            yield from future
        finally:
            self._futures.remove(future)

    def release(self) -> None:
        """Let all waiting tasks go on."""
        for future in self._futures:
            if not future.done():
                future.set_result(None)


class Result(Waiters, Generic[T]):
    """A value or an error that comes once, for any number of tasks. The first to come counts."""

    __slots__ = ("_error", "_value", "done", "late")

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self.late = False
        """Whether its grace is over; it may still come."""
        self._value: T | None = None
        self._error: Exception | None = None

    def set(self, value: T) -> None:
        """It is ``value``."""
        self._settle(value, None)

    def fail(self, error: Exception) -> None:
        """It is ``error``, which is raised by ``result``."""
        self._settle(None, error)

    def _settle(self, value: T | None, error: Exception | None) -> None:
        if not self.done:
            self.done, self._value, self._error = True, value, error
            self.release()

    def result(self) -> T:
        """The value. Raises the error. Only once it is ``done``."""
        assert self.done
        if self._error is not None:
            raise self._error
        return cast(T, self._value)

    @property
    def error(self) -> Exception | None:
        """What ``result`` raises; None for a value, and while it is not ``done``."""
        return self._error

    def leave(self) -> None:
        """Nobody waits for it any longer: it is late."""
        if not self.done:
            self.late = True
            self.release()

    async def settled(self) -> None:
        """Wait until it is done or late; raises nothing."""
        if not self.done and not self.late:
            await self.wait()

    def __await__(self) -> Generator[Any, None, T]:
        while not self.done:
            yield from self.wait()
        return self.result()


class Grace:
    """The seconds that a result may take before it counts as late, the same for all: so the oldest is the
    next, and one timer serves thousands.
    """

    __slots__ = ("_running", "_timer", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._running: deque[tuple[float, Result[Any]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, result: Result[Any]) -> None:
        """From now on ``result`` has ``seconds``."""
        loop = asyncio.get_running_loop()
        self._running.append((loop.time() + self.seconds, result))
        if self._timer is None:
            self._timer = loop.call_at(self._running[0][0], self._expire)

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        # the loop may call a shade early, by its clock's resolution
        now = loop.time() + 0.01
        while self._running and self._running[0][0] <= now:
            _, result = self._running.popleft()
            result.leave()
        self._timer = loop.call_at(self._running[0][0], self._expire) if self._running else None

    def close(self) -> None:
        """Nothing more becomes late."""
        self._running.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
