"""The record of a session in octets: one way to write it, and nothing else is read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sipstack.dialog.dialog import Dialog
from sipstack.errors import LocalProtocolError, ParseError
from sipstack.store import cbor, layout
from sipstack.store.record import decode, encode
from sipstack.store.upgrades import VERSION, Row, upgraded
from sipstack.usage.invite.record import SessionRecord
from tests.store.records import everything, from_a_browser, through_a_proxy
from tests.store.versions import VERSIONS
from tests.usage.invite.test_record import plain, records, texts

RECORDS = [through_a_proxy().as_values(), from_a_browser().as_values(), everything()]


def row_of(values: dict[str, Any]) -> list[Any]:
    row = cbor2.loads(encode(values))
    assert isinstance(row, list)
    return row


def one_form(row: object) -> bytes:
    return cbor2.dumps(row, canonical=True)


# --- there and back ---


@pytest.mark.parametrize("values", RECORDS, ids=["proxy", "browser", "everything"])
def test_what_is_written_is_read(values: dict[str, Any]) -> None:
    assert decode(encode(values)) == values


@pytest.mark.parametrize("record", [through_a_proxy(), from_a_browser()], ids=["proxy", "browser"])
def test_a_session_comes_back_from_octets(record: SessionRecord) -> None:
    assert SessionRecord.of_values(decode(encode(record.as_values()))) == record


@given(records())
def test_every_record_comes_back_equal(record: SessionRecord) -> None:
    octets = encode(record.as_values())
    assert decode(octets) == record.as_values()
    assert SessionRecord.of_values(decode(octets)) == record
    assert octets == one_form(cbor2.loads(octets))


@pytest.mark.parametrize("octets", [b"\xc2\x80", b"\x80\xc2\x80", b"\xc2\x80\x80"])
def test_what_makes_a_character_only_together_comes_back_as_that_character(octets: bytes) -> None:
    values = through_a_proxy().as_values()
    values["application"] = {
        "note": "".join(bytes((each,)).decode("utf-8", "surrogateescape") for each in octets)
    }
    read = decode(encode(values))
    assert read["application"] == {"note": octets.decode("utf-8", "surrogateescape")}
    assert decode(encode(read)) == read


keys = texts | st.sampled_from(sorted(layout.WORDS))


@given(st.dictionaries(keys, plain | st.binary(max_size=9) | st.dictionaries(keys, plain), max_size=5))
def test_the_applications_data_comes_back_equal(data: dict[str, object]) -> None:
    values = {**through_a_proxy().as_values(), "application": data}
    octets = encode(values)
    assert decode(octets) == values
    assert octets == one_form(cbor2.loads(octets))


def test_the_order_of_what_is_given_does_not_matter() -> None:
    values = everything()
    turned = {name: _turned(values[name]) for name in reversed(values)}
    assert list(turned) != list(values)
    assert encode(turned) == encode(values)


def _turned(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {name: _turned(value[name]) for name in reversed(value)}


def test_all_fields_of_a_dialog_have_a_place() -> None:
    dialog = SessionRecord.of_values(through_a_proxy().as_values()).dialog
    assert isinstance(dialog, Dialog)
    assert row_of(through_a_proxy().as_values())[7:] == []
    assert set(through_a_proxy().as_values()["dialog"]) == layout.OF_DIALOG


def test_the_layout() -> None:
    row = row_of(through_a_proxy().as_values())
    assert row[:2] == [1, 0]
    assert row[2][0] == "5f0c7f4d-93e2-4bc0-a41e-c8a63a5b9d27"
    assert row[2][-1].hex() == "0e64cb9b4bb24d8fa7c5dc1d3f5fa2b18f14e45fceea4a7aa9f3b6c2d1e0f9a8"
    assert row[5:] == [{1: {2: 1800, 3: 1342, 4: True, 5: 90, 6: True, 7: True}}, {10: True, 11: 73}]


# --- versions ---


@pytest.mark.parametrize("version", VERSIONS)
def test_a_record_of_each_version_is_read(version: int) -> None:
    values = decode(bytes.fromhex(VERSIONS[version]))
    assert values == everything()
    assert SessionRecord.of_values(values).as_values() == values


def test_there_is_a_record_of_each_version() -> None:
    assert list(VERSIONS) == list(range(1, VERSION + 1))
    assert encode(everything()).hex() == VERSIONS[VERSION]


def test_an_old_record_goes_from_version_to_version() -> None:
    def from_1(row: Row) -> Row:
        return [*row, "two"]

    def from_2(row: Row) -> Row:
        return [len(row), *row]

    toys = from_1, from_2
    assert upgraded(1, ["a"], toys) == [2, "a", "two"]
    assert upgraded(2, ["a"], toys) == [1, "a"]
    assert upgraded(3, ["a"], toys) == ["a"]


def test_an_old_record_is_read_in_its_one_form_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were this version 2, with a field more than version 1 had."""
    values, (_, *old) = everything(), row_of(everything())
    del old[5]  # the application's data
    monkeypatch.setattr("sipstack.store.record.VERSION", 2)
    monkeypatch.setattr("sipstack.store.rows.VERSION", 2)
    monkeypatch.setattr(
        "sipstack.store.record.upgraded",
        lambda version, row: upgraded(version, row, [lambda row: [*row[:5], {}, *row[5:]]]),
    )
    octets = one_form([1, *old])
    assert decode(octets) == {**values, "application": {}}
    assert decode(encode(values)) == values
    for wrong in (octets + b"\0", cbor2.dumps([1, *old[:4], dict(reversed(old[4].items())), *old[5:]])):
        with pytest.raises(ParseError):
            decode(wrong)


