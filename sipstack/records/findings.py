"""What a look at records found: what is wrong, and what is worth knowing although it may be in order."""

from __future__ import annotations

import attrs


@attrs.frozen
class Line:
    """One line of a file without its end. ``whole``: whether it had one; ``place``: its number, from 1."""

    file: str
    place: int
    octets: bytes
    whole: bool = True


@attrs.frozen
class Finding:
    """``kind``: "gap", "changed", "reordered", "forged", "cut", "signature", "missing" are wrong; "torn",
    "unsigned", "open", "lost", "dropped", "duplicate", "node" are told.
    """

    kind: str
    text: str
    wrong: bool = True
    file: str = ""
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.line is not None else f"{self.file}: " * bool(self.file)
        return f"{where}{self.kind}: {self.text}"


class Findings:
    """A list that is filled while one looks."""

    def __init__(self) -> None:
        self.all: list[Finding] = []

    def wrong(self, kind: str, text: str, line: Line | None = None) -> None:
        self._add(kind, text, True, line)

    def told(self, kind: str, text: str, line: Line | None = None) -> None:
        self._add(kind, text, False, line)

    def _add(self, kind: str, text: str, wrong: bool, line: Line | None) -> None:
        file, place = ("", None) if line is None else (line.file, line.place)
        self.all.append(Finding(kind, text, wrong, file, place))

    @property
    def any_wrong(self) -> bool:
        return any(finding.wrong for finding in self.all)
