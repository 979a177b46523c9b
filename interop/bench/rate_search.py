"""The search for the highest rate at which nothing fails and nothing has to be sent again."""

from __future__ import annotations

from collections.abc import Callable

import attrs

STEP = 1.5
PRECISION = 1.06


@attrs.frozen
class Run:
    """One run at one rate: what was asked for and what came of it; rates are calls a second."""

    asked: int
    rate: float
    calls: int
    failed: int
    retransmissions: int
    cpu_us: float
    """CPU time of the process under test, in microseconds a call."""
    steal: float
    """Share of the machine's CPU time that its host took during the run."""

    @property
    def clean(self) -> bool:
        """Every call done, none sent twice."""
        return self.calls > 0 and not self.failed and not self.retransmissions


def ceiling(attempt: Callable[[int], Run], start: int, tries: int = 3) -> Run | None:
    """The clean run with the highest rate reached; None when even single calls fail.

    ``attempt`` runs once at the given rate. A rate counts as failed after ``tries`` attempts: the machine is
    shared, and a single bad run is often the fault of other programs.
    """
    good: list[Run] = []

    def holds(rate: int) -> bool:
        runs = (attempt(rate) for _ in range(tries))
        clean = next((run for run in runs if run.clean), None)
        good.extend([clean] if clean else [])
        return clean is not None and clean.rate > 0.85 * rate

    climb(holds, start)
    return max(good, key=lambda run: run.rate, default=None)


def climb(holds: Callable[[int], bool], start: int) -> int:
    """The highest load that holds, to a few per cent; 0 where none does."""
    low, high = _bracket(holds, start)
    while low and high > low * PRECISION:
        middle = round((low * high) ** 0.5)
        if middle in (low, high):
            break
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _bracket(holds: Callable[[int], bool], start: int) -> tuple[int, int]:
    """A load that holds and a higher one that does not; ``(0, 0)`` where none holds."""
    load = start
    if holds(load):
        while holds(round(load * STEP)):
            load = round(load * STEP)
        return load, round(load * STEP)
    while load > 1:
        load, failed = load // 2, load
        if holds(load):
            return load, failed
    return 0, 0
