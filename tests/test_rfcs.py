"""sipstack/RFCS.md keeps its word: each test that it names exists, and nothing is done without a test."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path
from typing import NamedTuple

import pytest

PROJECT = Path(__file__).parents[1]
TABLES = PROJECT / "sipstack" / "RFCS.md"
STATES = ("done", "partly", "not")


class Row(NamedTuple):
    line: int
    section: str
    state: str
    missing: str
    tests: tuple[str, ...]


def rows() -> list[Row]:
    """The rows of all tables; a row with another number of cells is an error."""
    found = []
    for number, line in enumerate(TABLES.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("|") and not line.startswith(("| section |", "|---")):
            section, state, missing, tests = (cell.strip() for cell in line[1:-1].split("|"))
            found.append(Row(number, section, state, missing, tuple(re.findall("`([^`]*)`", tests))))
    return found


ROWS = rows()
NAMED = sorted({test for row in ROWS for test in row.tests})


@functools.cache
def functions_of(path: Path) -> frozenset[str]:
    """The names of the test functions in a file, also of those in classes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


@pytest.mark.parametrize("named", NAMED)
def test_each_test_that_is_named_exists(named: str) -> None:
    file, _, name = named.partition("::")
    path = (PROJECT if file.startswith("interop/") else PROJECT / "tests") / file
    assert path.is_file(), f"{named}: there is no such file"
    assert name in functions_of(path), f"{named}: there is no such test"


def test_every_row_has_a_state() -> None:
    assert [row for row in ROWS if row.state not in STATES] == []


def test_what_is_done_is_tested() -> None:
    assert [row for row in ROWS if row.state == "done" and not row.tests] == []


def test_what_is_partly_done_says_what_is_missing() -> None:
    assert [row for row in ROWS if row.state == "partly" and not row.missing] == []


def test_what_is_not_done_names_no_test() -> None:
    assert [row for row in ROWS if row.state == "not" and row.tests] == []


def test_each_section_comes_once() -> None:
    sections = [row.section for row in ROWS]
    assert len(sections) > 200
    assert [section for section in sections if sections.count(section) > 1] == []
