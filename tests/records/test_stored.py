"""Lines that stay where they are, and are read as often as they are looked at."""

from __future__ import annotations

import sqlite3
import tracemalloc
from array import array
from pathlib import Path

import pytest

from sipstack.errors import StoreError
from sipstack.records import stored
from sipstack.records.chain import LONGEST_LINE
from sipstack.records.reading import read
from sipstack.records.sequences import Chosen, Joined
from sipstack.records.signing import has_signed
from sipstack.records.stored import FileLines, TableLines
from tests.records.books import call, write

CONTENTS = [
    b"",
    b"\n",
    b"one",
    b"one\n",
    b"one\ntwo",
    b"one\n\nthree\n",
    b"one\ntwo\n" + b"x" * 50 + b"\nend\n",
]


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("block", [1, 4, 7, 2**20])
def test_they_are_those_of_the_file(
    content: bytes, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "BLOCK", block)
    path = tmp_path / "lines"
    path.write_bytes(content)
    lines = FileLines(path)
    *whole, rest = content.split(b"\n")
    expected = [(octets, True) for octets in whole] + ([(rest, False)] if rest else [])
    assert [(line.octets, line.whole) for line in lines] == expected
    assert [(lines[at].octets, lines[at].whole) for at in range(len(lines))] == expected
    assert [line.place for line in lines] == [*range(1, len(expected) + 1)]
    assert not expected or lines[-1].octets == expected[-1][0]


@pytest.mark.parametrize("end", [b"", b"\n", b"\nnext\n"])
def test_of_an_endless_line_there_is_as_much_as_shows_that_it_is_too_long(end: bytes, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"first\n" + b"x" * (3 * 2**20) + end)
    lines = FileLines(path)
    assert [len(line.octets) for line in lines][:2] == [5, LONGEST_LINE + 1]
    assert [line.octets for line in lines][2:] == ([b"next"] if end == b"\nnext\n" else [])


def test_what_is_appended_meanwhile_is_none_of_them(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntw")
    lines = FileLines(path)
    with path.open("ab") as file:
        file.write(b"o\nthree\n")
    assert [line.octets for line in lines] == [b"one", b"tw"]


def test_another_file_in_its_place_is_told(tmp_path: Path) -> None:
    """As when the process that writes it begins a new one."""
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntwo\n")
    lines = FileLines(path)
    path.rename(tmp_path / "before")
    path.write_bytes(b"one\ntwo\n")
    with pytest.raises(StoreError, match="was replaced while it was read"):
        list(lines)


def test_several_files_are_one_list_and_some_lines_of_one_another(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path, content in zip(paths, (b"1\n2\n", b"", b"3\n4\n"), strict=True):
        path.write_bytes(content)
    joined = Joined([*map(FileLines, paths)])
    assert [line.octets for line in joined] == [b"1", b"2", b"3", b"4"]
    assert [joined[at].octets for at in (0, 2, -1)] == [b"1", b"3", b"4"]
    with pytest.raises(IndexError):
        joined[4]
    chosen = Chosen(joined, array("Q", [1, 3]))
    assert ([line.octets for line in chosen], chosen[-1].octets, len(chosen)) == ([b"2", b"4"], b"4", 2)


@pytest.mark.parametrize(
    "change", ["DELETE FROM entries WHERE number = 1", "DELETE FROM entries WHERE number = 4"]
)
def test_entries_that_go_while_they_are_read_are_told(change: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    write(path, [call(number) for number in range(3)])
    lines = TableLines(path)
    assert (len(lines), [line.place for line in lines]) == (5, [1, 2, 3, 4, 5])
    assert lines[-1] == [*lines][-1]
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    connection.close()
    with pytest.raises(StoreError, match="was changed while it was read"):
        list(lines)


def test_entries_that_come_while_they_are_read_are_none_of_them(tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite"
    write(path, [call(1)])
    lines = TableLines(path)
    write(path, [call(2)])
    assert [line.place for line in lines] == [1, 2, 3]


def test_who_only_verifies_holds_little_of_a_long_chain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some 200 octets of each entry: its hash, and which call it is."""
    monkeypatch.setattr(stored, "BLOCK", 2**16)
    path = tmp_path / "calls.jsonl"
    write(path, [call(number) for number in range(1_000)], every=100)
    read([path], has_signed, only_count=True)  # what is imported, and remembered once
    tracemalloc.start()
    evidence = read([path], has_signed, only_count=True)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (evidence.count, evidence.calls, evidence.findings.any_wrong) == (1_000, [], False)
    assert most < path.stat().st_size  # it was eight times as much, now less than half
