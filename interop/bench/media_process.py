"""One process with so many calls, on the core under measurement, while the load talks to it from another."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import IO, Any

import attrs

from interop.bench import machine
from interop.bench.machine import CpuTime
from interop.bench.media_load import Load, Traffic
from interop.bench.media_streams import Stream
from interop.bench.server import ROOT, StartError
from interop.bench.uas_load import SERVER_CORE

PATIENCE = 60.0
"""Seconds that a process may take to open its calls, and to end, until it is killed."""


@attrs.frozen
class Outcome:
    """One run."""

    calls: int
    traffic: Traffic
    heard: float
    """Share of our packets that the calls got."""
    cpu: float
    """CPU seconds a second."""
    steal: float

    def holds(self, lateness: float, share: float) -> bool:
        """Whether 99 of 100 packets were less than so late, and such a share of them came, both ways."""
        return self.traffic.p99 < lateness and 1 - self.traffic.missing >= share and self.heard >= share


def run(command: Sequence[str], stream: Stream, calls: int, warm_up: float, seconds: float) -> Outcome:
    """Raises StartError when the process does not come up, or dies."""
    with Load(stream.packets(), stream.clock_rate) as load:
        arguments = [*command, str(calls), *map(str, load.ports)]
        with _process(arguments, PATIENCE + warm_up + seconds) as process:
            ports = _told(process.stdout)
            before: list[tuple[float, CpuTime]] = []
            traffic = load.run(ports, warm_up, seconds, lambda: before.append(_spent(process.pid)))
            (cpu, stolen), (began, steal) = _spent(process.pid), before[0]
            assert process.stdin is not None
            process.stdin.close()
            heard = _told(process.stdout) / traffic.sent
    return Outcome(calls, traffic, heard, (cpu - began) / seconds, stolen.stolen_since(steal))


def _spent(pid: int) -> tuple[float, CpuTime]:
    return machine.cpu_seconds(pid), CpuTime.now()


def _told(output: IO[str] | None) -> Any:
    line = output.readline() if output is not None else ""
    if not line:
        raise StartError("the process has ended before its time")
    return json.loads(line)


@contextlib.contextmanager
def _process(command: Sequence[str], limit: float) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
    )
    killer = threading.Timer(limit, process.kill)
    killer.start()
    try:
        yield process
    finally:
        killer.cancel()
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()
