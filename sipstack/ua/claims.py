"""Sessions in the store that this process is going to take over, each at its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from sipstack.core.outputs import DialogKey


class Claims:
    """``claim`` is called for each with its epoch: who was faster meanwhile keeps it."""

    def __init__(self, claim: Callable[[DialogKey, int | None], object]) -> None:
        self._claim = claim
        self._timers: dict[DialogKey, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._timers)

    def __contains__(self, key: DialogKey | None) -> bool:
        return key in self._timers

    def plan(self, key: DialogKey, epoch: int, seconds: float) -> None:
        """Take it over in so many seconds, instead of when that was planned before."""
        self.drop(key)
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, partial(self._due, key, epoch))

    def drop(self, key: DialogKey) -> None:
        """It is here."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Take over no more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _due(self, key: DialogKey, epoch: int) -> None:
        del self._timers[key]
        self._claim(key, epoch)
