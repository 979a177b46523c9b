"""A flood of connections from one address, beside a good client that opens one for each request."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import attrs

from interop.bench import idle_connections, streams
from interop.bench.attack_calls import INTERVAL, SOURCE, GoodCall
from interop.bench.attack_outcome import Outcome
from interop.bench.garbage import worst_pause
from interop.bench.pipes import Pipe, context
from interop.bench.server import ROOT, Server, StartError
from interop.bench.uas_load import SERVER_CORE

AFTER, RECOVERY = 2.0, 1.0
"""Seconds of good requests alone afterwards, and between the two."""


@attrs.frozen
class ConnectionFlood:
    """So many connections at a transport; with TLS none of them greets."""

    name: str
    transport: str
    attempts: int = 100_000


FLOODS = (
    ConnectionFlood("100,000 connections, TCP", "tcp"),
    ConnectionFlood("100,000 connections, TLS", "tls"),
)


class GoodClient:
    """One OPTIONS at a time, each over a connection of its own."""

    def __init__(self, transport: str, port: int, folder: Path) -> None:
        self._transport, self._port = transport, port
        self._tls = context(folder) if transport == "tls" else None
        self._count = 0

    def ask(self, going: Callable[[], bool]) -> list[GoodCall]:
        """Every ``INTERVAL`` while ``going()``, at least once."""
        asked: list[GoodCall] = []
        while not asked or going():
            self._count += 1
            begun = time.monotonic()
            one = GoodCall(begun, b"", 0.0)
            asked.append(one)
            try:
                pipe = Pipe(self._transport, self._port, self._tls, SOURCE)
                idle_connections.ask(pipe, f"good{self._count}")
                pipe.close()
            except OSError:
                continue
            one.took = time.monotonic() - begun
            time.sleep(max(0.0, INTERVAL - one.took))
        return asked


def suffer(flood: ConnectionFlood, folder: Path) -> Outcome:
    """One flood at a server of its own. Raises `StartError`."""
    with Server(streams.uas(flood.transport, folder, "--pauses"), folder, SERVER_CORE) as server:
        client = GoodClient(flood.transport, server.port, folder)
        client.ask(_for(0.5))  # now everything that is loaded once is loaded
        printed, memory, drops = len(server.output), server.resident_bytes, _kernel_drops()
        with _started(flood, server.port) as flooding:
            try:
                assert flooding.stdout is not None
                output = flooding.stdout
                during = client.ask(lambda: not select.select([output], [], [], 0)[0])
                told = output.readline().split()
                if len(told) != 2:
                    raise StartError("the flood came to nothing: see what it wrote on stderr")
                grown = server.resident_bytes - memory
                flooding.communicate(timeout=30)
            finally:
                flooding.kill()
        time.sleep(RECOVERY)
        after = client.ask(_for(AFTER))
        return Outcome(
            during,
            after,
            worst_pause(server.output[printed:]),
            grown / 2**20,
            int(told[0]) / float(told[1]),
            _kernel_drops() - drops,
        )


def _for(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


def _started(flood: ConnectionFlood, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "interop.bench.attack_connect", str(port), str(flood.attempts)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _kernel_drops() -> int:
    """Connections that the system did not take because too many waited (Linux: /proc)."""
    lines = Path("/proc/net/netstat").read_text(encoding="ascii").splitlines()
    names, figures = lines[0].split(), lines[1].split()
    return int(figures[names.index("ListenDrops")])
