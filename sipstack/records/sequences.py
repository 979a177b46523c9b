"""Lines in their order, which need not be in memory: each time they are looked at they may be read anew."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Protocol

import attrs

from sipstack.records.findings import Line


class Lines(Protocol):
    """In their order."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Line]: ...

    def __getitem__(self, position: int) -> Line: ...


@attrs.frozen
class Joined:
    """Those of several, one after another."""

    parts: Sequence[Lines]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __iter__(self) -> Iterator[Line]:
        for part in self.parts:
            yield from part

    def __getitem__(self, position: int) -> Line:
        position = range(len(self))[position]
        for part in self.parts:
            if position < len(part):
                return part[position]
            position -= len(part)
        raise IndexError(position)


@attrs.frozen
class Chosen:
    """Some of ``lines``, by their positions."""

    lines: Lines
    positions: array[int] = attrs.field(factory=lambda: array("Q"))

    def __len__(self) -> int:
        return len(self.positions)

    def __iter__(self) -> Iterator[Line]:
        for position in self.positions:
            yield self.lines[position]

    def __getitem__(self, position: int) -> Line:
        return self.lines[self.positions[position]]
