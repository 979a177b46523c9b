"""An event loop in another network namespace: a thread whose sockets belong there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from typing import Any, TypeVar

from interop.namespace import Namespace

T = TypeVar("T")


class Elsewhere:
    """``do`` runs coroutines in that loop, and waits for them in this one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


@contextmanager
def elsewhere(namespace: Namespace) -> Iterator[Elsewhere]:
    """Nothing may run there any more when it is left."""
    loop = asyncio.new_event_loop()

    def run() -> None:
        namespace.enter()
        asyncio.set_event_loop(loop)
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=run, name=namespace.name)
    thread.start()
    try:
        yield Elsewhere(loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def over_there(life: AsyncExitStack, there: Elsewhere, block: AbstractAsyncContextManager[T]) -> T:
    """Enter a block in the other event loop, and leave it there when ``life`` is over."""

    async def enter() -> T:
        return await block.__aenter__()

    async def leave() -> None:
        await block.__aexit__(None, None, None)

    entered = await there.do(enter())
    life.push_async_callback(lambda: there.do(leave()))
    return entered
