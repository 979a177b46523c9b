"""Documents that are counted, and of which some tell only what has changed (RFC 4235 §4.3 and others)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import attrs


class Counted(Protocol):
    """A document. ``whole``: it tells all of the state."""

    @property
    def version(self) -> int: ...

    @property
    def whole(self) -> bool: ...


D = TypeVar("D", bound=Counted)


def numbered(document: Any, version: int) -> Any:
    """``document`` with this version."""
    return attrs.evolve(document, version=version)


def following(known: D | None, came: D, change: Callable[[D, D], D]) -> D | None:
    """The whole state once ``came`` is known, by ``change`` where it tells a part; None where one has been
    missed, so that the whole has to be asked for.
    """
    if came.whole:
        return came
    if known is None:
        return None
    if came.version <= known.version:
        return known
    return change(known, came) if came.version == known.version + 1 else None
