"""Calls on a UAS: ``sipp -sn uac`` on core 0 against a server on core 1, one rate at a time."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from interop.bench import progress
from interop.bench.machine import CpuTime
from interop.bench.rate_search import Run
from interop.bench.server import Recipe, Server
from interop.sipp.process import Sipp
from interop.sipp.statistics import Statistics

CLIENT_CORE = 0
SERVER_CORE = 1


def place_calls(server: Server, folder: Path, rate: int, seconds: float, *, to_the_end: bool = False) -> Run:
    """Places calls at ``rate`` for ``seconds``; without ``to_the_end`` the first sign of trouble ends it."""
    before, steal = server.cpu_seconds, CpuTime.now()
    calls = max(1, round(rate * seconds))
    client = Sipp(
        *("uac", "-d", "0", "-r", str(rate)),
        folder=folder,
        target=server.target,
        calls=calls,
        core=CLIENT_CORE,
        trace=False,
        transport="t1" if server.protocol == "tcp" else "u1",
    )
    with client:
        seen = watch(client, seconds + 3.0, to_the_end)
    spent = server.cpu_seconds - before
    return Run(
        asked=rate,
        rate=seen.rate,
        calls=seen.successful,
        failed=seen.failed + (calls - seen.successful if not seen.retransmissions else 0),
        retransmissions=seen.retransmissions,
        cpu_us=spent / seen.successful * 1e6 if seen.successful else 0.0,
        steal=CpuTime.now().stolen_since(steal),
    )


def watch(client: Sipp, limit: float, to_the_end: bool) -> Statistics:
    """The totals at the end of the run, or at the first sign of trouble, or after ``limit`` seconds."""
    deadline = time.monotonic() + limit
    while not client.exited and time.monotonic() < deadline:
        time.sleep(0.1)
        seen = client.statistics
        if (seen.failed or seen.retransmissions) and not to_the_end:
            return seen
    return client.statistics


class UasLoad:
    """A server that is started when first needed, and again after each run that was not clean.

    Half-open calls of a failed run would spoil the next one.
    """

    def __init__(self, recipe: Recipe, folder: Path, seconds: float) -> None:
        self._recipe = recipe
        self._folder = folder
        self._seconds = seconds
        self._stack = contextlib.ExitStack()
        self._server: Server | None = None

    def __enter__(self) -> UasLoad:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def __call__(self, rate: int) -> Run:
        """One run at ``rate``; raises `StartError` where the server does not come up."""
        progress.show(f"{self._recipe.name}: {rate} calls/s")
        if self._server is None:
            self._server = self._stack.enter_context(Server(self._recipe, self._folder, SERVER_CORE))
        run = place_calls(self._server, self._folder, rate, self._seconds)
        if not run.clean:
            self._stack.close()
            self._server = None
        return run
