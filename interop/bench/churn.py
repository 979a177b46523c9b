"""Calls set up and torn down: ``python -m interop.bench.churn [--rate 1000] [--minutes 1]``, calls a minute.

Each is a call between two user agents with media, a third of them with a hold. At the end no socket, task or
thread may be left over. Exit status 0 when nothing is, and no call failed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import threading

import attrs

from sipstack import Invitation, UserAgent
from sipstack.errors import SipError

LENGTH = 1.0
"""Seconds of a call."""


@attrs.frozen
class Outcome:
    """What a run did, and what is left after it beyond what was there before."""

    calls: int
    failed: int
    silent: int
    """Calls in which the caller received no packet."""
    descriptors: int
    tasks: int
    threads: int

    @property
    def clean(self) -> bool:
        """Whether all went well."""
        return self.calls > 0 and not any(attrs.astuple(self)[1:])


async def answer(invitation: Invitation) -> None:
    """Takes a call until it ends."""
    async with invitation.accept() as call:
        await call.ended()


async def call_once(caller: UserAgent, target: str, number: int) -> bool:
    """One call; tells whether something was received."""
    async with caller.call(target) as call:
        await asyncio.sleep(LENGTH / 2)
        if number % 3 == 0:
            await call.hold()
            await call.resume()
        await asyncio.sleep(LENGTH / 2)
        return call.statistics.packets_received > 0


async def churn(calls_a_minute: float, seconds: float) -> Outcome:
    """One run."""
    before = _open()
    failed = silent = 0
    async with (
        UserAgent("sip:bob@127.0.0.1", listen="udp:127.0.0.1:0") as callee,
        UserAgent("sip:alice@127.0.0.1", listen="udp:127.0.0.1:0") as caller,
        callee.serving(answer),
    ):
        _, host, port = callee.listening[0]
        tasks = []
        for number in range(max(1, round(calls_a_minute * seconds / 60))):
            target = f"sip:bob@{host}:{port}"
            tasks.append(asyncio.create_task(call_once(caller, target, number)))
            await asyncio.sleep(60 / calls_a_minute)
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, SipError):
                raise outcome
            failed += isinstance(outcome, SipError)
            silent += outcome is False
    await asyncio.sleep(0.1)
    left = [now - then for now, then in zip(_open(), before, strict=True)]
    return Outcome(len(tasks), failed, silent, *left)


def _open() -> tuple[int, int, int]:
    """Descriptors, tasks and threads of this process."""
    return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks()), threading.active_count()


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m interop.bench.churn", description=__doc__)
    parser.add_argument("--rate", type=float, default=1000.0, help="calls a minute")
    parser.add_argument("--minutes", type=float, default=1.0)
    options = parser.parse_args()
    outcome = asyncio.run(churn(options.rate, options.minutes * 60))
    sys.stdout.write(f"{outcome}\n")
    return 0 if outcome.clean else 1


if __name__ == "__main__":
    sys.exit(main())
