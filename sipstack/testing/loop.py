"""An event loop whose clock jumps: an hour of virtual time passes in as long as its callbacks take.

``loop.time()`` starts at 0.0. When nothing is ready, the time becomes that of the next timer, at once and
exactly; ``asyncio.sleep``, ``asyncio.timeout`` and ``loop.call_at`` need no change. ``time.time()`` and
``time.monotonic()`` stay real: what must follow the virtual clock asks ``loop.time()``.

What is real beside the clock:

- Sockets and other files are served when they are ready. They do not hold the clock: with a timer pending it
  jumps, so data that is still on its way arrives "later". Loopback sockets are ready at once: no difference.
- A job of ``run_in_executor`` or ``asyncio.to_thread`` takes no virtual time: the clock stands still until it
  is done. A job that itself waits for a timer of this loop would wait for ever, hence ``patience``.
- A thread that this loop did not start is unknown to it. ``call_soon_threadsafe`` works while the loop has
  something else to do, but the loop does not wait for the call. So it is with signals and child processes.

Instead of hanging, the loop raises ``LoopStuck``, which names the tasks and where each of them waits.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

PATIENCE = 10.0
"""Real seconds that the loop waits for a thread or for a file when nothing else can happen."""

HORIZON = 100 * 86_400.0
"""The end of virtual time, in seconds: a test that gets here waits for something that never comes, while
some periodic timer keeps the loop busy. (Not far above, a float no longer resolves nanoseconds.)"""


class LoopStuck(RuntimeError):
    """Nothing can happen any more, and the coroutine that the loop runs is not done."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` to its end in virtual time, as ``asyncio.run`` does in real time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The loop of the module's docstring. ``patience`` is in real seconds."""

    _scheduled: list[asyncio.TimerHandle]  # asyncio's own heap of timers

    def __init__(self, patience: float = PATIENCE) -> None:
        self._now = 0.0
        self._jobs = 0
        self._patience = patience
        self._files = _Selector(self._pass_time, self._stuck)
        super().__init__(self._files)
        # Timers due within the resolution of the clock run together; let that not depend on the machine.
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """The virtual time: seconds since the loop was made."""
        return self._now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """As in every loop; the virtual time stands still until the job is done or given up."""
        future = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        future.add_done_callback(self._job_done)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Join the threads. ``timeout`` is ignored: in virtual time it would be over at once."""
        self._jobs += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self._jobs -= 1

    def _job_done(self, _: asyncio.Future[T]) -> None:
        self._jobs -= 1

    def _pass_time(self) -> float:
        """Nothing is ready: jump to the next timer (0.0), or say how many real seconds to wait for a file."""
        if self._jobs:
            return self._patience
        if self._scheduled:  # the cancelled ones at its top are gone by now
            self._jump(self._scheduled[0].when())
            return 0.0
        if len(self._files.get_map()) > 1:  # more than the loop's own wake-up pipe
            return self._patience
        raise self._stuck("nothing is scheduled")

    def _jump(self, when: float) -> None:
        if when > HORIZON:
            raise self._stuck(f"the next timer is beyond the horizon of {HORIZON:.0f} s")
        self._now = max(self._now, when)

    def _stuck(self, why: str = "") -> LoopStuck:
        why = why or f"no thread and no file became ready in {self._patience} s of real time"
        tasks = sorted(asyncio.all_tasks(self), key=lambda task: (len(task.get_name()), task.get_name()))
        waits = "".join(f"\n  {task.get_name()} waits in {_place(task)}" for task in tasks)
        return LoopStuck(f"at {self._now} s of virtual time {why}, and these wait:{waits or ' (no task)'}")


class _Selector(selectors.DefaultSelector):
    """Serves what is ready; when nothing is, lets the loop decide instead of sleeping."""

    def __init__(self, pass_time: Callable[[], float], stuck: Callable[[], LoopStuck]) -> None:
        super().__init__()
        self._pass_time = pass_time
        self._stuck = stuck

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        patience = self._pass_time()
        if patience == 0.0:
            return []
        ready = super().select(patience)
        if not ready:
            raise self._stuck()
        return ready


def _place(task: asyncio.Task[Any]) -> str:
    """The coroutines that the task runs, outermost first: name, file and line of each."""
    coroutine: Any = task.get_coro()
    places = []
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        places.append(f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})")
        coroutine = coroutine.cr_await
    return " > ".join(places)
