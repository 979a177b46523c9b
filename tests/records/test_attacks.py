"""The attacker may write the files, and has no key: what he does is found, and where."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipstack.records.chain import CALL, KINDS, OPENED, Entry, Head, canonical
from sipstack.records.checkpoint import Checkpoint
from sipstack.records.commitment import Opening, commitment
from sipstack.records.merging import exported
from sipstack.records.record import PERSONAL
from sipstack.records.signing import Signer
from tests.records.books import call, key_of, lines, look, rewrite, told, write, wrong
from tests.records.test_chain import VALUE

NAMES = ("key", "epoch", "nodes", "node", "ended", "every", "torn", "last", "hash", "call_id", *PERSONAL)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Ten calls, with the entries that open and close the chain around them; signed each four."""
    path = tmp_path / "calls.jsonl"
    write(path, [call(number) for number in range(10)])
    return path


def signatures(path: Path) -> Path:
    return path.with_name(path.name + ".sig")


def test_nothing_is_wrong_with_what_nobody_has_touched(path: Path) -> None:
    evidence = look(path, keys=[key_of(path)])
    assert evidence.findings.all == []
    assert [each.call_id for each in evidence.calls] == [f"call-{number}" for number in range(10)]
    assert evidence.calls[3].remote == "sip:caller3@example.com"


# -- the chain ---------------------------------------------------------------------------------------------


def test_each_octet_that_is_changed_is_found(path: Path) -> None:
    whole = path.read_bytes()
    rng = range(0, len(whole), 37)
    for place in rng:
        forged = bytearray(whole)
        forged[place] ^= 1
        path.write_bytes(forged)
        assert wrong(path), place
    path.write_bytes(whole)
    assert wrong(path) == []


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_cut_put_in_or_replaced_is_found(path: Path, data: st.DataObject) -> None:
    kept = path.with_name("kept")
    if not kept.exists():
        shutil.copy(path, kept)
    whole = kept.read_bytes()
    begin = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(begin, min(begin + 400, len(whole))))
    middle = data.draw(st.binary(max_size=60))
    forged = whole[:begin] + middle + whole[end:]
    path.write_bytes(forged)
    assert bool(wrong(path)) == (forged != whole)


def test_a_changed_call_is_found_in_its_line(path: Path) -> None:
    content = lines(path)
    content[5] = content[5].replace(b'"answered","peer"', b'"refused","peer"')
    assert content != lines(path)
    rewrite(path, content)
    assert wrong(path) == [("changed", 6)]


def test_a_changed_call_whose_hash_is_reckoned_anew_breaks_the_chain_behind_it(path: Path) -> None:
    content = lines(path)
    entry = Entry.read(content[5])
    forged = attrs.evolve(entry, body={**entry.body, "duration": 1})
    content[5] = attrs.evolve(forged, hash=forged.reckoned()).line()
    rewrite(path, content)
    assert wrong(path) == [("changed", 7)]


def test_a_whole_chain_that_is_reckoned_anew_is_not_the_one_that_was_signed(path: Path) -> None:
    content = lines(path)
    entries = [Entry.read(line) for line in content]
    last = entries[0]
    for place, entry in enumerate(entries[1:], 1):
        body = {**entry.body, "duration": 1} if place == 2 else entry.body
        last = Entry.after(last, entry.kind, body, entry.at)
        content[place] = last.line()
    rewrite(path, content)
    assert {kind for kind, _ in wrong(path)} == {"changed"}


def test_a_line_that_is_written_otherwise_is_found_though_it_says_the_same(path: Path) -> None:
    content = lines(path)
    content[4] = content[4].replace(b'"at":', b'"at": ')
    rewrite(path, content)
    assert wrong(path)[0] == ("changed", 5)


def test_a_line_that_is_left_out_is_missed(path: Path) -> None:
    content = lines(path)
    del content[6]
    rewrite(path, content)
    (finding,) = look(path).findings.all
    assert (finding.kind, finding.line) == ("gap", 7)
    assert "entry 6 is missing" in finding.text


