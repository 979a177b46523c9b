"""What workers carry where all calls come from one address: ``python -m interop.cluster.workers``.

For 1 and 2 workers: calls a second that SIPp gets through as fast as it goes, and the processor's time of
each worker for a call at a rate that all of them carry. SIPp and the workers share the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from interop.bench.floor import ANSWER
from interop.bench.machine import cpu_seconds
from interop.ports import HOST, free_port
from interop.processes import STOP_TIMEOUT, ended_with_us
from interop.sipp.process import Sipp, wait_bound
from sipstack import Accept, SharedPort, UserAgent, Workers

CALLS = 12_000
RATE = 2000.0
ROOT = Path(__file__).parents[2]


def serve(port: int, count: int) -> int:
    """Answer every call at once, until SIGTERM."""
    shared = SharedPort(f"udp:{HOST}:{port}", count)

    async def answer(number: int) -> None:
        accept = Accept(ANSWER)
        network = shared.network(number)
        agent = UserAgent(
            "sip:bench@127.0.0.1", listen=shared.listen, network=network, policy=lambda received: accept
        )
        async with agent:
            await asyncio.Event().wait()

    def work(number: int) -> int:
        shared.become(number)
        asyncio.run(answer(number))
        return 0

    return Workers(count, work).run()


@contextlib.contextmanager
def serving(count: int) -> Iterator[tuple[int, list[int]]]:
    """The port, and the ids of the workers."""
    port = free_port()
    command = [*ended_with_us("TERM"), sys.executable, "-m", "interop.cluster.workers", str(port), str(count)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            wait_bound(port, 10.0)
            time.sleep(1.5)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            yield port, [int(pid) for pid in children.split()]
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT)


def as_fast_as_it_goes(port: int, folder: Path) -> tuple[float, int]:
    """Calls a second, and those that failed."""
    sipp = Sipp(
        "uac",
        *("-r", "20000", "-l", "300", "-d", "0", "-s", "service"),
        folder=folder,
        target=f"{HOST}:{port}",
        calls=CALLS,
        limit=120.0,
        trace=False,
    )
    began = time.monotonic()
    with sipp:
        result = sipp.wait()
    totals = result.statistics
    return totals.successful / (time.monotonic() - began), totals.failed


def at_a_rate(port: int, pids: list[int], folder: Path) -> list[float]:
    """Milliseconds of each worker for one of all the calls."""
    before = [cpu_seconds(pid) for pid in pids]
    calls = round(RATE * 10)
    sipp = Sipp(
        "uac",
        *("-r", str(RATE), "-d", "0", "-s", "service"),
        folder=folder,
        target=f"{HOST}:{port}",
        calls=calls,
        limit=60.0,
        trace=False,
    )
    with sipp:
        sipp.wait()
    return [(cpu_seconds(pid) - was) / calls * 1e3 for pid, was in zip(pids, before, strict=True)]


def main() -> None:
    with TemporaryDirectory(prefix="workers-") as name:
        for count in (1, 2):
            with serving(count) as (port, pids):
                shares = at_a_rate(port, pids, Path(name))
                rate, failed = as_fast_as_it_goes(port, Path(name))
            each = ", ".join(f"{share:.3f}" for share in shares)
            busiest = 1e3 / max(shares)
            print(  # noqa: T201
                f"{count} workers: {rate:.0f} calls/s beside SIPp ({failed} failed); ms of each worker a"
                f" call: {each}; with a processor each {busiest:.0f} calls/s"
            )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        sys.exit(serve(int(sys.argv[1]), int(sys.argv[2])))
    main()