@pytest.mark.parametrize("version", [0, -1, VERSION + 1, 2**63, True, 1.0, "1", None, [1]])
def test_a_record_of_another_version_is_refused(version: object) -> None:
    octets = one_form([version, *row_of(everything())[1:]])
    with pytest.raises(ParseError, match="version"):
        decode(octets)


def test_the_refusal_of_a_later_version_says_what_to_do_without() -> None:
    with pytest.raises(ParseError, match="the record has version 9: this process reads up to version 1"):
        decode(one_form([9, {"anything": 1}]))


@pytest.mark.parametrize("bit", range(3, 16))
def test_a_critical_flag_that_is_not_known_is_refused(bit: int) -> None:
    row = row_of(through_a_proxy().as_values())
    row[1] |= 1 << bit
    with pytest.raises(ParseError, match="a flag that must be known and is not"):
        decode(one_form(row))


@pytest.mark.parametrize("bit", range(16, 32))
def test_another_flag_of_a_later_version_is_kept(bit: int) -> None:
    row = row_of(through_a_proxy().as_values())
    row[1] |= 1 << bit
    values = decode(one_form(row))
    assert values == {**through_a_proxy().as_values(), "flags": 1 << bit}
    again = SessionRecord.of_values(values)
    assert encode(again.as_values()) == one_form(row)


def test_fields_of_a_later_version_are_kept_and_written_back() -> None:
    row = [*row_of(through_a_proxy().as_values()), {"dialog": {"gruu": "g"}, "region": 7}]
    record = SessionRecord.of_values(decode(one_form(row)))
    assert record.later == {"dialog": {"gruu": "g"}, "region": 7}
    assert encode(record.as_values()) == one_form(row)


# --- what is refused ---

