"""Holds connections: ``python -m interop.bench.idle_connections TRANSPORT PORT FOLDER COUNT``.

Each asks one OPTIONS when it is there, and is silent from then on, but for the answers to the pings of a
WebSocket server. ``held SECONDS`` is printed when all are.
Each line at stdin then asks ``ASKED`` of them once more, and prints JSON: milliseconds, median and worst. The
end of stdin closes them.
"""

from __future__ import annotations

import json
import selectors
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from interop.bench.attack_flood import write
from interop.bench.pipes import Pipe, context
from interop.bench.stream_uas import take_descriptors

ASKED = 200
TOGETHER = 100
"""Connections that are opened before the others are looked at."""
A_SOURCE = 4_000
"""Connections from one of our addresses: a server bounds them."""


def source(number: int) -> str:
    """The address that a connection comes from."""
    return f"127.0.0.{2 + number // A_SOURCE}"


def ask(pipe: Pipe, name: str) -> float:
    """One OPTIONS, answered; returns the seconds that it took. Raises OSError."""
    request = write("OPTIONS", pipe.local, name)
    request = request.replace(b"SIP/2.0/UDP", b"SIP/2.0/" + pipe.transport.upper().encode(), 1)
    begun = time.perf_counter()
    pipe.send([request])
    answer = pipe.receive()[0]
    if not answer.startswith(b"SIP/2.0 200 "):
        raise ConnectionError(f"OPTIONS was answered with {answer[:40]!r}")
    return time.perf_counter() - begun


class Connections:
    """So many connections."""

    def __init__(self) -> None:
        self.pipes: list[Pipe] = []
        self._selector = selectors.DefaultSelector()

    def open(self, transport: str, port: int, folder: Path, count: int) -> None:
        """Each is answered once. Raises OSError."""
        tls = context(folder) if transport in ("tls", "wss") else None
        for number in range(count):
            pipe = Pipe(transport, port, tls, source(number))
            ask(pipe, f"first{number}")
            self.pipes.append(pipe)
            self._selector.register(pipe, selectors.EVENT_READ)
            if number % TOGETHER == 0:
                self._serve(0.0)

    def lines(self, stream: TextIO) -> Iterator[str]:
        """The lines of a pipe; the connections are served while none comes. Raises OSError."""
        self._selector.register(stream, selectors.EVENT_READ)
        while True:
            if stream in self._serve(None):
                line = stream.readline()
                if not line:
                    return
                yield line

    def _serve(self, timeout: float | None) -> list[object]:
        """Whatever else there is to read, where there is something."""
        ready = [key.fileobj for key, _ in self._selector.select(timeout)]
        for each in ready:
            if isinstance(each, Pipe):
                each.serve()
        return [each for each in ready if not isinstance(each, Pipe)]


def main(transport: str, port: int, folder: Path, count: int) -> None:
    """Until stdin ends."""
    begun = time.monotonic()
    connections = Connections()
    connections.open(transport, port, folder, count)
    sys.stdout.write(f"held {time.monotonic() - begun}\n")
    sys.stdout.flush()
    for turn, _ in enumerate(connections.lines(sys.stdin)):
        chosen = connections.pipes[:: max(1, count // ASKED)]
        took = [ask(pipe, f"again{turn}-{number}") * 1e3 for number, pipe in enumerate(chosen)]
        sys.stdout.write(json.dumps({"median": statistics.median(took), "worst": max(took)}) + "\n")
        sys.stdout.flush()
    for pipe in connections.pipes:
        pipe.close()


if __name__ == "__main__":
    take_descriptors()
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
