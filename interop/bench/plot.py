"""The figures as one SVG picture: a panel of horizontal bars for each figure of each table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from interop.bench.report import Table

WIDTH = 760
LABEL = 240
BAR = 18
GAP = 6
HEADING = 34
NOT_DRAWN = {"steal"}

_STYLE = "text{font:12px sans-serif;fill:#222}.t{font-weight:bold}.b{fill:#3b6ea5}.s{fill:#c8553d}"


def write(tables: Sequence[Table], path: Path) -> None:
    """Writes the picture; sipstack's own bars stand out."""
    parts: list[str] = []
    top = GAP
    for title, bars in _panels(tables):
        parts.append(f'<text class="t" x="8" y="{top + 22}">{escape(title)}</text>')
        top += HEADING
        highest = max(value for _, value in bars) or 1.0
        for subject, value in bars:
            parts.append(_bar(subject, value, value / highest, top))
            top += BAR + GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top + GAP}">'
    body = "\n".join(
        [head, f"<style>{_STYLE}</style>", '<rect width="100%" height="100%" fill="#fff"/>', *parts]
    )
    path.write_text(f"{body}\n</svg>\n", encoding="utf-8")


def _panels(tables: Sequence[Table]) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    for table in tables:
        names = dict.fromkeys(name for row in table.rows for name in row.figures if name not in NOT_DRAWN)
        for name in names:
            figures = [(row.subject, row.figures.get(name)) for row in table.rows]
            bars = [(subject, float(value)) for subject, value in figures if isinstance(value, int | float)]
            if bars:
                yield f"{table.name}: {name}", bars


def _bar(subject: str, value: float, share: float, top: int) -> str:
    width = max(1, round(share * (WIDTH - LABEL - 90)))
    kind = "s" if subject.startswith("sipstack") else "b"
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return (
        f'<text x="{LABEL - 8}" y="{top + 13}" text-anchor="end">{escape(subject)}</text>'
        f'<rect class="{kind}" x="{LABEL}" y="{top}" width="{width}" height="{BAR}"/>'
        f'<text x="{LABEL + width + 6}" y="{top + 13}">{text}</text>'
    )
