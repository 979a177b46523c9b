"""``memory`` and ``scale``: the memory of a held call, and the cost of a call while many are held."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from interop.bench import progress, subjects
from interop.bench.garbage import worst_pause
from interop.bench.report import Row, Table
from interop.bench.server import Recipe, Server, StartError
from interop.bench.uas_load import CLIENT_CORE, SERVER_CORE, place_calls
from interop.sipp.process import Sipp

FILL = 1000
"""Calls placed a second while the number held grows."""
PROBE = 800
"""Calls placed a second while their cost is measured."""
FOREVER = "7200000"


@attrs.frozen
class Held:
    """The figures with ``calls`` calls held."""

    calls: int
    kilobytes: float
    """Resident memory that a held call has added, in units of 1,024 octets."""
    cpu_us: float
    """CPU time of one more call, placed and ended at once, in microseconds."""
    pause: float
    """Milliseconds that the event loop stood still at the worst, while those were placed."""
    filling: float
    """The same, while the calls to hold were placed."""


def measure(recipe: Recipe, sizes: list[int], folder: Path) -> list[Held]:
    """One server, filled to each size in turn by sipp's own UAC with a long call. Raises `StartError`."""
    found: list[Held] = []
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server(recipe, folder, SERVER_CORE))
        place_calls(server, folder, PROBE, 2.0)  # now everything that is allocated once is allocated
        empty, held = server.resident_bytes, 0
        for size in sizes:
            progress.show(f"{recipe.name}: filling up to {size:,} calls")
            printed = len(server.output)
            stack.enter_context(filled(server, folder, size - held))
            held = size
            grown = server.resident_bytes - empty
            filling = worst_pause(server.output[printed:])
            progress.show(f"{recipe.name}: cost of a call with {size:,} held")
            costs, pauses = _probed(server, folder)
            if not costs:
                raise StartError(f"no call got through while {size:,} were held")
            kilobytes = grown / size / 1024 if size else 0.0
            found.append(Held(size, kilobytes, min(costs), min(pauses), filling))
    return found


def _probed(server: Server, folder: Path) -> tuple[list[float], list[float]]:
    """CPU time a call, and the worst pause, of each run in which calls got through."""
    costs, pauses = [], []
    for _ in range(3):
        printed = len(server.output)
        run = place_calls(server, folder, PROBE, 4.0, to_the_end=True)
        if run.calls:
            costs.append(run.cpu_us)
            pauses.append(worst_pause(server.output[printed:]))
    return costs, pauses


@contextlib.contextmanager
def filled(server: Server, folder: Path, calls: int) -> Iterator[None]:
    """Holds ``calls`` more calls until the context is left. Raises `StartError` when one of them fails."""
    if not calls:
        yield
        return
    options = ("-d", FOREVER, "-r", str(FILL), "-l", str(calls))
    with Sipp(
        "uac", *options, folder=folder, target=server.target, calls=calls, core=CLIENT_CORE, trace=False
    ) as sipp:
        deadline = time.monotonic() + 2 * calls / FILL + 20
        while sipp.statistics.open < calls:
            seen = sipp.statistics
            if seen.failed or sipp.exited or time.monotonic() > deadline:
                raise StartError(f"holds {seen.open:,} of {calls:,} calls, {seen.failed:,} failed")
            time.sleep(0.2)
        time.sleep(1.0)  # the last ACK is through
        yield


def tables(folder: Path, quick: bool) -> list[Table]:
    """Both tables, for both ways to answer a call."""
    sizes = [0, 1_000, 10_000] if quick else [0, 1_000, 10_000, 100_000]
    memory: list[Row] = []
    scale: list[Row] = []
    pauses: list[Row] = []
    for recipe in subjects.HOLDING:
        try:
            found = measure(recipe, sizes, folder)
        except StartError as error:
            memory.append(Row(recipe.name, missing=str(error)))
            scale.append(Row(recipe.name, missing=str(error)))
            continue
        memory.append(Row(recipe.name, {f"{one.calls:,} calls": one.kilobytes for one in found if one.calls}))
        scale.append(Row(recipe.name, {f"{one.calls:,} held": one.cpu_us for one in found}))
        stood = {f"{one.calls:,} held": one.pause for one in found}
        stood |= {f"up to {one.calls:,}": one.filling for one in found[-1:]}
        pauses.append(Row(recipe.name, {**stood}))
    return [
        Table("memory", "KB of resident memory a held call, filled by sipp -sn uac", memory),
        Table("scale", f"µs CPU a call at {PROBE} calls/s while others are held", scale),
        Table("scale", f"ms that the loop stood still at the worst: {PROBE} calls/s, and filling", pauses),
    ]
