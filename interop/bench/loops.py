"""The event loop that a process under measurement runs on: asyncio's own, or uvloop's where asked for."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Collection, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
UVLOOP = "--uvloop"


def run(work: Coroutine[Any, Any, T], options: Collection[str]) -> T:
    """Runs ``work`` to its end."""
    if UVLOOP not in options:
        return asyncio.run(work)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def has_uvloop() -> bool:
    """Whether it is installed."""
    return importlib.util.find_spec("uvloop") is not None
