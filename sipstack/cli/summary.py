"""The figures of many calls: counts, statuses, percentiles of the set-up time."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sipstack.cli.words import in_words

PERCENTILES = (50, 90, 95, 99)
WORTH_TELLING = 0.05  # seconds late


class Tally:
    """Counts calls as they end. It keeps eight octets of each that was answered."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self.failed = 0
        self.interrupted = 0
        self._placed = 0
        self._statuses: Counter[str] = Counter()
        self._setup = array("d")
        self._late = 0.0

    def started(self, late: float) -> None:
        """A call begins, ``late`` seconds after its time."""
        self._placed += 1
        self._late = max(self._late, late)

    def answered(self, seconds: float) -> None:
        """It was answered, so many seconds after its INVITE."""
        self._setup.append(seconds)

    def done(self, status: str) -> None:
        """It came to its end as planned."""
        self._statuses[status] += 1

    def fail(self, status: str) -> None:
        """It was refused, not answered, or broke off: a status code, or a word for what has none."""
        self.failed += 1
        self._statuses[status] += 1

    def interrupt(self) -> None:
        """We were told to stop while it was under way."""
        self.interrupted += 1

    def figures(self, seconds: float) -> dict[str, Any]:
        """All of it, after so many seconds, as ``summary`` in JSON.md describes it."""
        setup = sorted(self._setup)
        return {
            "calls": self.calls,
            "placed": self._placed,
            "answered": len(setup),
            "failed": self.failed,
            "interrupted": self.interrupted,
            "seconds": round(seconds, 3),
            "late": round(self._late, 4),
            "statuses": dict(sorted(self._statuses.items())),
            "setup": _distribution(setup) if setup else None,
        }


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The least value that so many percent do not exceed (nearest rank), of values in their order."""
    return ordered[max(math.ceil(percent / 100 * len(ordered)), 1) - 1]


def _distribution(ordered: Sequence[float]) -> dict[str, float]:
    figures = {"min": ordered[0], "mean": math.fsum(ordered) / len(ordered)}
    figures |= {f"p{percent}": percentile(ordered, percent) for percent in PERCENTILES}
    return {name: round(value, 4) for name, value in (figures | {"max": ordered[-1]}).items()}


def headline(figures: Mapping[str, Any]) -> Iterator[str]:
    """What happened to the calls, part by part."""
    placed, calls = figures["placed"], figures["calls"]
    yield f"{placed} calls" if placed == calls else f"{placed} of {calls} calls"
    yield f"{figures['answered']} answered"
    yield f"{figures['failed']} failed"
    if figures["interrupted"]:
        yield f"{figures['interrupted']} interrupted"
    yield in_words(figures["seconds"])


def details(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The lines below it: a name and its figures."""
    for status, count in figures["statuses"].items():
        yield status, str(count)
    if figures["setup"] is not None:
        yield "set-up", ", ".join(f"{name} {in_words(value)}" for name, value in figures["setup"].items())
    if figures["late"] >= WORTH_TELLING:
        yield (
            "late",
            f"a call began up to {in_words(figures['late'])} after its time: --parallel, or a busy machine",
        )
