"""Processes that do the same work side by side, such as answering at one port: see ``SharedPort``.

The parent forks them, starts one again that dies, and passes Ctrl-C and SIGTERM on; it does no work itself.
They are process groups of their own, so that a Ctrl-C reaches them by the parent alone; and they leave when
the parent is gone, however it went.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator

import attrs

from sipstack.errors import LocalProtocolError

SIGNALS = (signal.SIGINT, signal.SIGTERM)
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds until a worker that died is started again: twice as many after each time that it lived shortly."""
HEALTHY = 60.0
"""Seconds that a worker lives, after which its next death counts as its first."""
NEVER_BEGAN = 3.0
"""Seconds: who leaves by itself so soon after the very start will do so again; then all leave."""


@attrs.frozen
class WorkerEnded:
    """A worker is gone. ``number`` counts from 0; ``reason`` is in words; it is started again in ``retry_in``
    seconds. None: it is not, for all are to leave.
    """

    number: int
    reason: str
    retry_in: float | None


@attrs.define
class _Worker:
    number: int
    pid: int = 0  # 0: it does not run
    began: float = 0.0
    pause: float = FIRST_PAUSE
    due: float = 0.0
    is_first: bool = True


class Workers:
    """``count`` processes, each of which does ``work(number)`` and leaves with the status that it returns.

    ``told`` hears of each that is gone, in the parent.
    """

    def __init__(
        self, count: int, work: Callable[[int], int], told: Callable[[WorkerEnded], None] = lambda ended: None
    ) -> None:
        self._workers = [_Worker(number) for number in range(count)]
        self._work = work
        self._told = told
        self._signals: list[int] = []
        self._status: int | None = None
        """With which all leave; None: they are to go on."""

    def run(self, interrupted: int = 130) -> int:
        """Run them until Ctrl-C or SIGTERM, which gives the status ``interrupted``; or until one of them
        cannot even begin, which gives its own. Returns when all are gone. A second Ctrl-C reaches them too.

        Call it in the main thread, while no event loop runs: what is forked has nothing of others.
        Raises LocalProtocolError otherwise.
        """
        if not hasattr(os, "fork"):
            raise LocalProtocolError("this system cannot fork: there are no workers")
        if threading.current_thread() is not threading.main_thread():
            raise LocalProtocolError("workers can be started from the main thread alone")
        lifeline = os.pipe()
        try:
            with self._hearing_signals() as woken:
                while self._goes_on():
                    self._start_due(lifeline)
                    self._wait(woken)
                    self._pass_on(interrupted)
                    self._reap()
        finally:
            for each in lifeline:
                os.close(each)
        return interrupted if self._status is None else self._status

    # -- the parent ----------------------------------------------------------------------------------------

    @property
    def _running(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.pid]

    def _goes_on(self) -> bool:
        return self._status is None or bool(self._running)

    @contextlib.contextmanager
    def _hearing_signals(self) -> Iterator[int]:
        """Give a descriptor that can be read when there was a signal."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        heard = (*SIGNALS, signal.SIGCHLD)
        previous = {number: signal.signal(number, self._hear) for number in heard}
        old = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        try:
            yield reading
        finally:
            signal.set_wakeup_fd(old)
            for number, handler in previous.items():
                signal.signal(number, handler)
            os.close(reading)
            os.close(writing)

    def _hear(self, number: int, frame: object) -> None:
        if number in SIGNALS:
            self._signals.append(number)

    def _wait(self, woken: int) -> None:
        waiting = [worker.due for worker in self._workers if not worker.pid] if self._status is None else []
        patience = max(min(waiting) - time.monotonic(), 0.0) if waiting else None
        select.select([woken], [], [], patience)
        with contextlib.suppress(BlockingIOError):
            os.read(woken, 4096)

    def _pass_on(self, interrupted: int) -> None:
        while self._signals:
            number = self._signals.pop(0)
            if self._status is None:
                self._status = interrupted
            self._signal(number)

    def _signal(self, number: int) -> None:
        for worker in self._running:
            os.kill(worker.pid, number)  # not yet waited for, so its id is nobody else's

    def _reap(self) -> None:
        for worker in self._running:
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                worker.pid = 0
                self._ended(worker, os.waitstatus_to_exitcode(status))

    def _ended(self, worker: _Worker, code: int) -> None:
        now = time.monotonic()
        lived, was_first, worker.is_first = now - worker.began, worker.is_first, False
        reason = f"killed by {_name(-code)}" if code < 0 else f"it left with status {code}"
        if self._status is None and was_first and code >= 0 and lived < NEVER_BEGAN:
            self._status = code
            self._signal(signal.SIGTERM)
        if self._status is not None:
            self._told(WorkerEnded(worker.number, reason, None))
            return
        if lived >= HEALTHY:
            worker.pause = FIRST_PAUSE
        pause, worker.pause = worker.pause, min(2 * worker.pause, LONGEST_PAUSE)
        worker.due = now + pause
        self._told(WorkerEnded(worker.number, reason, pause))

    def _start_due(self, lifeline: tuple[int, int]) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if self._status is None and not worker.pid and worker.due <= now:
                sys.stdout.flush()
                sys.stderr.flush()
                worker.began = now
                # what comes before a worker hears for itself waits
                before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
                worker.pid = os.fork()
                if worker.pid == 0:
                    self._be(worker.number, lifeline)
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

    # -- a worker ------------------------------------------------------------------------------------------

    def _be(self, number: int, lifeline: tuple[int, int]) -> None:
        """The whole life of a worker: it never returns."""
        status = 1
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            for each in (*SIGNALS, signal.SIGCHLD):
                signal.signal(each, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            os.close(lifeline[1])
            threading.Thread(target=_leave_with, args=(lifeline[0],), daemon=True).start()
            status = self._work(number)
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else int(left.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)  # what the parent does at its exit is not ours


def _leave_with(lifeline: int) -> None:
    """Leave, in order, when the parent is gone: nobody has the other end then."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
