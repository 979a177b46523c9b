"""Calls whose owner is dead: one of those that are left goes on with each, for its session timer."""

from __future__ import annotations

import asyncio
from functools import partial

from sipstack.log import CALL
from sipstack.outcome import Absent
from sipstack.store.port import Listed, SessionStore
from sipstack.ua.claims import Claims
from sipstack.ua.keeping import PREFIX, dialog_of
from sipstack.ua.resuming import AT_A_TIME, Resuming, ask
from sipstack.ua.runtime import Runtime

INTERVAL = 5.0, 15.0
"""Seconds between two looks for orphans, so that nodes which began together do not look together."""
MOST = 3000
"""Orphans that one node goes after at a time: it takes over some 100 a second. More would make it late for
its other calls; with fewer some session timers would end before their call had its turn (CAPACITY.md).
"""
SPREAD = 32.0
"""Seconds within which they are taken over, each at another moment: refreshes do not come all at once."""
PAUSE = 0.02
"""Seconds between two times AT_A_TIME calls of our own, where a handler waits for them."""


class Orphans:
    """Takes over what this node owned before it was started again, and what dead nodes have left.

    Our own calls come at once where a handler waits for them; else at their leisure, as those of others do.
    """

    def __init__(self, runtime: Runtime, store: SessionStore, resuming: Resuming) -> None:
        self._runtime = runtime
        self._store = store
        self._resuming = resuming
        self._claims = Claims(resuming.claim)
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Look for them from now on."""
        self._tasks = [self._runtime.loop.create_task(each) for each in (self._own(), self._watch())]

    async def close(self) -> None:
        """Look for no more, and leave those that are waited for."""
        self._claims.close()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for task in tasks:
            self._runtime.report(task)

    async def _own(self) -> None:
        """What was ours, a few at a time."""
        resuming, uniform = self._resuming, self._runtime.identifiers.uniform
        owned = await ask(self._store.owned)
        if isinstance(owned, Absent):
            CALL.warning("the store does not say which calls are ours: they come when their peers ask")
            return
        epochs: list[int | None] = [None] * len(owned)
        pause, waits = PAUSE, resuming.handler is not None
        if owned and not waits:
            epochs = await resuming.epochs_of(owned)
            pause = max(PAUSE, SPREAD * AT_A_TIME / len(owned))
            await asyncio.sleep(uniform(0, SPREAD))
        for at, (listed, epoch) in enumerate(zip(owned, epochs, strict=True), 1):
            key = dialog_of(listed.key)
            if key is not None and (waits or epoch is not None):  # else it has ended meanwhile
                resuming.claim(key, epoch)
            if at % AT_A_TIME == 0:
                await asyncio.sleep(pause)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._runtime.identifiers.uniform(*INTERVAL))
            await self._look()

    async def _look(self) -> None:
        room = MOST - len(self._claims)
        if room <= 0:
            return
        # those that wait for their moment are orphans still
        found = await ask(partial(self._store.orphaned, kind=f"{PREFIX} "), MOST)
        if isinstance(found, Absent):
            return  # the next look may know more
        calls = [listed for listed in found if dialog_of(listed.key) not in self._claims][:room]
        for listed, epoch in zip(calls, await self._resuming.epochs_of(calls), strict=True):
            if epoch is not None:
                self._plan(listed, epoch)

    def _plan(self, listed: Listed, epoch: int) -> None:
        """Take it over in a while, unless somebody was faster."""
        key = dialog_of(listed.key)
        if key is not None:
            delay = self._runtime.identifiers.uniform(0, max(0.0, min(SPREAD, listed.left / 4)))
            self._claims.plan(key, epoch, delay)
