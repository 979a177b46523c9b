"""``media``: how many two-way calls a core carries on time, beside a floor and other stacks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

import attrs

from interop.bench import media_process, progress, rate_search
from interop.bench.media_load import PERIOD
from interop.bench.media_process import Outcome
from interop.bench.media_streams import STREAMS
from interop.bench.peers import environments
from interop.bench.report import Row, Table, Value
from interop.bench.server import StartError
from interop.bench.uas_load import CLIENT_CORE

LATENESS = 0.005
"""Seconds that 99 of 100 packets may be late."""
SHARE = 0.995
"""Of the packets that must come, both ways."""
WARM_UP = 1.0
"""Seconds before the measurement begins."""
WHAT = (
    "our ends of two-way calls on one core, load on another core;"
    f" 99 of 100 packets sent less than {LATENESS * 1000:.0f} ms late, {SHARE:.1%} heard both ways"
)
FLOOR = "floor (the packets alone)"


@attrs.frozen
class Subject:
    """Something that carries calls."""

    name: str
    kind: str
    """Of its streams: see ``STREAMS``."""
    command: Callable[[], Sequence[str]]
    """What starts it, less its calls and ports; raises StartError where it cannot be started."""
    start: int
    """Calls to begin with."""


def _module(name: str, *arguments: str) -> Callable[[], Sequence[str]]:
    return lambda: [sys.executable, "-m", f"interop.bench.{name}", *arguments]


SUBJECTS = (
    Subject(FLOOR, "plain", _module("media_floor"), 1600),
    Subject("sipstack", "plain", _module("media_calls", "plain"), 440),
    Subject("sipstack, a sink for a task", "plain", _module("media_calls", "sink"), 500),
    Subject("sipstack, SDES-SRTP", "sdes", _module("media_calls", "sdes"), 300),
    Subject("sipstack, Opus", "opus", _module("media_calls", "opus"), 80),
    Subject("sipstack, relayed", "relay", _module("media_calls", "relay"), 600),
    Subject("aiortp", "plain", lambda: environments.command("aiortp", "media"), 200),
    Subject("aiortc, without DTLS", "plain", _module("peers.aiortc_media"), 40),
)


def measure(quick: bool, subjects: Sequence[Subject] = SUBJECTS) -> Table:
    """For each subject the highest number of calls with nothing late, lost or skipped."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CLIENT_CORE})
    best: dict[str, Outcome] = {}
    missing: dict[str, str] = {}
    try:
        for _ in range(1 if quick else 2):
            for subject in subjects:
                if subject.name not in missing:
                    _climb(subject, quick, best, missing)
    finally:
        os.sched_setaffinity(0, allowed)
    return Table("media", WHAT, rows(subjects, best, missing))


def _climb(subject: Subject, quick: bool, best: dict[str, Outcome], missing: dict[str, str]) -> None:
    """One search: the best run so far goes to ``best``, or why there is none to ``missing``."""
    seconds, tries = (2.0, 2) if quick else (5.0, 3)

    def holds(pairs: int) -> bool:
        calls = 2 * pairs
        for _ in range(tries):
            progress.show(f"media, {subject.name}: {calls} calls")
            outcome = media_process.run(command, STREAMS[subject.kind], calls, WARM_UP, seconds)
            if outcome.holds(LATENESS, SHARE):
                if subject.name not in best or calls > best[subject.name].calls:
                    best[subject.name] = outcome
                return True
        return False

    try:
        command = subject.command()
        rate_search.climb(holds, subject.start // 2)
    except StartError as error:
        missing[subject.name] = str(error)


def rows(subjects: Sequence[Subject], best: dict[str, Outcome], missing: dict[str, str]) -> list[Row]:
    """One row a subject; the ratio is to the floor of this very run."""
    floor = best.get(FLOOR)
    return [
        _row(subject.name, best.get(subject.name), floor, missing.get(subject.name)) for subject in subjects
    ]


def _row(name: str, outcome: Outcome | None, floor: Outcome | None, missing: str | None) -> Row:
    if outcome is None:
        return Row(name, missing=missing or "no number of calls was on time")
    packets = outcome.calls / PERIOD
    figures: dict[str, Value] = {
        "calls": outcome.calls,
        "ratio to the floor": outcome.calls / floor.calls if floor else None,
        "packets/s each way": packets,
        "CPU share": outcome.cpu,
        "µs CPU a packet pair": outcome.cpu / packets * 1e6,
        "late p50, ms": outcome.traffic.p50 * 1000,
        "late p99, ms": outcome.traffic.p99 * 1000,
        "load late p99, ms": outcome.traffic.own * 1000,
        "steal": outcome.steal,
    }
    return Row(name, figures)
