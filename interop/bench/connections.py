"""``connections``: what an idle connection costs, and what the others cost one that asks something."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from interop.bench import progress, streams
from interop.bench.garbage import worst_pause
from interop.bench.machine import cpu_seconds
from interop.bench.report import Row, Table
from interop.bench.server import ROOT, Server, StartError
from interop.bench.uas_load import CLIENT_CORE, SERVER_CORE

HELD = 10_000
SPARE = 200
"""Descriptors that either process needs beside its connections."""
WARM = 200
"""Connections that come and go before memory is read."""
SILENCE = 10.0
"""Seconds during which nobody says anything."""
PATIENCE = 300


@attrs.frozen
class Idle:
    """The figures with ``count`` connections that say nothing."""

    count: int
    kilobytes: float
    """Resident memory that a connection has added at the server, in units of 1,024 octets."""
    opened: float
    """Connections made a second, one after the other, each with its handshakes and one OPTIONS."""
    median: float
    """Milliseconds that a further OPTIONS took, over one of them."""
    worst: float
    pause: float
    """Milliseconds that the server's event loop stood still at the worst, once all were there."""
    cpu: float
    """Share of a core that the server used while all were silent."""

    def row(self, transport: str) -> Row:
        """Its line of the table."""
        return Row(
            transport,
            {
                "connections": self.count,
                "KB each": self.kilobytes,
                "made/s": self.opened,
                "OPTIONS median ms": self.median,
                "worst ms": self.worst,
                "worst gap ms": self.pause,
                "% CPU idle": 100 * self.cpu,
            },
        )


def affordable(wanted: int) -> int:
    """As many of them as descriptors allow in one process."""
    return min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE)


def measure(transport: str, folder: Path, count: int) -> Idle:
    """One server, one client. Raises `StartError`."""
    with Server(streams.uas(transport, folder, "--pauses"), folder, SERVER_CORE) as server:
        with _held(transport, server.port, folder, WARM):
            pass  # now everything that is allocated once is allocated
        time.sleep(1.0)
        empty = server.resident_bytes
        progress.show(f"{transport}: {count:,} connections")
        with _held(transport, server.port, folder, count) as (client, seconds):
            time.sleep(1.0)
            grown, printed, spent = server.resident_bytes - empty, len(server.output), cpu_seconds(server.pid)
            time.sleep(SILENCE)
            idle = (cpu_seconds(server.pid) - spent) / SILENCE
            answers = _asked(client)
            pause = worst_pause(server.output[printed:])
        each = grown / count / 1024
        return Idle(count, each, count / seconds, answers["median"], answers["worst"], pause, idle)


@contextlib.contextmanager
def _held(
    transport: str, port: int, folder: Path, count: int
) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """The client, and the seconds that it took to open all. Raises `StartError`."""
    arguments = (transport, str(port), str(folder), str(count))
    with subprocess.Popen(
        [sys.executable, "-m", "interop.bench.idle_connections", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CORE}),
    ) as client:
        try:
            yield client, float(_line(client).removeprefix("held "))
            client.communicate(timeout=PATIENCE)
        finally:
            client.kill()


def _asked(client: subprocess.Popen[str]) -> dict[str, float]:
    assert client.stdin is not None
    client.stdin.write("\n")
    client.stdin.flush()
    figures: dict[str, float] = json.loads(_line(client))
    return figures


def _line(client: subprocess.Popen[str]) -> str:
    """What the client says next. Raises `StartError` when it says nothing more."""
    assert client.stdout is not None
    line = client.stdout.readline()
    if not line:
        raise StartError("the client has ended: see what it wrote on stderr")
    return line


def table(folder: Path, quick: bool) -> Table:
    """All transports that have connections."""
    streams.write_certificates(folder)
    count = affordable(HELD // 10 if quick else HELD)
    rows = []
    for transport in ("tcp", "tls", "ws", "wss"):
        try:
            rows.append(measure(transport, folder, count).row(transport))
        except StartError as error:
            rows.append(Row(transport, missing=str(error)))
    return Table("connections", "held and silent: memory at the server, and one that asks meanwhile", rows)
