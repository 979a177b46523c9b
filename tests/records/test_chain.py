"""Entries in one form alone, each bound to the one before."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import ParseError
from sipstack.records.chain import CALL, LONGEST_LINE, OPENED, ZERO, Entry, Head, canonical, read_line
from sipstack.records.record import LONGEST, MOST_NODES, CallRecord, call_key, writable
from tests.records.books import call

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
KEY = st.text(st.characters(codec="ascii"), max_size=8)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEY, inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        ({"b": 1, "a": [True, None, -5]}, b'{"a":[true,null,-5],"b":1}'),
        ({"": '\u20ac$\u000f\nA\'B"\\\\"/'}, '{"":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'.encode()),
        ({"1": {"f": {"f": "hi", "F": 5}, "\n": 56}}, b'{"1":{"\\n":56,"f":{"F":5,"f":"hi"}}}'),
        ("\u2028\u007f", b'"\xe2\x80\xa8\x7f"'),
    ],
)
def test_the_form_is_that_of_rfc_8785(value: object, octets: bytes) -> None:
    assert canonical(value) == octets


@pytest.mark.parametrize("value", [1.5, 2**53, b"x", (1,), {1: 2}, {"ä": 1}, "\ud800", float("nan")])
def test_what_other_languages_might_write_otherwise_is_not_written(value: object) -> None:
    with pytest.raises(ParseError):
        canonical({"value": value})


def test_what_is_nested_too_deep_is_not_written() -> None:
    value: object = 1
    for _ in range(20):
        value = [value]
    with pytest.raises(ParseError):
        canonical(value)


@given(st.dictionaries(KEY, VALUE, max_size=5))
def test_what_is_written_is_read_again(values: dict[str, object]) -> None:
    assert read_line(canonical(values)) == values


@given(st.dictionaries(KEY, VALUE, max_size=5), TEXT)
def test_an_entry_is_read_as_it_was_written(body: dict[str, object], chain: str) -> None:
    entry = Entry.after(Head(chain), CALL, body, 17)
    assert Entry.read(entry.line()) == entry
    assert entry.reckoned() == entry.hash


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_junk_is_a_parse_error_and_nothing_else(octets: bytes) -> None:
    with pytest.raises(ParseError):
        Entry.read(octets)


@pytest.mark.parametrize(
    "octets", [b"[" * 60_000, b"x" * (LONGEST_LINE + 1), b'{"a":1,"a":2}', b"{}", b"[]", b'{"a":1e400}']
)
def test_other_lines_are_refused(octets: bytes) -> None:
    with pytest.raises(ParseError):
        Entry.read(octets)


def test_anybody_can_reckon_the_hash_with_json_and_sha256() -> None:
    """As a program that knows nothing of us would do it."""
    first = Entry.after(Head("c"), OPENED, {"node": "n"}, 1)
    second = Entry.after(first, CALL, call(1).as_values(), 2)
    assert first.before == ZERO
    assert (second.number, second.before) == (1, first.hash)
    values = json.loads(second.line())
    claimed = values.pop("hash")
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == claimed


# -- the record of a call ----------------------------------------------------------------------------------


def test_a_call_is_read_as_it_was_written() -> None:
    record = call(7, quality={"packets_sent": 5}, status=486, outcome="refused", answered=None)
    assert CallRecord.of_values(json.loads(canonical(record.as_values()))) == record


@given(st.text(max_size=700), st.lists(st.text(max_size=5), max_size=50))
def test_whatever_a_peer_writes_can_be_recorded_and_is_bounded(text: str, nodes: list[str]) -> None:
    values = call(1, reason=text, remote=text, call_id=text, nodes=tuple(nodes)).as_values()
    assert len(values["reason"]) <= LONGEST
    assert len(values["nodes"]) <= MOST_NODES
    assert len(canonical(values)) < LONGEST_LINE // 2
    assert CallRecord.of_values(values).reason == writable(text)


@pytest.mark.parametrize(
    "change",
    [
        {"began": "now"},
        {"began": True},
        {"incoming": 1},
        {"nodes": [1]},
        {"nodes": "n"},
        {"quality": {"mos": "good"}},
        {"outcome": "vanished"},
        {"remote": None},
    ],
)
def test_a_call_with_other_values_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ParseError):
        CallRecord.of_values(call(1).as_values() | change)


@pytest.mark.parametrize("name", ["call_id", "outcome", "nodes", "quality"])
def test_a_call_that_lacks_something_is_refused(name: str) -> None:
    values = call(1).as_values()
    del values[name]
    with pytest.raises(ParseError):
        CallRecord.of_values(values)


def test_no_record_at_all_is_refused() -> None:
    with pytest.raises(ParseError):
        CallRecord.of_values([])


def test_the_key_of_a_call_is_that_of_our_side_of_its_dialog() -> None:
    assert call_key("a", "b") == call_key("a", "b")
    assert len({call_key("a", "b"), call_key("ab", ""), call_key("", "ab"), call_key("b", "a")}) == 4