def test_several_lines_that_are_left_out_are_missed(path: Path) -> None:
    content = lines(path)
    del content[3:7]
    rewrite(path, content)
    (finding,) = look(path).findings.all
    assert (finding.kind, finding.line) == ("gap", 4)
    assert "entries 3 to 6 are missing" in finding.text


def test_two_lines_that_are_swapped_are_found(path: Path) -> None:
    content = lines(path)
    content[4], content[5] = content[5], content[4]
    rewrite(path, content)
    assert wrong(path) == [("reordered", 5), ("reordered", 6)]


def test_a_line_that_is_there_twice_is_found(path: Path) -> None:
    content = lines(path)
    content.insert(6, content[5])
    rewrite(path, content)
    assert wrong(path) == [("forged", 7)]


@pytest.mark.parametrize("cut", [1, 2, 5, 11])
def test_a_tail_that_is_cut_is_missed(path: Path, cut: int) -> None:
    rewrite(path, lines(path)[:-cut])
    assert wrong(path)[0][0] == "cut"


def test_a_beginning_that_is_cut_is_missed(path: Path) -> None:
    rewrite(path, lines(path)[3:])
    assert wrong(path) == [("gap", 1)]


def test_an_empty_file_is_a_cut(path: Path) -> None:
    path.write_bytes(b"")
    assert {kind for kind, _ in wrong(path)} == {"cut"}


def test_a_forged_call_behind_the_signed_end_is_found(path: Path) -> None:
    last = Entry.read(lines(path)[-1])
    forged = Entry.after(last, CALL, call(99).as_values(), last.at)
    rewrite(path, [*lines(path), forged.line()])
    assert wrong(path) == [("forged", 13)]


def test_a_process_that_was_never_begun_is_found(path: Path) -> None:
    """Who forges a beginning cannot sign it, and a real one signs it before anything else."""
    last = Entry.read(lines(path)[-1])
    opened = Entry.after(last, OPENED, {"node": "node 1", "every": 1000}, last.at)
    forged = Entry.after(opened, CALL, call(99).as_values(), last.at)
    rewrite(path, [*lines(path), opened.line(), forged.line()])
    assert wrong(path) == [("forged", 14)]


def test_the_chain_of_another_node_is_no_part_of_this_one(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    write(other, [call(50)])
    content = lines(path)
    content[3] = lines(other)[1]
    rewrite(path, content)
    assert ("forged", 4) in wrong(path)


def test_forged_calls_while_the_process_runs_break_the_chain_as_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, [call(1)], end=False)
    last = Entry.read(lines(path)[-1])
    forged = Entry.after(last, CALL, call(99).as_values(), last.at)
    real = Entry.after(last, CALL, call(2).as_values(), last.at)
    rewrite(path, [*lines(path), forged.line(), real.line()])
    assert wrong(path) == [("forged", 4)]
    assert Entry.read(lines(path)[2]).number == Entry.read(lines(path)[3]).number


def test_what_was_put_behind_the_last_signature_of_a_killed_process_is_told_as_unsigned(
    tmp_path: Path,
) -> None:
    """It cannot be told from what the process has written; so it is told, now and for ever."""
    path = tmp_path / "calls.jsonl"
    write(path, [call(1)], end=False)
    last = Entry.read(lines(path)[-1])
    rewrite(path, [*lines(path), Entry.after(last, CALL, call(99).as_values(), last.at).line()])
    assert (wrong(path), told(path)) == ([], ["unsigned"])
    write(path, [call(2)])
    assert (wrong(path), told(path)) == ([], ["unsigned"])


