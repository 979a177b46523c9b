"""The operations that the gate counts.

``python -m interop.bench.gate_work OPERATION COUNT`` does one of them COUNT times, after a warm-up.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable

from interop.bench import calibration
from interop.bench.core_server import CoreServer, calls
from interop.bench.invite import invite
from interop.bench.message_work import read_all, respond_all
from interop.bench.placed_calls import place

UNIT = "calibration"
WARM_UP = 30

Operation = Callable[[int, int], object]
"""Called with a first number and a count: does the operation for each of these numbers, once."""


def _calibrate(first: int, count: int) -> None:
    for _ in range(count):
        calibration.work()


def _parse(first: int, count: int) -> None:
    read_all([invite(number) for number in range(first, first + count)])


def _respond(first: int, count: int) -> None:
    request = read_all([invite(0)])
    respond_all(request * count)


def operations() -> dict[str, Operation]:
    """All operations by name. Making the input of a parse or a response is counted too: it costs little."""
    server = CoreServer()
    return {
        UNIT: _calibrate,
        "parse": _parse,
        "respond": _respond,
        "call": lambda first, count: calls(server, first, count),
        "place": lambda first, count: asyncio.run(place(count)),
    }


def main(name: str, count: int) -> None:
    """One run. The difference of two runs is the cost of the difference of their counts."""
    known = operations()
    for operation in known.values():
        operation(0, WARM_UP)
    gc.collect()
    gc.freeze()  # what is loaded is not looked through again: a new module makes no operation dearer
    known[name](WARM_UP, count)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
