"""SIP URIs (RFC 3261 §19.1)."""

from __future__ import annotations

import pytest
from hypothesis import given

from sipstack.errors import ParseError
from sipstack.message import Parameters, SipUri
from tests import strategies

parse = SipUri.parse


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip",
        "alice@example.com",
        "tel:+1",
        "sip:alice@",
        "sip:alice@@example.com",
        "sip:a b@example.com",
        "sip:alice@example.com ",
        "<sip:alice@example.com>",
        "sip:2001:db8::10",
        "sip:[2001:db8::10",
        "sip:[example.com]",
        "sip:example.com:",
        "sip:example.com:65536",
        "sip:example.com:123456",
        "sip:example.com:x",
        'sip:"a"@example.com',
        "sip:a\0b@example.com",
        "sip:a\nb@example.com",
        "sip:exämple.com",
    ],
)
def test_not_a_sip_uri(text: str) -> None:
    with pytest.raises(ParseError):
        parse(text)


def test_all_the_parts() -> None:
    uri = parse("sips:a%20b:p%3Aw@Example.com:5061;transport=TCP;lr;x=%41?Subject=a%20b&Priority=urgent&X=")
    assert uri.scheme == "sips"
    assert (uri.user, uri.password) == ("a b", "p:w")
    assert (uri.host, uri.port) == ("Example.com", 5061)
    assert list(uri.parameters) == [("transport", "TCP"), ("lr", None), ("x", "A")]
    assert uri.headers == (("Subject", "a b"), ("Priority", "urgent"), ("X", ""))


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("sip:example.com", None, "example.com", None),
        ("SIP:a@b", "a", "b", None),
        ("sip:+1-212-555-1212:1234@gateway.com;user=phone", "+1-212-555-1212", "gateway.com", None),
        ("sip:alice;day=tuesday@atlanta.com", "alice;day=tuesday", "atlanta.com", None),
        ("sip:a?b=/$,&@b:0", "a?b=/$,&", "b", 0),
        ("sip:jürgen@b", "jürgen", "b", None),
        ("sip:100%@b", "100%", "b", None),
        ("sip:[2001:db8::1]:5060", None, "[2001:db8::1]", 5060),
        ("sip:a@b?Subject=x", "a", "b", None),
    ],
)
def test_user_host_and_port(text: str, user: str | None, host: str, port: int | None) -> None:
    uri = parse(text)
    assert (uri.user, uri.host, uri.port) == (user, host, port)
    assert str(uri) == text


# The examples of §19.1.4, and what its rules say besides.
@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a@[2001:DB8:0::1]", "sip:a@[2001:db8::1]"),
        ("sip:a@[A:B]", "sip:a@[a:b]"),
        ("sip:a%3bb@c", "sip:a%3Bb@c"),
        ("sip:a@b;x=%41", "sip:a@b;x=a"),
        ("sip:b;lr", "sip:b"),
    ],
)
def test_equal(one: str, two: str) -> None:
    assert parse(one) == parse(two)
    assert parse(two) == parse(one)
    assert hash(parse(one)) == hash(parse(two))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("sip:alice@atlanta.com", "sip:ALICE@atlanta.com"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@b", "sips:a@b"),
        ("sip:a@b", "sip:b"),
        ("sip:a:x@b", "sip:a@b"),
        ("sip:a:x@b", "sip:a:y@b"),
        ("sip:a@b;user=phone", "sip:a@b"),
        ("sip:a@b;ttl=1", "sip:a@b"),
        ("sip:a@b;method=INVITE", "sip:a@b"),
        ("sip:a@b;maddr=192.0.2.1", "sip:a@b"),
        ("sip:a@b;transport=x", "sip:a@b;user=x"),
        ("sip:a%3Bb@c", "sip:a;b@c"),
        ("sip:a%253Bb@c", "sip:a%3Bb@c"),
        ("sip:%00@b", "sip:%00%00@b"),
        ("sip:a@b?x=1&x=2", "sip:a@b?x=1"),
    ],
)
def test_different(one: str, two: str) -> None:
    assert parse(one) != parse(two)
    assert parse(two) != parse(one)


def test_never_equal_to_text() -> None:
    assert parse("sip:a@b") != "sip:a@b"


