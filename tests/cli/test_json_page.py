"""The page that documents ``--json`` says what the program does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import sipstack
from sipstack.cli.report import KEYS

PACKAGE = Path(sipstack.__file__).parent
PAGE = (PACKAGE / "JSON.md").read_text(encoding="utf-8")


def first_column(title: str) -> list[str]:
    """What stands in back quotes in the first column of the table with this title."""
    found = re.search(rf"^\| {title} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert found is not None
    return re.findall(r"^\| `(\w+)` \|", found[1], re.MULTILINE)


def reported() -> set[str]:
    """The events that the program makes: ``Event("calling", ...)`` and ``evolve(..., event="cancelled")``."""
    names = set()
    for path in (PACKAGE / "cli").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Event":
                names.add(ast.literal_eval(node.args[0]))
            if isinstance(node, ast.keyword) and node.arg == "event":
                names.add(ast.literal_eval(node.value))
    return names


def test_every_key_is_explained_in_its_order() -> None:
    assert tuple(first_column("key")) == KEYS


def test_every_event_is_explained_once() -> None:
    assert sorted(first_column("event")) == sorted(reported())


def test_the_keys_that_the_events_name_are_keys() -> None:
    table = PAGE[PAGE.index("| event | of |") :]
    rows = re.findall(r"^\| `\w+` \| [^|]* \| (.*) \|$", table, re.MULTILINE)
    named = {word for row in rows for word in re.findall(r"`(\w+)`", row)} - {"null", "invited", "answer"}
    assert len(rows) == len(reported())
    assert named <= set(KEYS)
