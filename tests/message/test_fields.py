"""CSeq, RAck, Warning, and the fields that are numbers, tokens or text (RFC 3261 §20)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sipstack.message
from sipstack.errors import ParseError
from sipstack.message import CSeq, RAck, Warning, fields
from tests import strategies


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "INVITE",
        "1INVITE",
        "INVITE 1",
        "-1 INVITE",
        "x INVITE",
        "² INVITE",
        "1 INV ITE",
        "1 ",
        " 1 INVITE",
        "1 INVITE\n",
        "2147483648 INVITE",
        "4294967296 INVITE",
        "36893488147419103232 REGISTER",
    ],
)
def test_not_a_cseq(text: str) -> None:
    with pytest.raises(ParseError):
        CSeq.parse(text)


@pytest.mark.parametrize(
    ("text", "number", "method"),
    [
        ("1 INVITE", 1, "INVITE"),
        ("0009   INVITE", 9, "INVITE"),
        ("2147483647 BYE", 2**31 - 1, "BYE"),
        ("0 invite", 0, "invite"),
        ("1\tX-y", 1, "X-y"),
    ],
)
def test_cseq(text: str, number: int, method: str) -> None:
    cseq = CSeq.parse(text)
    assert (cseq.number, cseq.method) == (number, method)
    assert cseq == CSeq(number, method)
    assert hash(cseq) == hash(CSeq(number, method))


@pytest.mark.parametrize(
    "text", ["", "1 2", "1 2 3 4", "x 1 PRACK", "4294967296 1 INVITE", "1 2147483648 INVITE"]
)
def test_not_a_rack(text: str) -> None:
    with pytest.raises(ParseError):
        RAck.parse(text)


def test_rack() -> None:
    assert RAck.parse("776656 1 INVITE") == RAck(776656, 1, "INVITE")


@pytest.mark.parametrize(
    "text", ["", '30 a "x"', '1812 overture "In Progress"', "301 a x", '301 a "x', '301  "x"']
)
def test_not_a_warning(text: str) -> None:
    with pytest.raises(ParseError):
        Warning.parse(text)


def test_warning() -> None:
    text = r'307 isi.edu:5060 "Session parameter \"foo\" not understood"'
    warning = Warning.parse(text)
    assert (warning.code, warning.agent) == (307, "isi.edu:5060")
    assert warning.text == 'Session parameter "foo" not understood'
    assert str(warning) == text


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (fields.parse_token, ""),
        (fields.parse_token, "a b"),
        (fields.parse_token, "a,b"),
        (fields.parse_call_id, ""),
        (fields.parse_call_id, "a b"),
        (fields.parse_call_id, "a\0"),
        (fields.parse_seconds, "4294967296"),
        (fields.parse_seconds, "1.5"),
        (fields.parse_octets, "-1"),
        (fields.parse_rseq, "4294967296"),
        (fields.parse_max_forwards, "256"),
        (fields.parse_mime_version, "1"),
        (fields.parse_mime_version, "1.0 x"),
        (fields.parse_privacy, ""),
        (fields.parse_privacy, "id;"),
        (fields.parse_privacy, "id,header"),
    ],
)
def test_refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(ParseError):
        parse(text)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (fields.parse_token, "100rel", "100rel"),
        (fields.parse_call_id, "a84b4c76e66710@pc33.atlanta.com", "a84b4c76e66710@pc33.atlanta.com"),
        (fields.parse_seconds, "4294967295", 2**32 - 1),
        (fields.parse_octets, "0", 0),
        (fields.parse_rseq, "988789", 988789),
        (fields.parse_max_forwards, "070", 70),
        (fields.parse_mime_version, "1.0", "1.0"),
        (fields.parse_privacy, "id; header ;critical", ("id", "header", "critical")),
    ],
)
def test_accepted(parse: Callable[[str], object], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize("name", sorted(strategies.fields))
@given(data=st.data())
def test_parse_and_str_are_inverse(name: str, data: st.DataObject) -> None:
    value = data.draw(strategies.fields[name])
    again = getattr(sipstack.message, name).parse(str(value))
    assert again == value
    assert hash(again) == hash(value)
