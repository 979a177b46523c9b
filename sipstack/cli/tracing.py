"""Traces, handed to everything that follows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipstack import TracedMessage

Sink = Callable[["TracedMessage"], None]


class Tracing:
    """A trace sink in front of several.

    A sink that cannot write is taken out, and ``failed`` is told: the agent that calls us must go on, to end
    its calls in an orderly way.
    """

    __slots__ = ("_failed", "_sinks")

    def __init__(self, sinks: Iterable[Sink], failed: Callable[[OSError], None]) -> None:
        self._sinks = list(sinks)
        self._failed = failed

    def __call__(self, trace: TracedMessage) -> None:
        for sink in tuple(self._sinks):
            try:
                sink(trace)
            except OSError as error:
                self._sinks.remove(sink)
                self._failed(error)
