"""Calls set up and torn down: ``python -m interop.bench.churn [--rate 1000] [--minutes 1]``, calls a minute.

Calls between two user agents of this process: audio and digits in all of them, a third is held and resumed,
four of ten are protected by keys in SDP, one by DTLS, one speaks Opus (``churn_calls``). At the end no
descriptor, socket, port, task, thread or object of a call may be left over, and memory must not have grown
in the second half of the run, after 40 seconds, when transactions end as fast as others begin. A machine
that cannot keep the rate gets a lower one, and that is told. Exit status 0 when all calls were as they should
be and nothing is left.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Mapping

import attrs

from interop.bench import progress
from interop.bench.churn_calls import Callee, Caller, answering_media
from interop.bench.leftovers import Holdings, resident
from sipstack import UserAgent

WARM = 20
"""Calls before what there is is counted: libraries are loaded, and a certificate is made."""
BEHIND = 0.5
"""Seconds that the next call may be late until the rate is lowered."""
LASTS = 4.0
"""Seconds, twice what a call takes: so many calls are under way at a time, and no more begin."""
CROWD = 4
"""Calls that may always be under way."""
CLIMB = 1.005
"""By how much the rate grows with each call that is in time, up to the one that is asked for."""
SETTLED = 40.0
"""Seconds until the memory of ended transactions is used again: 64*T1, and a call."""
GROWTH = 8192
"""KB that memory may grow from then on, or in the second half of a long run: the noise of the allocator."""
DRAIN = 5.0
"""Seconds in which what is closing has to be closed."""


@attrs.define
class Pace:
    """When the next call is due. Falling behind lowers the rate by a tenth; from there it climbs again."""

    limit: float
    """Calls a minute."""
    due: float
    rate: float = attrs.field(default=attrs.Factory(lambda self: self.limit, takes_self=True))

    def next(self, now: float) -> float:
        """Seconds to wait from ``now`` to the next call."""
        self.due += 60 / self.rate
        if now - self.due > BEHIND:
            self.rate *= 0.9
            self.due = now
        elif now <= self.due:
            self.rate = min(self.rate * CLIMB, self.limit)
        return max(self.due - now, 0.0)


@attrs.frozen
class Outcome:
    """What a run did, and what is left after it beyond what was there before."""

    calls: int
    seconds: float
    rate: float
    """Calls a minute, on average: fewer than asked for where the machine could not keep that."""
    wrong: Mapping[str, int]
    """What was wrong with calls, and with how many."""
    left: Mapping[str, int]
    grown: int | None
    """KB of memory, from when it should have settled to the last call; None in a short run."""

    @property
    def clean(self) -> bool:
        """Whether all went well."""
        return self.calls > 0 and not self.wrong and not self.left and (self.grown or 0) <= GROWTH

    def __str__(self) -> str:
        memory = "not long enough to judge memory" if self.grown is None else f"memory {self.grown:+} KB"
        return (
            f"{self.calls} calls in {self.seconds:.0f} s, {self.rate:.0f} a minute; "
            f"wrong: {dict(self.wrong) or 'nothing'}; left over: {dict(self.left) or 'nothing'}; {memory}"
        )


class Run:
    """The calls of one run, as they come and go."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._under_way: set[asyncio.Task[None]] = set()
        self._done = 0
        self.wrong: Counter[str] = Counter()
        self._told = 0  # minutes
        self._began = time.monotonic()
        self._settles = SETTLED
        self._settled: int | None = None  # KB
        self.grown: int | None = None

    async def place(self, calls_a_minute: float, seconds: float) -> int:
        """Place calls for so long, and wait for the last. Returns how many."""
        loop = asyncio.get_running_loop()
        self._settles = max(SETTLED, seconds / 2)
        pace, until = Pace(calls_a_minute, loop.time()), loop.time() + seconds
        number = 0
        while loop.time() < until:
            if len(self._under_way) < CROWD + pace.rate * LASTS / 60:
                self._begin(number)
                number += 1
            await asyncio.sleep(pace.next(loop.time()))
            self._look(pace.rate)
        await asyncio.gather(*self._under_way)
        return number

    def _begin(self, number: int) -> None:
        task = asyncio.create_task(self._call(number))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _call(self, number: int) -> None:
        wrong = await self._caller.call(number)
        self._done += 1
        if wrong:
            self.wrong[wrong] += 1

    def _look(self, rate: float) -> None:
        """Tell how it goes: each minute in a line that stays."""
        passed, memory = time.monotonic() - self._began, resident()
        if passed >= self._settles:
            self._settled = self._settled or memory
            self.grown = memory - self._settled
        line = (
            f"{passed / 60:4.1f} min {self._done:6} calls, {self.wrong.total()} wrong; "
            f"{len(self._under_way)} under way, {rate:.0f} a minute; resident {memory} KB"
        )
        progress.show(line)
        if passed >= (self._told + 1) * 60:
            self._told += 1
            progress.clear()
            sys.stdout.write(f"{line}{''.join(f'; {what}' for what in self.wrong)}\n")
            sys.stdout.flush()


async def churn(calls_a_minute: float, seconds: float) -> Outcome:
    """One run."""
    await _run(60.0 * WARM, 1.0)
    before = Holdings.now()
    began = time.monotonic()
    run, calls = await _run(calls_a_minute, seconds)
    passed = time.monotonic() - began
    return Outcome(calls, passed, 60 * calls / seconds, run.wrong, await _left(before), run.grown)


async def _run(calls_a_minute: float, seconds: float) -> tuple[Run, int]:
    callee = Callee()
    async with (
        UserAgent("sip:bob@127.0.0.1", listen="udp:127.0.0.1:0", media=answering_media) as bob,
        UserAgent("sip:alice@127.0.0.1", listen="udp:127.0.0.1:0") as alice,
        bob.serving(callee.answer),
    ):
        _, host, port = bob.listening[0]
        run = Run(Caller(alice, f"sip:bob@{host}:{port}", callee))
        calls = await run.place(calls_a_minute, seconds)
    return run, calls


async def _left(before: Holdings) -> dict[str, int]:
    """What is left over once there is nothing, or there should be."""
    for _ in range(round(DRAIN / 0.1)):
        if not Holdings.now().beyond(before):
            break
        await asyncio.sleep(0.1)
    return Holdings.now().beyond(before)


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m interop.bench.churn", description=__doc__)
    parser.add_argument("--rate", type=float, default=1000.0, help="calls a minute")
    parser.add_argument("--minutes", type=float, default=1.0)
    options = parser.parse_args()
    outcome = asyncio.run(churn(options.rate, options.minutes * 60))
    progress.clear()
    if outcome.rate < 0.99 * options.rate:
        sys.stdout.write(f"this machine cannot keep {options.rate:.0f} calls a minute now\n")
    sys.stdout.write(f"{outcome}\n")
    return 0 if outcome.clean else 1


if __name__ == "__main__":
    sys.exit(main())
