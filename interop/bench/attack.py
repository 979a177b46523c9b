"""``attack``: good calls beside a flood from one address, and what the flood costs the process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from interop.bench import attack_connections, progress, streams
from interop.bench.attack_calls import GoodCaller
from interop.bench.attack_connections import ConnectionFlood
from interop.bench.attack_flood import FLOODS, Flood
from interop.bench.attack_outcome import Outcome
from interop.bench.garbage import worst_pause
from interop.bench.report import Row, Table
from interop.bench.server import ROOT, Server, StartError, python
from interop.bench.uas_load import CLIENT_CORE, SERVER_CORE

DURING, AFTER, RECOVERY = 8.0, 2.0, 1.0
"""Seconds: of the flood, of good calls alone afterwards, and between the two."""


def suffer(flood: Flood, folder: Path) -> Outcome:
    """One flood at a server of its own. Raises `StartError`."""
    recipe = python(flood.name.split(",")[0], "interop.bench.attack_server", flood.mode, "{port}")
    with Server(recipe, folder, SERVER_CORE) as server:
        caller = GoodCaller(server.port)
        try:
            caller.place(0.5)  # now everything that is loaded once is loaded
            printed, memory = len(server.output), server.resident_bytes
            flooding = _start(flood, server.port)
            time.sleep(0.5)
            during = caller.place(DURING - 1)
            sent = int(flooding.communicate(timeout=DURING + 20)[0]) / DURING
            drops = _kernel_drops(server.port)
            grown = server.resident_bytes - memory
            time.sleep(RECOVERY)
            after = caller.place(AFTER)
            return Outcome(during, after, worst_pause(server.output[printed:]), grown / 2**20, sent, drops)
        finally:
            caller.close()


def _start(flood: Flood, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "interop.bench.attack_flood", flood.name, str(port), str(DURING)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def _kernel_drops(port: int) -> int:
    """Of the UDP socket at ``port`` (Linux: /proc)."""
    lines = Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]
    return sum(int(line.split()[-1]) for line in lines if int(line.split()[1].rpartition(":")[2], 16) == port)


def table(folder: Path, only: str = "") -> Table:
    """All floods, or those whose name contains ``only``."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    streams.write_certificates(folder)
    rows = []
    for flood in (*FLOODS, *attack_connections.FLOODS):
        if only.lower() not in flood.name.lower():
            continue
        progress.show(flood.name)
        try:
            rows.append(_outcome(flood, folder).row(flood.name))
        except StartError as error:
            rows.append(Row(flood.name, missing=str(error)))
    return Table("attack", "good calls beside a flood from one address", rows)


def _outcome(flood: Flood | ConnectionFlood, folder: Path) -> Outcome:
    return (
        attack_connections.suffer(flood, folder)
        if isinstance(flood, ConnectionFlood)
        else suffer(flood, folder)
    )
