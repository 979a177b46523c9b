"""Two-way PCMU calls in one process: ``python -m interop.bench.media_load ENDPOINTS SECONDS`` prints JSON.

An endpoint is one end of a call: it sends a tone, and takes what it hears as frames from the playout buffer.
Endpoints are joined in pairs over loopback, so each sends and receives 50 packets a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time

import attrs

from sipstack import AudioSession
from sipstack.media.clock import PERIOD, SLOTS, MediaClock
from sipstack.media.io import FRAMES_PER_SECOND, PcmSource
from sipstack.media.tones import sine

WARM_UP = 1.0
"""Seconds before the measurement begins."""


class Probe:
    """A member of the media clock that keeps the time of each tick and the number of periods before it."""

    def __init__(self) -> None:
        self.ticks: list[tuple[float, int]] = []
        self._periods = 0

    def __call__(self, now: float, periods: int) -> None:
        """A tick."""
        self._periods += periods
        self.ticks.append((time.monotonic(), self._periods))

    def lateness(self, first: Probe, since: float) -> list[float]:
        """Seconds from the moments due to our ticks. ``first`` is ticked first in our slot of the clock.

        The moments due are a grid of 20 ms, laid through the most punctual tick of ``first``.
        """
        origin = min(at - periods * PERIOD for at, periods in first.ticks)
        began, count = self.ticks[0]
        before = max(periods for at, periods in first.ticks if at <= began) - count
        return [at - origin - (periods + before) * PERIOD for at, periods in self.ticks if at >= since]


@attrs.frozen
class Result:
    """The figures of one run."""

    cpu: float
    """CPU seconds a second."""
    p50: float
    p99: float
    skipped: int
    lost: int


async def listen(session: AudioSession) -> None:
    """Receives all frames."""
    async for _ in session.audio:
        pass


async def connect(sessions: list[AudioSession]) -> None:
    """Joins them in pairs, by offer and answer."""
    for caller, callee in zip(sessions[::2], sessions[1::2], strict=True):
        await caller.answered(await callee.answer(await caller.offer()))


async def main(endpoints: int, seconds: float) -> Result:
    """One run. The number of endpoints is a multiple of the clock's slots, so that each has as many."""
    clock = MediaClock(asyncio.get_running_loop())
    firsts, lasts = [Probe() for _ in range(SLOTS)], [Probe() for _ in range(SLOTS)]
    source = sine(440, 1.0)
    tone = b"".join(source.read() or b"" for _ in range(FRAMES_PER_SECOND))
    sessions = [AudioSession("127.0.0.1", codecs=("PCMU",), clock=clock) for _ in range(endpoints)]
    for probe in firsts:
        clock.join(probe)
    await connect(sessions)
    for probe in lasts:
        clock.join(probe)
    async with contextlib.AsyncExitStack() as stack:
        for session in sessions:
            await stack.enter_async_context(session.audio.playing(PcmSource(tone), loop=True))
            stack.push_async_callback(session.close)
        tasks = [asyncio.create_task(listen(session)) for session in sessions]
        await asyncio.sleep(WARM_UP)
        since, cpu, skipped = time.monotonic(), time.process_time(), clock.skipped
        await asyncio.sleep(seconds)
        cpu = (time.process_time() - cpu) / (time.monotonic() - since)
        late = sorted(
            one for first, last in zip(firsts, lasts, strict=True) for one in last.lateness(first, since)
        )
        lost = sum(session.audio.statistics.packets_lost for session in sessions)
        skipped = clock.skipped - skipped
    await asyncio.gather(*tasks)
    return Result(cpu, late[len(late) // 2], late[len(late) * 99 // 100], skipped, lost)


if __name__ == "__main__":
    outcome = asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
    sys.stdout.write(json.dumps(attrs.asdict(outcome)) + "\n")
