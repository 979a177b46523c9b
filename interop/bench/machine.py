"""Figures of the machine and of one process from the kernel (Linux: /proc)."""

from __future__ import annotations

import os
import time
from pathlib import Path

import attrs

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@attrs.frozen
class CpuTime:
    """How the machine spent its CPU time so far, in ticks: take one before and one after."""

    stolen: int
    idle: int
    total: int

    @classmethod
    def now(cls) -> CpuTime:
        total = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
        ticks = [int(field) for field in total.split()[1:]]
        return cls(stolen=ticks[7], idle=ticks[3] + ticks[4], total=sum(ticks[:8]))

    def stolen_since(self, before: CpuTime) -> float:
        """Fraction of all cores' time that the host took from this machine since ``before``."""
        total = self.total - before.total
        return (self.stolen - before.stolen) / total if total else 0.0


def busy(seconds: float = 1.0) -> float:
    """Fraction of all cores' time that other programs use: measured while we do nothing."""
    before = CpuTime.now()
    time.sleep(seconds)
    after = CpuTime.now()
    return 1 - (after.idle - before.idle) / (after.total - before.total)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, in seconds (10 ms steps)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def resident_bytes(pid: int) -> int:
    """Resident memory of a process (RSS)."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
