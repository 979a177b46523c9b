"""Calls whose owner is dead: one of those that are left goes on with each, for its session timer."""

from __future__ import annotations

import asyncio
from functools import partial

from sipstack.core.outputs import DialogKey
from sipstack.log import CALL
from sipstack.outcome import Absent
from sipstack.store.port import Listed, SessionStore
from sipstack.ua.keeping import dialog_of
from sipstack.ua.resuming import AT_A_TIME, Resuming, ask
from sipstack.ua.runtime import Runtime

INTERVAL = 5.0, 15.0
"""Seconds between two looks for orphans, so that nodes which began together do not look together."""
MOST = 100
"""Orphans that one node goes after at a time."""
SPREAD = 32.0
"""Seconds within which they are taken over, each at another moment: refreshes do not come all at once."""
PAUSE = 0.02
"""Seconds between two times AT_A_TIME calls of our own."""


class Orphans:
    """Takes over what this node owned before it was started again, and what dead nodes have left.

    Our own calls come at once where a handler waits for them; else at their leisure, as those of others do.
    """

    def __init__(self, runtime: Runtime, store: SessionStore, resuming: Resuming) -> None:
        self._runtime = runtime
        self._store = store
        self._resuming = resuming
        self._timers: dict[DialogKey, asyncio.TimerHandle] = {}
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Look for them from now on."""
        self._task = self._runtime.loop.create_task(self._watch())

    async def close(self) -> None:
        """Look for no more, and leave those that are waited for."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            self._runtime.report(task)

    async def _watch(self) -> None:
        owned = await ask(self._store.owned)
        if isinstance(owned, Absent):
            CALL.warning(
                "the store does not say which calls are ours: they come when their peers ask for them"
            )
        elif self._resuming.handler is not None:
            await self._resume(owned)
        else:
            for listed in owned:
                self._plan(listed, None)
        while True:
            await asyncio.sleep(self._runtime.identifiers.uniform(*INTERVAL))
            await self._look()

    async def _resume(self, owned: list[Listed]) -> None:
        """Ours, a few at a time."""
        for at in range(0, len(owned), AT_A_TIME):
            for listed in owned[at : at + AT_A_TIME]:
                key = dialog_of(listed.key)
                if key is not None:
                    self._resuming.claim(key)
            await asyncio.sleep(PAUSE)

    async def _look(self) -> None:
        room = MOST - len(self._timers)
        orphans = await ask(self._store.orphaned, room) if room > 0 else []
        if isinstance(orphans, Absent):
            return  # the next look may know more
        for listed in orphans:
            epoch = await self._resuming.epoch_of(listed)
            if epoch is not None:
                self._plan(listed, epoch)

    def _plan(self, listed: Listed, epoch: int | None) -> None:
        """With ``epoch`` it is left alone if somebody was faster."""
        key = dialog_of(listed.key)
        if key is None or key in self._timers:
            return
        delay = self._runtime.identifiers.uniform(0, max(0.0, min(SPREAD, listed.left / 4)))
        self._timers[key] = self._runtime.loop.call_later(delay, partial(self._claim, key, epoch))

    def _claim(self, key: DialogKey, epoch: int | None) -> None:
        del self._timers[key]
        self._resuming.claim(key, epoch)
