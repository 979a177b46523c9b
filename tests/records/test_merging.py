"""The chains of several nodes in one file, in the order of time, and each call once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sipstack.records.chain import Entry
from sipstack.records.merging import exported
from tests.records.books import NOON, call, key_of, lines, look, rewrite, ticking, told, write, wrong

NODES = ("node 1", "node 2", "node 3")


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Three nodes with five calls each, whose times lie between one another."""
    paths = []
    for place, node in enumerate(NODES):
        path = tmp_path / str(place) / "calls.jsonl"
        path.parent.mkdir()
        calls = [call(10 * place + number, nodes=(node,)) for number in range(5)]
        write(path, calls, node=node, every=1, clock=ticking(NOON + place / 10))
        paths.append(path)
    return paths


def export(paths: list[Path], folder: Path) -> Path:
    path = folder / "export.jsonl"
    rewrite(path, list(exported(look(*paths).chains)))
    return path


def test_the_calls_of_three_nodes_stand_in_the_order_of_time(paths: list[Path], tmp_path: Path) -> None:
    merged = export(paths, tmp_path)
    evidence = look(merged, keys=[key_of(path) for path in paths])
    assert evidence.findings.all == []
    assert len(evidence.calls) == 15
    times = [Entry.read(line).at for line in lines(merged)[1:22]]
    assert times == sorted(times)
    assert len({Entry.read(line).chain for line in lines(merged)[1:4]}) == 3


def test_three_folders_are_read_as_one_export_would_be(paths: list[Path]) -> None:
    evidence = look(*paths, keys=[key_of(path) for path in paths])
    assert evidence.findings.all == []
    assert len(evidence.calls) == 15


def test_an_export_names_nobody(paths: list[Path], tmp_path: Path) -> None:
    assert "example.com" not in export(paths, tmp_path).read_text()


def test_a_node_that_is_missing_is_missed_by_its_key(paths: list[Path], tmp_path: Path) -> None:
    keys = [key_of(path) for path in paths]
    merged = export(paths[:2], tmp_path)
    assert wrong(merged) == []
    assert wrong(merged, keys=keys[:2]) == []
    (finding,) = look(merged, keys=keys).findings.all
    assert (finding.kind, finding.wrong) == ("missing", True)
    assert keys[2][:16] in finding.text


def test_a_node_that_is_missing_is_told_where_calls_went_through_it(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, [call(1, nodes=("node 7", "node 1"), epoch=1)])
    (finding,) = look(path).findings.all
    assert (finding.kind, finding.wrong) == ("node", False)
    assert "node 7" in finding.text


def test_a_chain_that_is_taken_out_of_an_export_is_missed(paths: list[Path], tmp_path: Path) -> None:
    merged = export(paths, tmp_path)
    gone = look(paths[1]).chains[0].name.encode()
    content = lines(merged)
    rewrite(merged, [content[0], *(line for line in content[1:] if gone not in line)])
    assert [kind for kind, _ in wrong(merged)] == ["missing", "signature"]


@pytest.mark.parametrize("place", [1, 2, 9, 20])
def test_a_line_that_is_taken_out_of_an_export_is_missed(
    paths: list[Path], tmp_path: Path, place: int
) -> None:
    merged = export(paths, tmp_path)
    content = lines(merged)
    del content[place]
    rewrite(merged, content)
    assert {kind for kind, _ in wrong(merged)} <= {"gap", "cut"}
    assert wrong(merged)


def test_lines_of_two_chains_that_change_places_are_found(paths: list[Path], tmp_path: Path) -> None:
    merged = export(paths, tmp_path)
    content = lines(merged)
    content[5], content[6] = content[6], content[5]
    rewrite(merged, content)
    assert wrong(merged) == [("reordered", 6)]


def test_an_octet_of_an_export_that_is_changed_is_found(paths: list[Path], tmp_path: Path) -> None:
    merged = export(paths, tmp_path)
    whole = merged.read_bytes()
    begin = whole.index(b"\n") + 1  # the first line is a table of contents
    for place in range(begin, len(whole) - 1, 211):
        forged = bytearray(whole)
        forged[place] ^= 1
        merged.write_bytes(forged)
        assert wrong(merged), place


def test_a_first_line_that_hides_a_chain_is_found(paths: list[Path], tmp_path: Path) -> None:
    merged = export(paths, tmp_path)
    content = lines(merged)
    content[0] = next(exported(look(*paths[:2]).chains))
    rewrite(merged, content)
    assert "forged" in {kind for kind, _ in wrong(merged)}


def test_a_clock_that_was_set_back_takes_no_entry_out_of_its_chain(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    write(first, [call(1), call(2), call(3)], every=1, clock=ticking(NOON, -60))
    write(second, [call(4, nodes=("node 2",))], node="node 2", every=1, clock=ticking(NOON - 30))
    merged = export([first, second], tmp_path)
    assert (wrong(merged), told(merged)) == ([], [])


def test_tables_and_files_are_exported_together(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.sqlite"
    write(first, [call(1)])
    write(second, [call(2, nodes=("node 2",))], node="node 2")
    merged = export([first, second], tmp_path)
    assert (wrong(merged), told(merged)) == ([], [])
    assert len(look(merged).calls) == 2


# -- one record a call -------------------------------------------------------------------------------------


def test_of_two_records_of_a_call_that_of_its_last_owner_counts(tmp_path: Path) -> None:
    """Node 1 was slow, not dead: it has told of the end as well."""
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    write(first, [call(1, reason="stale"), call(2)])
    write(second, [call(1, epoch=1, nodes=NODES[:2], reason="right")], node="node 2")
    for paths in ([first, second], [second, first]):
        evidence = look(*paths)
        (finding,) = evidence.findings.all
        assert (finding.kind, finding.wrong, finding.file) == ("duplicate", False, str(first))
        assert sorted(each.reason for each in evidence.calls) == ["", "right"]
    assert told(export([first, second], tmp_path)) == ["duplicate"]


def test_one_process_writes_no_second_record_of_a_call(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, [call(1), call(1), call(2)])
    write(path, [call(2), call(3)])
    assert told(path) == []
    assert [each.call_id for each in look(path).calls] == ["call-1", "call-2", "call-3"]


def test_a_call_that_was_taken_over_and_came_back_has_its_later_record(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, [call(1), call(1, epoch=2, reason="right")])
    assert told(path) == ["duplicate"]
    assert [each.reason for each in look(path).calls] == ["right"]


def test_a_chain_that_is_given_twice_is_found(tmp_path: Path) -> None:
    path, copy = tmp_path / "calls.jsonl", tmp_path / "copy.jsonl"
    write(path, [call(1)])
    shutil.copy(path, copy)
    shutil.copy(path.with_name("calls.jsonl.sig"), copy.with_name("copy.jsonl.sig"))
    assert len(look(path, copy).calls) == 1
    assert told(path, copy) == ["duplicate"]
