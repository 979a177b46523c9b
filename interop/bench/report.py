"""The results of a benchmark: named rows of figures, printed as a table and written as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

Value = float | int | str | None


@attrs.frozen
class Row:
    """The figures of one subject, by their name with the unit; or the reason why there are none."""

    subject: str
    figures: dict[str, Value] = attrs.field(factory=dict)
    missing: str = ""


@attrs.frozen
class Table:
    """One benchmark. The rows may have different figures."""

    name: str
    what: str
    rows: Sequence[Row]

    def text(self) -> str:
        """For a terminal."""
        columns = list(dict.fromkeys(name for row in self.rows for name in row.figures))
        cells = [["", *columns], *([row.subject, *_cells(row, columns)] for row in self.rows)]
        widths = [max(len(line[column]) for line in cells) for column in range(len(columns) + 1)]
        lines = ["  ".join(map(_aligned, line, widths, range(len(line)))).rstrip() for line in cells]
        absent = [f"{row.subject}: not measured: {row.missing}" for row in self.rows if row.missing]
        return "\n".join([f"{self.name}: {self.what}", *lines, *absent, ""])


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    return [_cell(row.figures.get(name)) for name in columns]


def _cell(value: Value) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else value


def _aligned(text: str, width: int, column: int) -> str:
    return text.ljust(width) if column == 0 else text.rjust(width)


def write_json(tables: Sequence[Table], path: Path, *, steal: float, busy: float) -> None:
    """All tables and the machine: the CPU time that its host took, and what others used before the run."""
    about: dict[str, Any] = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
        "steal": round(steal, 4),
        "busy": round(busy, 4),
    }
    content = {"machine": about, "tables": [attrs.asdict(table) for table in tables]}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
