"""``kept``: the highest rate of calls where each is kept beyond its process, beside where none is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from interop.bench import rate_search
from interop.bench.rate_search import Run
from interop.bench.report import Row, Table
from interop.bench.server import Recipe, python
from interop.bench.signalling import CPU, RATE, WHAT
from interop.bench.uas_load import UasLoad
from interop.redis.server import Redis

RATIO = "ratio to memory"


def table(folder: Path, quick: bool) -> Table:
    """``sipp -sn uac -d 0`` calls the UAS whose policy answers, with each store."""
    seconds, tries = (1.5, 2) if quick else (2.5, 3)
    best: dict[str, Run] = {}
    with ExitStack() as stack:
        recipes = list(_recipes(folder, stack))
        for _ in range(1 if quick else 2):
            for recipe in recipes:
                with UasLoad(recipe, folder, seconds) as load:
                    top = rate_search.ceiling(load, 800, tries=tries)
                if top is not None and (recipe.name not in best or top.rate > best[recipe.name].rate):
                    best[recipe.name] = top
    memory = best.get("memory")
    rows = [_row(recipe.name, best.get(recipe.name), memory) for recipe in recipes]
    if shutil.which("redis-server") is None:
        rows.append(Row("redis", missing="redis-server is not installed"))
    return Table("calls that are kept, UAS", f"INVITE 200 ACK BYE 200, policy hook: {WHAT}", rows)


def _recipes(folder: Path, stack: ExitStack) -> Iterator[Recipe]:
    yield _recipe("not kept")
    yield _recipe("memory", "--sessions=memory")
    yield _recipe("sealed", "--sessions=sealed")
    for kind, where in stores(folder, stack):
        yield _recipe(kind, f"--sessions={kind}:{where}")


def stores(folder: Path, stack: ExitStack) -> Iterator[tuple[str, str]]:
    """The kinds of stores that are out of the process, and where each is; Redis runs as long as ``stack``."""
    yield "sqlite", str(folder / "calls.db")
    if shutil.which("redis-server") is not None:
        redis = Redis(folder)
        redis.start()
        stack.callback(redis.kill)
        yield "redis", redis.url


def _recipe(name: str, *options: str) -> Recipe:
    return python(name, "interop.bench.uas", "policy", "{port}", *options)


def _row(name: str, run: Run | None, memory: Run | None) -> Row:
    if run is None:
        return Row(name, missing="no rate was without failed calls or retransmissions")
    return Row(name, {RATE: run.rate, RATIO: run.rate / memory.rate if memory else None, CPU: run.cpu_us})