def test_more_forged_calls_than_may_be_unsigned_are_found(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    write(path, [call(1)], end=False)
    content = lines(path)
    last = Entry.read(content[-1])
    for number in range(4):
        last = Entry.after(last, CALL, call(90 + number).as_values(), last.at)
        content.append(last.line())
    rewrite(path, content)
    assert [kind for kind, _ in wrong(path)] == ["signature"]


# -- the signatures ----------------------------------------------------------------------------------------


def test_an_old_file_of_signatures_with_a_cut_tail_is_found(path: Path, tmp_path: Path) -> None:
    """He cut the chain, and put back the signatures of that time: a copy that an auditor has shows it."""
    copy = tmp_path / "copy.sig"
    shutil.copy(signatures(path), copy)
    rewrite(signatures(path), lines(signatures(path))[:2])
    rewrite(path, lines(path)[:5])
    assert wrong(path, signatures=copy)[0][0] == "cut"
    assert told(path) == ["open"]  # without the copy: nothing says that it had an end


def test_an_old_file_of_signatures_beside_the_whole_chain_is_found(path: Path) -> None:
    rewrite(signatures(path), lines(signatures(path))[:1])
    assert [kind for kind, _ in wrong(path)] == ["signature"]


def test_an_old_checkpoint_in_the_place_of_the_last_is_found(path: Path) -> None:
    content = lines(signatures(path))
    content[-1] = content[1]
    rewrite(signatures(path), content)
    assert ("signature", len(content)) in wrong(path)


def test_a_checkpoint_that_is_left_out_is_missed(path: Path) -> None:
    content = lines(signatures(path))
    del content[1]
    rewrite(signatures(path), content)
    assert wrong(path) == [("signature", 2)]


def test_without_any_signature_nothing_is_proved(path: Path) -> None:
    signatures(path).unlink()
    assert [kind for kind, _ in wrong(path)] == ["signature"]


def test_each_octet_of_the_signatures_counts(path: Path) -> None:
    whole = signatures(path).read_bytes()
    for place in range(0, len(whole), 29):
        forged = bytearray(whole)
        forged[place] ^= 1
        signatures(path).write_bytes(forged)
        assert wrong(path), place


def test_a_chain_that_is_signed_with_another_key_is_found(path: Path, tmp_path: Path) -> None:
    """He began everything anew, with a key of his own: it holds together, and is not the node's."""
    real = key_of(path)
    forged = tmp_path / "forged" / "calls.jsonl"
    forged.parent.mkdir()
    write(forged, [call(99)])
    assert wrong(forged) == []
    assert sorted(kind for kind, _ in wrong(forged, keys=[real])) == ["missing", "signature"]


def test_a_checkpoint_of_another_key_within_the_file_is_found(path: Path, tmp_path: Path) -> None:
    signer = Signer.at(tmp_path / "his.key")
    content = lines(signatures(path))
    last, head = Checkpoint.read(content[-2]), Entry.read(lines(path)[-1])
    forged = Checkpoint.after(last, head, head.at, signer.public, end=True).signed(signer.sign)
    content[-1] = forged.line()
    rewrite(signatures(path), content)
    assert ("signature", None) in wrong(path)


def test_a_signature_is_of_no_use_for_another_chain(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    write(other, [call(number) for number in range(10)], key=path.with_name(path.name + ".key"))
    shutil.copy(signatures(other), signatures(path))
    assert wrong(path)


# -- the texts ---------------------------------------------------------------------------------------------


def test_a_text_that_is_not_the_one_of_its_commitment_is_found(path: Path) -> None:
    clear = path.with_name(path.name + ".clear")
    content = lines(clear)
    opening = Opening.read(content[1])
    content[1] = attrs.evolve(opening, text="sip:mallory@example.com").line()
    rewrite(clear, content)
    evidence = look(path)
    (finding,) = evidence.findings.all
    assert (finding.kind, finding.line, finding.wrong) == ("changed", 2, True)
    assert "sip:mallory@example.com" not in {each.remote for each in evidence.calls}


def test_an_opening_of_another_value_gives_no_call_another_caller(path: Path) -> None:
    """He can open only what he has committed to."""
    clear = path.with_name(path.name + ".clear")
    salt = b"s" * 32
    his = Opening(commitment(salt, "sip:mallory@example.com"), salt, "sip:mallory@example.com")
    rewrite(clear, [*lines(clear), his.line()])
    assert {each.remote for each in look(path).calls} == {f"sip:caller{n}@example.com" for n in range(10)}


@pytest.mark.parametrize("junk", [b"{}", b"\xff\xfe", b'{"salt":1}', b"[]", b'{"salt":"zz"}'])
def test_junk_among_the_texts_is_found(path: Path, junk: bytes) -> None:
    clear = path.with_name(path.name + ".clear")
    rewrite(clear, [*lines(clear), junk])
    assert [kind for kind, _ in wrong(path)] == ["changed"]


# -- chains of his own ---------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6),
    bodies=st.lists(st.dictionaries(st.sampled_from(NAMES), VALUE, max_size=6), min_size=6, max_size=6),
    begin=st.integers(-1, 5),
)
def test_whatever_he_signs_himself_stops_no_auditor(
    tmp_path: Path, kinds: list[str], bodies: list[dict[str, object]], begin: int
) -> None:
    path, signer = tmp_path / "his.jsonl", Signer.at(tmp_path / "his.key")
    head: Head | Entry = Head("his", begin)
    content = []
    for kind, body in zip(kinds, bodies, strict=False):
        head = Entry.after(head, kind, body, 1)
        content.append(head.line())
    rewrite(path, content)
    rewrite(signatures(path), [Checkpoint.after(None, head, 1, signer.public).signed(signer.sign).line()])
    evidence = look(path, keys=[signer.public])
    assert all(str(finding) for finding in evidence.findings.all)
    rewrite(tmp_path / "all.jsonl", list(exported(evidence.chains)))
    again = look(tmp_path / "all.jsonl", keys=[signer.public])
    assert len(again.calls) == len(evidence.calls)


# -- SQLite ------------------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "calls.sqlite"
    write(path, [call(number) for number in range(10)])
    assert look(path, keys=[key_of(path)]).findings.all == []
    return path


def change(path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    with connection:
        assert connection.execute(statement, values).rowcount > 0
    connection.close()


def test_rows_are_as_safe_as_lines(table: Path) -> None:
    change(
        table, "UPDATE entries SET line = CAST(replace(line, 'call-3', 'call-4') AS BLOB) WHERE number = 4"
    )
    assert ("changed", 5) in wrong(table)


def test_a_row_that_is_deleted_is_missed(table: Path) -> None:
    change(table, "DELETE FROM entries WHERE number = 4")
    assert wrong(table) == [("gap", 6)]


def test_the_last_rows_cannot_be_deleted(table: Path) -> None:
    change(table, "DELETE FROM entries WHERE number > 8")
    assert wrong(table) == [("cut", 4)]


def test_rows_cannot_change_places(table: Path) -> None:
    change(table, "UPDATE entries SET number = CASE number WHEN 3 THEN -4 ELSE -3 END WHERE number IN (3, 4)")
    change(table, "UPDATE entries SET number = -number WHERE number < 0")
    assert [kind for kind, _ in wrong(table)] == ["reordered", "reordered"]


def test_a_row_that_is_added_is_found(table: Path) -> None:
    entry = Entry.after(Entry.read(row(table, 11)), CALL, call(99).as_values(), 5)
    change(table, "INSERT INTO entries VALUES (12, 5, 'call', 'x', ?)", entry.line())
    assert [kind for kind, _ in wrong(table)] == ["forged"]


def row(path: Path, number: int) -> bytes:
    connection = sqlite3.connect(path)
    (line,) = connection.execute("SELECT line FROM entries WHERE number = ?", (number,)).fetchone()
    connection.close()
    return bytes(line)


def test_a_body_that_is_no_call_is_found_even_where_it_is_signed(tmp_path: Path) -> None:
    assert canonical({"a": 1}) == b'{"a":1}'
    path = tmp_path / "calls.jsonl"
    write(path, [call(1, outcome="vanished")])
    assert [kind for kind, _ in wrong(path)] == ["changed"]