def test_writing_escapes_what_the_grammar_wants() -> None:
    uri = SipUri(
        "b",
        5070,
        "a b@;",
        password="p:",
        parameters=Parameters({"x;": "=", "lr": None}),
        headers=(("To", "<sip:c>"),),
    )
    assert str(uri) == "sip:a%20b%40;:p%3A@b:5070;x%3B=%3D;lr?To=%3Csip:c%3E"
    assert parse(str(uri)) == uri
    assert repr(uri) == "SipUri.parse('sip:a%20b%40;:p%3A@b:5070;x%3B=%3D;lr?To=%3Csip:c%3E')"


def test_replace_keeps_what_it_does_not_name() -> None:
    uri = parse("sip:a%3Bb:c@d:5060;lr?x=y")
    assert str(uri.replace(host="e", port=None)) == "sip:a%3Bb:c@e;lr?x=y"
    assert str(uri.replace(user="f", password=None, parameters=Parameters(), headers=())) == "sip:f@d:5060"
    assert str(uri) == "sip:a%3Bb:c@d:5060;lr?x=y"


def test_text_is_kept_as_it_was_written() -> None:
    assert str(parse("SIP:%61@B;Transport=UDP")) == "SIP:%61@B;Transport=UDP"


def everything(uri: SipUri) -> tuple[object, ...]:
    return uri.scheme, uri.user, uri.password, uri.host, uri.port, list(uri.parameters), uri.headers


@given(strategies.sip_uris | strategies.passwords)
def test_parse_and_str_are_inverse(uri: SipUri) -> None:
    again = parse(str(uri))
    assert again == uri
    assert everything(again) == everything(uri)
    assert str(again) == str(uri)


@given(strategies.sip_uris, strategies.sip_uris)
def test_equality_is_symmetric_and_agrees_with_the_hash(one: SipUri, two: SipUri) -> None:
    assert (one == two) == (two == one)
    if one == two:
        assert hash(one) == hash(two)


# --- what peers write, and we give back ---


@pytest.mark.parametrize(
    ("text", "user", "parameters", "headers"),
    [
        ("sip:@example.com", "", [], ()),
        ("sip:example.com;", None, [], ()),
        ("sip:example.com;;a", None, [("a", None)], ()),
        ("sip:example.com;=a;b", None, [("b", None)], ()),
        ("sip:example.com;a;A=1", None, [("a", None)], ()),
        ("sip:example.com;x=a;x=b", None, [("x", "a")], ()),
        ("sip:example.com;lr;%6Cr", None, [("lr", None)], ()),
        ('sip:example.com;thinfo="VG8+PoI="', None, [("thinfo", '"VG8+PoI="')], ()),
        ("sip:example.com?", None, [], ()),
        ("sip:example.com?a", None, [], (("a", ""),)),
        ("sip:example.com?=b", None, [], ()),
        ("sip:example.com?a=b&", None, [], (("a", "b"),)),
    ],
)
def test_odd_parts_are_read_as_far_as_they_go_and_kept(
    text: str,
    user: str | None,
    parameters: list[tuple[str, str | None]],
    headers: tuple[tuple[str, str], ...],
) -> None:
    uri = parse(text)
    assert (str(uri), uri.host, uri.user) == (text, "example.com", user)
    assert (list(uri.parameters), uri.headers) == (parameters, headers)


# --- as we write them (§19.1.2) ---


@given(strategies.sip_uris)
def test_what_we_build_needs_no_more_escapes(uri: SipUri) -> None:
    assert str(uri.escaped()) == str(uri)
    assert uri.escaped() == uri


@pytest.mark.parametrize(
    "text",
    [
        "sip:a%b@h",
        "sip:a%2%zz%41@h:1;x=%;%3D=1?a=%&b=ü",
        "sip:ä:ö@h;ü=#?a=|",
        "sip:a%40b;c@h",
        'sip:h;x="y,z"',
        "sip:\udcff@h",
    ],
)
def test_once_escaped_it_stays_so_and_means_the_same(text: str) -> None:
    uri = parse(text)
    escaped = uri.escaped()
    again = parse(str(escaped))
    assert str(again.escaped()) == str(escaped)
    assert str(escaped).isascii()
    assert (again.user, again.password, again.parameters, again.headers) == (
        uri.user,
        uri.password,
        uri.parameters,
        uri.headers,
    )
