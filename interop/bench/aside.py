"""``aside``: the memory of a call whose record is out of the process, held here or set aside."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from interop.bench import progress
from interop.bench.held_calls import PROBE, filled
from interop.bench.kept import stores
from interop.bench.report import Row, Table
from interop.bench.server import Recipe, Server, StartError, python
from interop.bench.uas_load import SERVER_CORE, place_calls

OVER = 40.0
"""Seconds until the transactions of the calls are over (RFC 3261 §17: 64*T1), and their memory is free."""


def table(folder: Path, quick: bool) -> Table:
    """Calls of ``sipp -sn uac`` at rest, in each store that is out of the process."""
    calls = 2_000 if quick else 10_000
    with ExitStack() as stack:
        rows = [_row(recipe, calls, folder) for recipe in _recipes(folder, stack)]
    return Table("aside", "octets of resident memory a call that is up, no media", rows)


def _recipes(folder: Path, stack: ExitStack) -> Iterator[Recipe]:
    for kind, where in stores(folder, stack):
        for mode, name in (("handler", "held here"), ("aside", "set aside")):
            arguments = mode, "{port}", f"--sessions={kind}:{where}"
            yield python(f"{kind}, {name}", "interop.bench.uas", *arguments)


def _row(recipe: Recipe, calls: int, folder: Path) -> Row:
    progress.show(f"{recipe.name}: {calls:,} calls")
    try:
        with Server(recipe, folder, SERVER_CORE) as server:
            place_calls(server, folder, PROBE, 4.0)  # now everything that is allocated once is allocated
            time.sleep(OVER)
            empty = server.resident_bytes
            with filled(server, folder, calls):
                time.sleep(OVER)
                grown = server.resident_bytes - empty
    except StartError as error:
        return Row(recipe.name, missing=str(error))
    return Row(recipe.name, {f"{calls:,} calls": grown / calls})
