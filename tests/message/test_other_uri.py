"""tel URIs and URIs of unknown schemes (RFC 3261 §19.1.6, RFC 3966)."""

from __future__ import annotations

import pytest
from hypothesis import given

from sipstack.errors import ParseError
from sipstack.message import OtherUri, Parameters, SipUri, TelUri, Uri, parse_uri
from tests import strategies


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        ":b",
        "1a:b",
        "a:",
        "a b:c",
        "a:b c",
        "a:<b>",
        'a:"b"',
        "a:b\n",
        "<sip:a>",
        "sips",
        "sip:",
        "*",
    ],
)
def test_not_a_uri(text: str) -> None:
    with pytest.raises(ParseError):
        parse_uri(text)


@pytest.mark.parametrize(
    "text", ["tel:", "tel:abc-xyz", "tel:-", "tel:+1;", "tel:+1;a b", "tel:1 2", "tel:++1"]
)
def test_not_a_tel_uri(text: str) -> None:
    with pytest.raises(ParseError):
        parse_uri(text)


def test_the_scheme_decides() -> None:
    assert isinstance(parse_uri("SIPS:a@b"), SipUri)
    assert isinstance(parse_uri("Tel:+1-201"), TelUri)
    assert parse_uri("URN:service:sos") == OtherUri("urn", "service:sos")
    assert [parse_uri(text).scheme for text in ("sips:b", "tel:1", "X-y:z")] == ["sips", "tel", "x-y"]


def test_tel_compares_without_visual_separators() -> None:
    one = parse_uri("tel:+1-(201)-555.0123;ext=7")
    assert isinstance(one, TelUri)
    assert (one.number, one.digits) == ("+1-(201)-555.0123", "+12015550123")
    assert one == TelUri("+12015550123", Parameters({"ext": "7"}))
    assert hash(one) == hash(TelUri("+12015550123", Parameters({"EXT": "7"})))
    assert one != TelUri("+12015550123")
    assert TelUri("7042", Parameters({"phone-context": "Example.com"})) == parse_uri(
        "tel:7042;phone-context=example.com"
    )
    assert one != "tel:+12015550123"


def test_text_of_others_is_kept() -> None:
    assert str(parse_uri("http://www.Example.com/a?b#c")) == "http://www.Example.com/a?b#c"
    assert parse_uri("http://A") != parse_uri("http://a")


@given(strategies.uris)
def test_parse_and_str_are_inverse(uri: Uri) -> None:
    assert parse_uri(str(uri)) == uri