Spoil = Callable[[list[Any]], Any]
WRONG: dict[str, Spoil] = {
    "a part too few": lambda row: row.pop(),
    "a part too many": lambda row: row.extend([{"region": 1}, 0]),
    "nothing that is later": lambda row: row.append({}),
    "a list of what is later": lambda row: row.append([1]),
    "a known field among the later ones": lambda row: row.append({"local": "v=0"}),
    "a known field of the dialog among the later ones": lambda row: row.append({"dialog": {"call_id": "a"}}),
    "a text for the later fields of the dialog": lambda row: row.append({"dialog": "x"}),
    "no later fields of the dialog": lambda row: row.append({"dialog": {}}),
    "flags among the later fields": lambda row: row.append({"flags": 0x10000}),
    "a truth for flags": lambda row: row.__setitem__(1, True),
    "negative flags": lambda row: row.__setitem__(1, -1),
    "flags of 33 bits": lambda row: row.__setitem__(1, 1 << 32),
    "no flags": lambda row: row.__setitem__(1, None),
    "a map for the dialog": lambda row: row.__setitem__(2, {}),
    "a field of the dialog too few": lambda row: row[2].pop(),
    "a field of the dialog too many": lambda row: row[2].append(0),
    "a number for a description": lambda row: row.__setitem__(3, 7),
    "octets for a description that is text": lambda row: row.__setitem__(3, {0: b"v=0"}),
    "a list for extensions": lambda row: row.__setitem__(5, []),
    "a text for the state of an extension": lambda row: row.__setitem__(5, {1: "x"}),
    "a word that has a number": lambda row: row.__setitem__(5, {"timer": {}}),
    "a word within that has a number": lambda row: row.__setitem__(5, {1: {"left": 1}}),
    "a number that is no word": lambda row: row.__setitem__(5, {200: {}}),
    "a truth that is a word": lambda row: row.__setitem__(5, {True: {}}),
    "a list for the application's data": lambda row: row.__setitem__(6, []),
    "a number as a key of the application's": lambda row: row.__setitem__(6, {200: 1}),
    "a word of the application's that has a number": lambda row: row.__setitem__(6, {"media": True}),
    "octets for a text": lambda row: row[2].__setitem__(0, {0: b"a"}),
    "more beside the octets of a text": lambda row: row[2].__setitem__(0, {0: b"\xff", 1: 1}),
    "octets for a key": lambda row: row.__setitem__(6, {b"a": 1}),
    "a Session-ID in letters": lambda row: row[2].__setitem__(9, "ab" * 16 + ";remote=" + "cd" * 16),
    "half a Session-ID": lambda row: row[2].__setitem__(9, bytes(16)),
    "octets for a Call-ID": lambda row: row[2].__setitem__(0, b"a"),
    "a number for a tag": lambda row: row[2].__setitem__(1, 7),
    "a text for the route set": lambda row: row[2].__setitem__(6, "<sip:p>"),
    "a number in the route set": lambda row: row[2].__setitem__(6, [7]),
    "a negative CSeq": lambda row: row[2].__setitem__(7, -1),
    "a CSeq that is too high": lambda row: row[2].__setitem__(8, 2**31),
    "no CSeq": lambda row: row[2].__setitem__(7, None),
    "not a number": lambda row: row[6].__setitem__("a", float("nan")),
    "no finite number": lambda row: row[6].__setitem__("a", float("inf")),
    "a number of 65 bits": lambda row: row[6].__setitem__("a", 2**64 - 1),
    "a simple value": lambda row: row[6].__setitem__("a", cbor2.CBORSimpleValue(99)),
    "what is undefined": lambda row: row[6].__setitem__("a", cbor2.undefined),
}


@pytest.mark.parametrize("spoil", WRONG.values(), ids=WRONG)
def test_what_is_wrong_inside_is_refused(spoil: Spoil) -> None:
    row = row_of(through_a_proxy().as_values())
    spoil(row)
    with pytest.raises(ParseError):
        decode(one_form(row))


@pytest.mark.parametrize(
    "octets", [b"", b"\0", b"\x80", b"\x81\1", b"\xa0", b"{}", b"null", b"\xf6", b"\x60"]
)
def test_what_is_no_record_at_all(octets: bytes) -> None:
    with pytest.raises(ParseError):
        decode(octets)


VALID = encode(everything())
OTHER_FORMS = {
    "an octet more": VALID + b"\0",
    "a record more": VALID * 2,
    "a long head of the array": b"\x98\x08" + VALID[1:],
    "a long version": VALID[:1] + b"\x18\1" + VALID[2:],
    "an endless array": b"\x9f" + VALID[1:] + b"\xff",
    "the tag of CBOR": b"\xd9\xd9\xf7" + VALID,
    "another order": cbor2.dumps(
        [*row_of(everything())[:7], {"region": {"name": "ä"}, "dialog": {"gruu": "x"}}]
    ),
}


@pytest.mark.parametrize("octets", OTHER_FORMS.values(), ids=OTHER_FORMS)
def test_another_form_of_the_same_is_refused(octets: bytes) -> None:
    assert VALID[:2] == b"\x88\1"
    with pytest.raises(ParseError):
        decode(octets)


