"""``media``: how many two-way PCMU calls a core carries with their packets on time."""

from __future__ import annotations

from interop.bench import pinned_process, progress, rate_search
from interop.bench.machine import CpuTime
from interop.bench.media_load import Result
from interop.bench.report import Row, Table
from sipstack.media.clock import SLOTS

LATENESS = 0.005
"""Seconds that 99 of 100 packets may be late."""


def measure(quick: bool) -> Table:
    """Raises the number of calls until packets are late, lost or skipped; gives the last good run."""
    seconds, tries = (3.0, 1) if quick else (6.0, 2)
    seen: dict[int, tuple[Result, float]] = {}

    def holds(groups: int) -> bool:
        endpoints = groups * SLOTS
        for _ in range(tries):
            progress.show(f"media: {endpoints} two-way calls")
            steal = CpuTime.now()
            found = pinned_process.outcome(
                "interop.bench.media_load", endpoints, seconds, limit=seconds * 4 + 60
            )
            outcome = Result(**found)
            if outcome.p99 < LATENESS and not outcome.skipped and not outcome.lost:
                seen[groups] = outcome, CpuTime.now().stolen_since(steal)
                return True
        return False

    best = rate_search.climb(holds, 12)
    bound = f"99 of 100 packets sent less than {LATENESS * 1000:.0f} ms late"
    what = f"two-way PCMU calls, our end of each, on one core, {bound}"
    if not best:
        return Table("media", what, [Row("sipstack", missing="not even one was on time")])
    outcome, steal = seen[best]
    figures = {
        "calls": best * SLOTS,
        "CPU share": outcome.cpu,
        "µs CPU a packet pair": outcome.cpu / (best * SLOTS * 50) * 1e6,
        "late p50, ms": outcome.p50 * 1000,
        "late p99, ms": outcome.p99 * 1000,
        "steal": steal,
    }
    return Table("media", what, [Row("sipstack", {**figures})])
