"""The sipstack UAC under measurement, through the public API.

``python -m interop.bench.uac calls|registrations HOST:PORT RATE SECONDS [--uvloop]`` begins RATE
operations a second, a task each, for so many seconds, and prints what came of them as JSON. A call is
placed and hung up at once; a registration is made and removed at once. What took T1 or longer on either
way was sent twice.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import attrs

from interop.bench import garbage, loops
from interop.bench.no_media import NoMedia
from sipstack import SipError, UserAgent

T1 = 0.5
TIMEOUT = 3.0


@attrs.define
class Result:
    """Counts of all operations."""

    done: int = 0
    failed: int = 0
    repeated: int = 0
    seconds: float = 0.0
    cpu: float = 0.0


async def once(operation: AbstractAsyncContextManager[object], outcome: Result) -> None:
    """Enters and leaves it: an INVITE and a BYE, or two REGISTERs."""
    started = time.monotonic()
    try:
        async with operation:
            entered = time.monotonic()
    except SipError:
        outcome.failed += 1
        return
    outcome.done += 1
    outcome.repeated += entered - started >= T1 or time.monotonic() - entered >= T1


async def paced(begin: Callable[[], Awaitable[None]], rate: int, seconds: float, outcome: Result) -> None:
    """Begins ``rate`` operations a second, in small portions, and waits for the last."""
    tasks: set[asyncio.Future[None]] = set()
    started, begun, wanted = time.monotonic(), 0, round(rate * seconds)
    while begun < wanted:
        due = min(round((time.monotonic() - started) * rate) + 1, wanted)
        for _ in range(due - begun):
            task = asyncio.ensure_future(begin())
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        begun = due
        await asyncio.sleep(0.001)
    if tasks:
        _, late = await asyncio.wait(set(tasks), timeout=TIMEOUT)
        outcome.failed += len(late)
    outcome.seconds = time.monotonic() - started


async def main(kind: str, target: str, rate: int, seconds: float) -> Result:
    """One run."""
    no_media, outcome = NoMedia(), Result()
    registrar = f"sip:{target}"
    listen = "udp:127.0.0.1:0"
    async with UserAgent(
        "sip:bench@127.0.0.1", listen=listen, registrar=registrar, media=lambda host: no_media
    ) as ua:
        garbage.settle()
        before = time.process_time()
        if kind == "calls":
            await paced(lambda: once(ua.call(f"sip:service@{target}"), outcome), rate, seconds, outcome)
        else:
            await paced(lambda: once(ua.register(), outcome), rate, seconds, outcome)
        outcome.cpu = time.process_time() - before
    return outcome


if __name__ == "__main__":
    work = main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
    result = loops.run(work, sys.argv[5:])
    sys.stdout.write(json.dumps(attrs.asdict(result)) + "\n")
