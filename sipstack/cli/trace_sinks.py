"""A trace that several sinks receive."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class TraceSinks(Generic[T]):
    """Calls each of ``sinks`` for every message or packet.

    A sink that cannot write is removed, and ``failed`` is called: the user agent must go on, to end its calls
    in an orderly way.
    """

    __slots__ = ("_failed", "_sinks")

    def __init__(self, sinks: Iterable[Callable[[T], None]], failed: Callable[[OSError], None]) -> None:
        self._sinks = list(sinks)
        self._failed = failed

    def __call__(self, trace: T) -> None:
        for sink in tuple(self._sinks):
            try:
                sink(trace)
            except OSError as error:
                self._sinks.remove(sink)
                self._failed(error)
