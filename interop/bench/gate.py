"""``gate``: fails when a parse, a response or a call costs more than its budget allows.

A cost is the number of machine instructions that valgrind counts, which other programs on the machine do not
change. It is expressed in units of `calibration.work`, counted the same way, so that it depends little on how
this Python was built; each minor version of Python has budgets of its own.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from interop.bench.gate_work import UNIT, operations
from interop.bench.report import Row, Table
from interop.bench.server import ROOT

BUDGETS = Path(__file__).parent / "budgets.json"
TOLERANCE = 1.15
COUNT = 400
LIMIT = 300.0
"""Seconds that one count may take; ten are usual."""


class GateError(Exception):
    """The cost could not be measured; the text is the reason."""


@attrs.frozen
class Verdict:
    """The cost of one operation and its budget, both in units."""

    name: str
    cost: float
    budget: float

    @property
    def kept(self) -> bool:
        """Whether the cost is within the budget and the tolerance."""
        return self.cost <= self.budget * TOLERANCE


def costs(planted: float = 0.0) -> dict[str, float]:
    """The cost of each operation in units. ``planted`` adds that fraction to each, to test the gate.

    Raises `GateError` without valgrind.
    """
    if shutil.which("valgrind") is None:
        raise GateError("there is no valgrind on PATH (Debian: apt-get install valgrind)")
    names = list(operations())
    _run([], UNIT, 0)  # so that all modules are compiled before anything is counted
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        base = pool.submit(_instructions, UNIT, 0)
        each = {name: pool.submit(_instructions, name, _count(name, planted)) for name in names}
    spent = {name: (future.result() - base.result()) / COUNT for name, future in each.items()}
    unit = spent.pop(UNIT)
    return {name: instructions / unit for name, instructions in spent.items()}


def _count(name: str, planted: float) -> int:
    return COUNT if name == UNIT else round(COUNT * (1 + planted))


def _instructions(name: str, count: int) -> int:
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    found = re.search(r"I\s+refs:\s+([\d,]+)", _run(valgrind, name, count))
    if found is None:
        raise GateError("valgrind did not tell the number of instructions")
    return int(found[1].replace(",", ""))


def _run(prefix: list[str], name: str, count: int) -> str:
    process = subprocess.run(
        [*prefix, sys.executable, "-m", "interop.bench.gate_work", name, str(count)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    if process.returncode:
        raise GateError(process.stderr[-2000:])
    return process.stderr


def budgets() -> dict[str, float]:
    """The stored budgets of this version of Python. Raises `GateError` if there are none."""
    stored: dict[str, dict[str, float]] = json.loads(BUDGETS.read_text(encoding="utf-8"))
    if _version() not in stored:
        raise GateError(
            f"no budgets for Python {_version()}: `python -m interop.bench gate --record` makes them"
        )
    return stored[_version()]


def record() -> None:
    """Stores the costs measured now as the budgets of this version of Python."""
    stored = json.loads(BUDGETS.read_text(encoding="utf-8")) if BUDGETS.is_file() else {}
    stored[_version()] = {name: round(cost, 3) for name, cost in costs().items()}
    BUDGETS.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _version() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def judge(planted: float = 0.0) -> list[Verdict]:
    """Compares the cost of each operation with its budget."""
    allowed = budgets()
    return [Verdict(name, cost, allowed[name]) for name, cost in costs(planted).items()]


def table(verdicts: list[Verdict]) -> Table:
    """For the terminal."""
    return Table(
        "gate",
        f"instructions in units of calibration; up to {TOLERANCE} of the budget",
        [*map(_row, verdicts)],
    )


def _row(verdict: Verdict) -> Row:
    ratio = verdict.cost / verdict.budget
    kept = "kept" if verdict.kept else "EXCEEDED"
    return Row(verdict.name, {"cost": verdict.cost, "budget": verdict.budget, "ratio": ratio, "": kept})