def test_a_key_that_comes_twice_is_refused() -> None:
    row = one_form(row_of({**through_a_proxy().as_values(), "application": {"a": 1}}))
    assert row.endswith(b"\xa1\x61a\1")
    with pytest.raises(ParseError, match="one form"):
        decode(row[:-4] + b"\xa2\x61a\1\x61a\1")


TAGS = sorted({*range(64), 100, 256, 258, 260, 261, 1004, 43000, 55799, 2**32})
CONTENTS = [0, b"\1", "1", "(a+)+$", "2013-03-21T20:04:00Z", [1, 2], [10**9, 3], {}]


@pytest.mark.parametrize("tag", TAGS)
def test_no_tag_is_accepted(tag: int) -> None:
    """No objects, no numbers of any length, no regular expressions, nothing that refers to itself."""
    row = row_of({**through_a_proxy().as_values(), "application": {"a": 1}})
    for content in CONTENTS:
        row[6] = {"a": cbor2.CBORTag(tag, content)}
        with pytest.raises(ParseError):
            decode(cbor2.dumps(row))


def test_nothing_refers_to_anything() -> None:
    with pytest.raises(ParseError):
        decode(bytes.fromhex("d81c81d81d00"))  # an array in itself


# --- bounds ---


def with_(name: str, value: object, *, dialog: bool = False) -> dict[str, Any]:
    values = through_a_proxy().as_values()
    (values["dialog"] if dialog else values)[name] = value
    return values


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


FITS = {
    "the application's data": lambda more: with_("application", {"a": b"\0" * (8_186 + more)}),
    "one extension": lambda more: with_("extensions", {"x": {"y": "z" * (16_375 + more)}}),
    "a description": lambda more: with_("local", "v" * (24_576 + more)),
    "a target": lambda more: with_("remote_target", "a" * (4_096 + more), dialog=True),
    "a route": lambda more: with_("route_set", ["a" * (4_096 + more)], dialog=True),
    "routes": lambda more: with_("route_set", ["a"] * (64 + more), dialog=True),
    "a Session-ID": lambda more: with_("session_id", "a" * (4_096 + more), dialog=True),
    "what is in one another": lambda more: with_("application", {"a": nested(11 + more)}),
    "elements": lambda more: with_("application", {"a": [0] * (3_992 + more)}),
    "later fields": lambda more: with_("region", "a" * (64_500 + 512 * more)),
}


@pytest.mark.parametrize("of_size", FITS.values(), ids=FITS)
def test_each_part_has_a_bound(of_size: Callable[[int], dict[str, Any]]) -> None:
    assert decode(encode(of_size(0))) == of_size(0)
    with pytest.raises(LocalProtocolError):
        encode(of_size(1 if of_size is not FITS["later fields"] else 4))


def test_a_record_that_is_too_large_says_what_is() -> None:
    with pytest.raises(LocalProtocolError, match="the application's data has 10008 octets, above 8192"):
        encode(with_("application", {"a": b"\0" * 10_002}))


def test_octets_beyond_each_bound_are_refused() -> None:
    row = row_of(through_a_proxy().as_values())
    for part, value in ((3, "v" * 24_577), (5, {"x": {"y": "z" * 16_377}}), (6, {"a": b"\0" * 8_187})):
        spoilt = [*row]
        spoilt[part] = value
        with pytest.raises(ParseError):
            decode(one_form(spoilt))
    with pytest.raises(ParseError, match="more than 65536 octets"):
        decode(bytes(65_537))


@pytest.mark.parametrize(
    "octets", [b"\x9a\xff\xff\xff\xff", b"\x5b" + b"\xff" * 8, b"\xbb\0\0\xff" + b"\xff" * 5]
)
def test_a_length_is_not_believed(octets: bytes) -> None:
    with pytest.raises(ParseError):
        decode(b"\x87\1\0" + octets)


def test_what_is_too_deep_is_refused() -> None:
    for depth in (13, 17, 400, 60_000):
        with pytest.raises(ParseError):
            decode(b"\x81" * depth + b"\0")


# --- what cannot be written ---

