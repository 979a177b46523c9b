"""The statistics file that sipp writes with ``-trace_stat``: one row a report, the totals in the last one."""

from __future__ import annotations

import csv
from pathlib import Path

import attrs


@attrs.frozen
class Statistics:
    """Totals of one run of sipp; ``seconds`` is the time from the start to the last report."""

    created: int = 0
    successful: int = 0
    failed: int = 0
    retransmissions: int = 0
    unexpected: int = 0
    out_of_call: int = 0
    open: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Calls done a second, over the whole run."""
        return self.successful / self.seconds if self.seconds else 0.0


def read(path: Path) -> Statistics:
    """The totals in ``path``; all zero where sipp has not reported yet (or died before it could)."""
    if not path.is_file():
        return Statistics()
    with path.open(encoding="latin-1", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    while rows and None in rows[-1].values():  # sipp was killed, or is writing, in mid-row
        rows.pop()
    return _totals(rows[-1]) if rows else Statistics()


def _totals(row: dict[str, str]) -> Statistics:
    return Statistics(
        created=int(row["TotalCallCreated"]),
        successful=int(row["SuccessfulCall(C)"]),
        failed=int(row["FailedCall(C)"]),
        retransmissions=int(row["Retransmissions(C)"]),
        unexpected=int(row["FailedUnexpectedMessage(C)"]),
        out_of_call=int(row["OutOfCallMsgs(C)"]),
        open=int(row["CurrentCall"]),
        seconds=_epoch(row["CurrentTime"]) - _epoch(row["StartTime"]),
    )


def _epoch(stamp: str) -> float:
    """Third column of ``date <tab> time <tab> seconds since the epoch``."""
    return float(stamp.rsplit("\t", 1)[1])
