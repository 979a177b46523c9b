"""name-addr and addr-spec (RFC 3261 §20.10)."""

from __future__ import annotations

import pytest
from hypothesis import given

from sipstack.errors import ParseError
from sipstack.message import NameAddr, OtherUri, Parameters, SipUri, parse_uri
from tests import strategies

parse = NameAddr.parse
BOB = parse_uri("sip:bob@biloxi.com")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<>",
        "<bob>",
        "bob",
        "*",
        "<sip:a",
        "sip:a>",
        '"Bob <sip:bob@biloxi.com>',
        'Bob" <sip:bob@biloxi.com>',
        '"Bob\0" <sip:bob@biloxi.com>',
        "Watson, Thomas <sip:t.watson@example.org>",
        "< sip:bob@biloxi.com >",
        "sip:bob@biloxi.com?Route=x",
        "sip:a,b@biloxi.com",
        "<sip:bob@biloxi.com> x",
        "<sip:bob@biloxi.com>;tag=1,",
        "<sip:bob@biloxi.com>tag=1",
        "<sip:bob@biloxi.com>;;tag=1",
        "sip:x@y <sip:bob@biloxi.com>",
        "<sip:bob@biloxi.com><sip:a>",
        "<sip:bob@biloxi.com\r\n>",
        '"a\r\nb" <sip:bob@biloxi.com>',
    ],
)
def test_not_an_address(text: str) -> None:
    with pytest.raises(ParseError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "name", "tag"),
    [
        ("<sip:bob@biloxi.com>", "", None),
        ("<sip:bob@biloxi.com>;tag=a1", "", "a1"),
        ('"Bob" <sip:bob@biloxi.com>;tag=a1', "Bob", "a1"),
        ("Bob <sip:bob@biloxi.com>", "Bob", None),
        ("Bob<sip:bob@biloxi.com>", "Bob", None),
        ("Bob B.  Jones <sip:bob@biloxi.com>", "Bob B.  Jones", None),
        ('"Bob"<sip:bob@biloxi.com>;TAG=a1', "Bob", "a1"),
        ('"" <sip:bob@biloxi.com>', "", None),
        (r'"B \"o\\" <sip:bob@biloxi.com>', 'B "o\\', None),
        ('"<sip:x>;tag=y" <sip:bob@biloxi.com>', "<sip:x>;tag=y", None),
        ("Jürgen <sip:bob@biloxi.com>", "Jürgen", None),
        ("sip:bob@biloxi.com", "", None),
        ("sip:bob@biloxi.com;tag=a1", "", "a1"),
        (" sip:bob@biloxi.com ; tag = a1 ", "", "a1"),
        ("<sip:bob@biloxi.com> ; x=1 ;tag\t=\ta1", "", "a1"),
        ("<sip:bob@biloxi.com>;tag", "", None),
    ],
)
def test_name_and_tag(text: str, name: str, tag: str | None) -> None:
    address = parse(text)
    assert (address.display_name, address.uri, address.tag) == (name, BOB, tag)


def test_parameters_belong_to_the_field_without_brackets_and_to_the_uri_within() -> None:
    bare, bracketed = parse("sip:bob@biloxi.com;user=phone"), parse("<sip:bob@biloxi.com;user=phone>")
    assert bare.parameters == Parameters({"user": "phone"})
    assert bare.uri == BOB
    assert bracketed.parameters == Parameters()
    assert isinstance(bracketed.uri, SipUri)
    assert bracketed.uri.parameters == Parameters({"user": "phone"})


def test_a_quoted_parameter_may_hold_anything() -> None:
    address = parse('<sip:bob@biloxi.com>;+sip.instance="<urn:uuid:1>;,\\"";tag=2')
    assert address.parameters.text("+sip.instance") == '<urn:uuid:1>;,"'
    assert address.tag == "2"
    assert parse('sip:bob@biloxi.com;x="<>"').parameters.text("x") == "<>"


def test_any_scheme() -> None:
    assert parse("<urn:service:sos>").uri == OtherUri("urn", "service:sos")
    assert parse("tel:+1-201;tag=3").tag == "3"


def test_a_broken_uri_is_found_when_it_is_asked_for() -> None:
    address = parse("<sip:2001:db8::1>;tag=1")
    assert address.tag == "1"
    for _ in range(2):
        with pytest.raises(ParseError):
            _ = address.uri


def test_equality() -> None:
    one = parse('"Bob" <sip:%62ob@BILOXI.com>;a;b=1')
    two = NameAddr(BOB, "Bob", Parameters({"b": "1", "a": None}))
    assert one == two
    assert hash(one) == hash(two)
    assert one != NameAddr(BOB, "bob", Parameters({"b": "1", "a": None}))
    assert one != NameAddr(BOB, "Bob")
    assert one != NameAddr(parse_uri("sip:bob@biloxi.com:5060"), "Bob", Parameters({"b": "1", "a": None}))
    assert one != str(one)


def test_writing() -> None:
    assert str(NameAddr(BOB)) == "<sip:bob@biloxi.com>"
    assert str(NameAddr(BOB, 'B"', Parameters({"lr": None}))) == '"B\\"" <sip:bob@biloxi.com>;lr'
    assert str(parse("Bob <sip:%62ob@biloxi.com>")) == '"Bob" <sip:%62ob@biloxi.com>'
    assert repr(parse("sip:a;tag=1")) == "NameAddr.parse('<sip:a>;tag=1')"


def test_with_parameter_makes_a_copy() -> None:
    old = parse("<sip:bob@biloxi.com>;x=1")
    new = old.with_parameter("tag", "a1")
    assert (new.tag, str(new)) == ("a1", "<sip:bob@biloxi.com>;x=1;tag=a1")
    assert old.tag is None


@given(strategies.name_addrs)
def test_parse_and_str_are_inverse(address: NameAddr) -> None:
    again = parse(str(address))
    assert again == address
    assert (again.tag, again.display_name, str(again)) == (address.tag, address.display_name, str(address))
    assert hash(again) == hash(address)


@given(strategies.name_addrs)
def test_the_common_form_and_the_general_one_agree(address: NameAddr) -> None:
    assert parse(f" {address} ") == parse(str(address))
