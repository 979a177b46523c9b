"""Where the shared conformance material lies, read in place and never copied."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).parents[2] / "shared"


def shared(name: str) -> Path:
    """The folder ``name`` of the shared material; skips the test where it is absent."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"the shared folder {name}/ is not beside this checkout")
    return folder


def torture_index(name: str) -> list[dict[str, str]]:
    """The rows of a torture folder's index; empty where the folder is absent."""
    index = SHARED / name / "index.tsv"
    if not index.is_file():
        return []
    with index.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def torture_parameters(name: str) -> list[Any]:
    """One pytest parameter a torture message; a single skipped one where the folder is absent."""
    rows = torture_index(name)
    if not rows:
        reason = f"the shared folder {name}/ is not beside this checkout"
        return [pytest.param({}, marks=pytest.mark.skip(reason=reason), id="absent")]
    return [pytest.param(row, id=row["name"]) for row in rows]
