"""Headers: the ordered multimap of raw values."""

from __future__ import annotations

import pytest
from hypothesis import given

from sipstack.errors import LocalProtocolError
from sipstack.message import CSeq, Headers, NameAddr, Via
from tests import strategies

HEADERS = Headers(
    [("v", "SIP/2.0/UDP a"), ("X-Test", "1"), ("VIA", "SIP/2.0/UDP b"), ("cseq", CSeq(1, "BYE"))]
)


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\r\nX-Evil: 1", "a\0b", "\n"])
def test_line_ends_and_nul_are_refused(value: str) -> None:
    with pytest.raises(LocalProtocolError):
        Headers([("Subject", value)])
    for change in (HEADERS.with_, HEADERS.append, HEADERS.prepend):
        with pytest.raises(LocalProtocolError):
            change("Subject", value)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\n", "é", "a\0", " From"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(LocalProtocolError):
        Headers([(name, "1")])
    with pytest.raises(LocalProtocolError):
        HEADERS.with_(name, "1")
    assert name not in HEADERS
    assert HEADERS.get(name) is None


def test_names_are_canonical_and_have_no_case() -> None:
    assert list(HEADERS.items()) == [
        ("Via", "SIP/2.0/UDP a"),
        ("Via", "SIP/2.0/UDP b"),
        ("X-Test", "1"),
        ("CSeq", "1 BYE"),
    ]
    for name in ("Via", "via", "VIA", "vIA", "v", "V"):
        assert HEADERS.get(name) == "SIP/2.0/UDP a"
        assert HEADERS.raw(name) == ("SIP/2.0/UDP a", "SIP/2.0/UDP b")
        assert name in HEADERS
    assert HEADERS.get("x-TEST") == "1"
    assert HEADERS.raw("From") == ()
    assert 1 not in HEADERS
    assert len(HEADERS) == 4


def test_an_unknown_name_keeps_its_first_spelling() -> None:
    headers = Headers([("x-foo", "1"), ("X-FOO", "2")])
    assert list(headers.items()) == [("x-foo", "1"), ("x-foo", "2")]
    assert list(headers.append("X-Foo", "3").items())[-1] == ("x-foo", "3")


def test_white_space_round_a_value_goes() -> None:
    assert Headers([("Subject", " a  b\t")]).get("Subject") == "a  b"


def test_an_empty_value_is_a_value() -> None:
    headers = Headers([("Subject", "")])
    assert headers.get("s") == ""
    assert headers.raw("s") == ("",)
    assert len(headers) == 1


def test_typed_values_are_cached() -> None:
    headers = Headers([("To", "<sip:a>")])
    assert headers.typed("To") is headers.typed("To")
    assert headers.typed("t") == NameAddr.parse("<sip:a>")
    assert HEADERS.typed("Via") == (Via("UDP", "a"), Via("UDP", "b"))
    assert HEADERS.typed("X-Test") == ("1",)
    assert HEADERS.typed("X-Other") == ()


def test_changes_make_copies() -> None:
    before = list(HEADERS.items())
    assert HEADERS.with_("via", "x").raw("Via") == ("x",)
    assert list(HEADERS.with_("via", "x", "y").items())[:2] == [("Via", "x"), ("Via", "y")]
    assert "Via" not in HEADERS.with_("Via")
    assert HEADERS.prepend("v", "x").raw("Via") == ("x", "SIP/2.0/UDP a", "SIP/2.0/UDP b")
    assert HEADERS.append("X-test", 2).raw("X-Test") == ("1", "2")
    assert HEADERS.append("To", "<sip:a>").get("t") == "<sip:a>"
    assert [name for name, _ in HEADERS.without("v", "x-test", "Nothing").items()] == ["CSeq"]
    assert list(HEADERS.items()) == before


def test_joined() -> None:
    both = HEADERS.joined(Headers([("X-Test", "2"), ("Via", "SIP/2.0/UDP c"), ("To", "<sip:a>")]))
    assert both.raw("X-Test") == ("1", "2")
    assert [via.host for via in both.typed("Via")] == ["a", "b", "c"]
    assert both.get("To") == "<sip:a>"
    assert HEADERS.raw("X-Test") == ("1",)


def test_values_from_the_wire_are_not_checked_again() -> None:
    headers = Headers.of_index({"To": '"\\\0" <sip:a>'}).append("To", "<sip:b>")
    assert headers.raw("To") == ('"\\\0" <sip:a>', "<sip:b>")


def test_equality() -> None:
    one, two = (
        Headers([("X-A", "1"), ("X-B", "2"), ("X-A", "3")]),
        Headers([("X-B", "2"), ("X-A", "1"), ("X-A", "3")]),
    )
    assert one == two
    assert hash(one) == hash(two)
    assert one != Headers([("X-A", "3"), ("X-B", "2"), ("X-A", "1")])
    assert one != [("X-A", "1")]
    assert repr(one) == "Headers([('X-A', '1'), ('X-A', '3'), ('X-B', '2')])"


@given(strategies.header_fields())
def test_items_make_the_same_headers(headers: Headers) -> None:
    assert Headers(headers.items()) == headers
    assert len(list(headers.items())) == len(headers)