UNWRITABLE: dict[str, dict[str, Any]] = {
    "no dialog": {"dialog": None},
    "no extensions": {"extensions": None},
    "no application": {"application": None},
    "no side": {"is_caller": None},
    "a number for a side": {"is_caller": 1},
    "a number for a description": {"local": 7},
    "octets for a description": {"local": b"v=0"},
    "a state that is none": {"extensions": {"timer": 7}},
    "a tuple": {"application": {"a": (1, 2)}},
    "a set": {"application": {"a": {1}}},
    "an object": {"application": {"a": object()}},
    "a key that is no text": {"application": {7: "a"}},
    "a number of 65 bits": {"application": {"a": 2**64}},
    "not a number": {"application": {"a": float("nan")}},
    "half a surrogate pair": {"application": {"a": "\ud800"}},
    "flags of this version": {"flags": 8},
    "no flags": {"flags": 0},
    "flags of 33 bits": {"flags": 1 << 32},
}


@pytest.mark.parametrize("change", UNWRITABLE.values(), ids=UNWRITABLE)
def test_what_could_not_be_read_is_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError, match="record"):
        encode({**through_a_proxy().as_values(), **change})


@pytest.mark.parametrize("name", sorted(layout.OF_DIALOG - {"remote_cseq"}))
def test_a_dialog_is_whole(name: str) -> None:
    values = through_a_proxy().as_values()
    del values["dialog"][name]
    with pytest.raises(LocalProtocolError, match="record"):
        encode(values)


@pytest.mark.parametrize(
    "session_id",
    [
        "",
        "x",
        "A" * 32 + ";remote=" + "b" * 32,
        "a" * 31 + " ;remote=" + "b" * 32,
        "a" * 32 + ";remote=" + "g" * 32,
    ],
)
def test_a_session_id_of_another_form_is_a_text(session_id: str) -> None:
    values = with_("session_id", session_id, dialog=True)
    assert row_of(values)[2][-1] == session_id
    assert decode(encode(values)) == values


def test_without_the_library_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("sipstack.store.cbor")
    monkeypatch.delitem(sys.modules, "sipstack.store.cbor")
    monkeypatch.setitem(sys.modules, "cbor2", None)
    with pytest.raises(LocalProtocolError, match=r"pip install 'sipstack\[sessions\]'"):
        encode(through_a_proxy().as_values())


# --- any octets ---


def read_or_refused(octets: bytes) -> None:
    """What is read is what would be written; the rest is a ParseError, and nothing else."""
    try:
        values = decode(octets)
    except ParseError:
        return
    assert encode(values) == octets


@given(st.binary(max_size=200))
def test_any_octets(octets: bytes) -> None:
    read_or_refused(octets)


@given(st.integers(0, len(VALID) - 1), st.integers(0, 255))
@settings(max_examples=500)
def test_a_record_with_one_octet_changed(place: int, octet: int) -> None:
    read_or_refused(VALID[:place] + bytes([octet]) + VALID[place + 1 :])


@given(st.integers(0, len(VALID)), st.integers(0, 40), st.binary(max_size=12))
@settings(max_examples=500)
def test_a_record_with_a_piece_replaced(place: int, length: int, piece: bytes) -> None:
    read_or_refused(VALID[:place] + piece + VALID[place + length :])


def test_a_record_that_was_cut() -> None:
    for length in range(len(VALID)):
        with pytest.raises(ParseError):
            decode(VALID[:length])


anything: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats() | st.binary() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text() | st.integers() | st.binary(), values),
    max_leaves=8,
)


@given(st.lists(anything, max_size=9), st.lists(anything, max_size=11))
@example([], [])
def test_any_cbor(parts: list[object], dialog: list[object]) -> None:
    read_or_refused(one_form([1, *parts]))
    read_or_refused(one_form([1, 0, dialog, *parts]))


@given(st.integers(0, 8), anything)
def test_a_record_with_anything_in_one_place(place: int, value: object) -> None:
    row: list[Any] = row_of(everything())
    row[place : place + 1] = [value]
    read_or_refused(one_form(row))


@given(st.integers(0, 10), anything)
def test_a_dialog_with_anything_in_one_place(place: int, value: object) -> None:
    row: list[Any] = row_of(everything())
    row[2][place : place + 1] = [value]
    read_or_refused(one_form(row))


def test_cbor_has_no_more_depth_than_we_read() -> None:
    assert cbor.DEEPEST > 12 + 2
