"""What the gate counts: ``python -m interop.bench.gate_work OPERATION COUNT`` does it so often, once warm."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from interop.bench import calibration
from interop.bench.core_server import CoreServer, calls
from interop.bench.invite import invite
from interop.bench.message_work import read_all, respond_all
from interop.bench.placing import place

UNIT = "calibration"
WARM_UP = 30

Operation = Callable[[int, int], object]
"""Does so many of its kind, of which none was done before: from a first number on."""


def _calibrate(first: int, count: int) -> None:
    for _ in range(count):
        calibration.work()


def _parse(first: int, count: int) -> None:
    read_all([invite(number) for number in range(first, first + count)])


def _respond(first: int, count: int) -> None:
    request = read_all([invite(0)])
    respond_all(request * count)


def operations() -> dict[str, Operation]:
    """By name. Parsing and responding include what it takes to make their input: next to nothing."""
    server = CoreServer()
    return {
        UNIT: _calibrate,
        "parse": _parse,
        "respond": _respond,
        "call": lambda first, count: calls(server, first, count),
        "place": lambda first, count: asyncio.run(place(count)),
    }


def main(name: str, count: int) -> None:
    """One run: the same but for ``count`` is what a difference of two runs leaves."""
    known = operations()
    for operation in known.values():
        operation(0, WARM_UP)
    known[name](WARM_UP, count)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
