"""``gate``: fails when a parse, a response or a call has become dearer than its budget allows.

A cost is counted in units of `calibration.work`, run in turns with the work in the same process, so that
a slow or busy machine slows both alike; what is compared is the median of many such ratios.
"""

from __future__ import annotations

import gc
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import attrs

from interop.bench import calibration, progress
from interop.bench.core_server import CoreServer, calls
from interop.bench.invite import invite
from interop.bench.message_work import read_all, respond_all
from interop.bench.report import Row, Table

BUDGETS = Path(__file__).parent / "budgets.json"
TOLERANCE = 1.15
ROUNDS = 60
BATCH = 40
UNITS = 20

Work = Callable[[int, int], object]
"""Does a number of operations, from a first number on, and no other round's."""


@attrs.frozen
class Verdict:
    """What one operation costs, in units, and what it may cost."""

    name: str
    cost: float
    budget: float

    @property
    def kept(self) -> bool:
        """Whether the cost is within the budget and the tolerance."""
        return self.cost <= self.budget * TOLERANCE


def operations() -> dict[str, Work]:
    """What is watched."""
    datagrams = [invite(number) for number in range(BATCH * 2)]
    server = CoreServer()
    return {
        "parse and touch six fields": lambda first, count: read_all(datagrams[:count]),
        "respond and serialise": lambda first, count: respond_all(read_all(datagrams[:count])),
        "call through the core": lambda first, count: calls(server, first, count),
    }


def costs(planted: float = 0.0) -> dict[str, float]:
    """Units an operation. ``planted`` makes each dearer by that fraction, to show that the gate notices."""
    return {name: _cost(name, work, planted) for name, work in operations().items()}


def _cost(name: str, work: Work, planted: float) -> float:
    """The operations of a batch, and those planted on top, are set against ``BATCH``."""
    ratios = []
    count = round(BATCH * (1 + planted))
    gc.collect()
    gc.disable()
    try:
        for turn in range(ROUNDS):
            progress.show(f"gate: {name}, round {turn}")
            unit = _seconds(lambda: [calibration.work() for _ in range(UNITS)]) / UNITS
            spent = _seconds(lambda: work(turn * 2 * BATCH, count)) / BATCH  # noqa: B023
            ratios.append(spent / unit)
    finally:
        gc.enable()
    return statistics.median(ratios)


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def budgets() -> dict[str, float]:
    """The stored budgets of the Python that runs; raises `KeyError` where none was recorded."""
    stored: dict[str, dict[str, float]] = json.loads(BUDGETS.read_text(encoding="utf-8"))
    return stored[_version()]


def record() -> None:
    """Stores what is measured now as the budgets of the Python that runs."""
    stored = json.loads(BUDGETS.read_text(encoding="utf-8")) if BUDGETS.is_file() else {}
    stored[_version()] = {name: round(cost, 3) for name, cost in costs().items()}
    BUDGETS.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _version() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def judge(planted: float = 0.0) -> list[Verdict]:
    """What each operation costs now beside its budget."""
    allowed = budgets()
    return [Verdict(name, cost, allowed[name]) for name, cost in costs(planted).items()]


def table(verdicts: list[Verdict]) -> Table:
    """For the terminal."""
    rows = [
        Row(
            verdict.name,
            {
                "cost": verdict.cost,
                "budget": verdict.budget,
                "ratio": verdict.cost / verdict.budget,
                "verdict": "kept" if verdict.kept else "EXCEEDED",
            },
        )
        for verdict in verdicts
    ]
    return Table(
        "gate", f"cost of one operation in units of calibration; at most {TOLERANCE} times the budget", rows
    )
