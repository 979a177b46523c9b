"""Calls of our UAC: sipstack on core 1 against sipp on core 0, one rate at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from interop.bench import pinned_process, progress
from interop.bench.machine import CpuTime
from interop.bench.rate_search import Run
from interop.bench.uas_load import CLIENT_CORE
from interop.ports import HOST
from interop.sipp.process import Sipp

SCENARIOS = {"calls": "uas", "registrations": "uas_register"}


class UacLoad:
    """Runs the UAC at a rate, against a new sipp each time: what one run leaves open ends with it."""

    def __init__(self, kind: str, folder: Path, seconds: float, *options: str) -> None:
        self._kind = kind
        self._options = options
        self._folder = folder
        self._seconds = seconds

    def __call__(self, rate: int) -> Run:
        """One run at ``rate``; what sipp had to send again counts too."""
        progress.show(" ".join(("sipstack as UAC,", self._kind, *self._options, f"{rate}/s")))
        steal = CpuTime.now()
        scenario = SCENARIOS[self._kind]
        with Sipp(scenario, folder=self._folder, calls=None, core=CLIENT_CORE, trace=False) as sipp:
            outcome = self._place(f"{HOST}:{sipp.port}", rate)
            repeated = sipp.statistics.retransmissions
        return Run(
            asked=rate,
            rate=outcome["done"] / outcome["seconds"] if outcome["seconds"] else 0.0,
            calls=outcome["done"],
            failed=outcome["failed"],
            retransmissions=outcome["repeated"] + repeated,
            cpu_us=outcome["cpu"] / outcome["done"] * 1e6 if outcome["done"] else 0.0,
            steal=CpuTime.now().stolen_since(steal),
        )

    def _place(self, target: str, rate: int) -> dict[str, Any]:
        limit = self._seconds * 3 + 60
        arguments = (self._kind, target, rate, self._seconds, *self._options)
        return pinned_process.outcome("interop.bench.uac", *arguments, limit=limit)
