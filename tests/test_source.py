"""The rules see what they are to see: imports in every form, circles, caches."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.source import Cache, Import, caches, circles, imports


def test_imports_in_every_form(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(
        "import asyncio, logging\n"
        "from sipstack import sdp\n"
        "from sipstack.message import Request\n"
        "if TYPE_CHECKING:\n    from sipstack.core import Core\n"
        "def late():\n    import socket\n"
    )
    assert imports(path) == [
        Import(1, "asyncio", False, False),
        Import(1, "logging", False, False),
        Import(2, "sipstack.sdp", False, False),
        Import(3, "sipstack.message", False, False),
        Import(5, "sipstack.core", True, False),
        Import(7, "socket", False, True),
    ]


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        ({}, []),
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"a"}}, [["a"]]),
        ({"a": {"b"}, "b": {"a"}, "c": {"a"}}, [["a", "b"]]),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"e"}, "e": {"d", "a"}}, [["a", "b", "c"], ["d", "e"]]),
        ({"a": {"elsewhere"}}, []),
    ],
)
def test_circles(graph: dict[str, set[str]], found: list[list[str]]) -> None:
    assert circles(graph) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from functools import lru_cache\n@lru_cache(maxsize=8)\ndef f(): ...", [Cache(2, "f", 8)]),
        ("import functools\n@functools.lru_cache\ndef f(): ...", [Cache(2, "f", None)]),
        ("import functools\n@functools.cache\ndef f(): ...", [Cache(2, "f", None)]),
        ("from functools import cache as kept\ng = kept(f)", [Cache(2, "g", None)]),
        ("from functools import lru_cache\ng = lru_cache(maxsize=9)(f)", [Cache(2, "g", 9)]),
        ("from functools import lru_cache\ng = lru_cache(maxsize=None)(f)", [Cache(2, "g", None)]),
        ("from functools import lru_cache\ng = lru_cache(maxsize=SIZE)(f)", [Cache(2, "g", None)]),
        ("from functools import lru_cache\ndef h(f):\n  return lru_cache(f)", [Cache(3, "(no name)", None)]),
        ("class A:\n  cache = {}\n  def f(self): return self.cache", []),
    ],
)
def test_caches(text: str, found: list[Cache]) -> None:
    assert caches(ast.parse(text)) == found
