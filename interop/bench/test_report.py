"""What a run leaves: a table, JSON and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from interop.bench import plot, report
from interop.bench.report import Row, Table

TABLE = Table(
    "signalling",
    "calls",
    [Row("sipp", {"calls/s": 20250.4, "ratio": 1.0}), Row("a <peer>", missing="cannot be installed")],
)


def test_the_table_is_aligned_and_says_what_is_missing() -> None:
    assert TABLE.text() == (
        "signalling: calls\n"
        "          calls/s  ratio\n"
        "sipp       20,250      1\n"
        "a <peer>        -      -\n"
        "a <peer>: not measured: cannot be installed\n"
    )


def test_the_figures_are_written_as_json(tmp_path: Path) -> None:
    report.write_json([TABLE], tmp_path / "bench.json", steal=0.0123, busy=0.2)
    written = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert (written["machine"]["steal"], written["machine"]["busy"]) == (0.0123, 0.2)
    assert written["tables"][0]["rows"][1] == {
        "subject": "a <peer>",
        "figures": {},
        "missing": "cannot be installed",
    }


def test_the_picture_has_a_bar_for_each_figure(tmp_path: Path) -> None:
    plot.write([TABLE], tmp_path / "bench.svg")
    picture = ElementTree.parse(tmp_path / "bench.svg").getroot()
    bars = picture.findall("{http://www.w3.org/2000/svg}rect[@class='b']")
    assert len(bars) == 2
