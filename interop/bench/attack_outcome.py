"""What a flood did, and its line of the table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import attrs

from interop.bench.attack_calls import GoodCall
from interop.bench.report import Row


@attrs.frozen
class Outcome:
    """What one flood did."""

    during: list[GoodCall]
    after: list[GoodCall]
    pause: float
    """Milliseconds that the event loop stood still at the worst."""
    megabytes: float
    """What the flood has added to the resident memory."""
    sent: float
    """Datagrams or connections of the flood a second, as it went out."""
    drops: int
    """Those that the kernel threw away."""

    def row(self, name: str) -> Row:
        """Its line of the table."""
        took = sorted(call.took for call in self.during if call.took is not None)
        return Row(
            name,
            {
                "sent/s": self.sent,
                "% answered during": _answered(self.during),
                "% after": _answered(self.after),
                "median ms": statistics.median(took) * 1e3 if took else None,
                "worst ms": took[-1] * 1e3 if took else None,
                "worst gap ms": self.pause,
                "MB": self.megabytes,
                "kernel drops": self.drops,
            },
        )


def _answered(calls: Sequence[GoodCall]) -> float:
    return 100 * sum(call.took is not None for call in calls) / len(calls)
