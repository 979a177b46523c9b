"""The Via header field (RFC 3261 §20.42, RFC 3581, RFC 5118)."""

from __future__ import annotations

import pytest
from hypothesis import given

from sipstack.errors import ParseError
from sipstack.message import Parameters, Via
from tests import strategies

parse = Via.parse


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/2.0 UDP example.com",
        "SIP/2.0/UDP example.com:",
        "SIP/2.0/UDP example.com:65536",
        "SIP/2.0/UDP example.com:123456",
        "SIP/2.0/UDP 2001:db8::1",
        "SIP/2.0/UDP exa mple.com",
        "SIP/2.0/UDP example.com;",
        "SIP/2.0/UDP example.com;;branch=a",
        "SIP/2.0/UDP example.com;branch=a;branch=b",
        "SIP/2.0/UDP example.com;branch=a;rport;rport",
        "SIP/2.0/UDP example.com;branch=a b",
        "SIP/2.0/UDP example.com branch=a",
        "SIP/2.0/UDPexample.com;branch=a",
        "SIP/2.0/U\0P example.com",
        "SIP/2.0/UDP example.com;branch=a\n",
    ],
)
def test_not_a_via(text: str) -> None:
    with pytest.raises(ParseError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "transport", "sent_by", "branch"),
    [
        ("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1", "UDP", "192.0.2.1:5060", "z9hG4bK1"),
        ("SIP/2.0/TCP Example.COM;branch=z9hG4bK1;rport", "TCP", "example.com", "z9hG4bK1"),
        ("SIP/2.0/UDP [2001:DB8::1]:5061;rport;branch=b", "UDP", "[2001:db8::1]:5061", "b"),
        ('sip/2.0/udp example.com;Branch=b;x="y;z"', "UDP", "example.com", "b"),
        (" SIP  /  2.0 /\tUDP   example.com :  5060  ; branch = b ", "UDP", "example.com:5060", "b"),
        ("SIP/2.0/UDP example.com", "UDP", "example.com", None),
        ("SIP/2.0/X-NEW example.com;branch", "X-NEW", "example.com", None),
        ("SIP/2.0/UDP example.com:0", "UDP", "example.com:0", None),
    ],
)
def test_parse(text: str, transport: str, sent_by: str, branch: str | None) -> None:
    via = parse(text)
    assert (via.protocol, via.transport, via.sent_by, via.branch) == ("SIP/2.0", transport, sent_by, branch)


def test_host_and_port() -> None:
    via = parse("SIP/2.0/UDP Example.com:5060")
    assert (via.host, via.port, via.parameters) == ("Example.com", 5060, Parameters())


@pytest.mark.parametrize("received", ["2001:db8::1", "[2001:db8::1]"])
def test_received_has_no_brackets(received: str) -> None:
    assert parse(f"SIP/2.0/UDP a;received={received};branch=b").received == "2001:db8::1"


def test_rport() -> None:
    assert parse("SIP/2.0/UDP a;branch=b;rport=5061").rport == 5061
    asked = parse("SIP/2.0/UDP a;branch=b;rport")
    assert asked.rport is None
    assert "rport" in asked.parameters
    with pytest.raises(ParseError):
        _ = parse("SIP/2.0/UDP a;branch=b;rport=x").rport
    assert parse("SIP/2.0/UDP a").received is None


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        (";branch=b", False),
        (";branch=rport", False),
        (";branch=b;rport", True),
        (";RPORT=1;branch=b", True),
        ("", False),
    ],
)
def test_wants_port(parameters: str, wanted: bool) -> None:
    assert parse("SIP/2.0/UDP a" + parameters).wants_port == wanted


def test_another_protocol() -> None:
    assert parse("SIP/7.0/UDP a").protocol == "SIP/7.0"
    assert parse("SIP/7.0/UDP a") != parse("SIP/2.0/UDP a")


def test_equality_ignores_the_case_of_the_host() -> None:
    one, two = parse("SIP/2.0/UDP A:5060;branch=b;rport"), parse("SIP/2.0/udp a:5060;rport;branch=b")
    assert one == two
    assert hash(one) == hash(two)
    assert one != parse("SIP/2.0/UDP a;branch=b;rport")
    assert one != str(one)


def test_writing() -> None:
    via = Via("UDP", "[::1]", 5060, Parameters({"rport": None, "branch": "z9hG4bK1"}))
    assert str(via) == "SIP/2.0/UDP [::1]:5060;rport;branch=z9hG4bK1"
    assert via.branch == "z9hG4bK1"
    assert repr(via) == "Via.parse('SIP/2.0/UDP [::1]:5060;rport;branch=z9hG4bK1')"


@given(strategies.vias)
def test_parse_and_str_are_inverse(via: Via) -> None:
    again = parse(str(via))
    assert again == via
    assert (str(again), again.branch, hash(again)) == (str(via), via.branch, hash(via))


@given(strategies.vias)
def test_the_common_form_and_the_general_one_agree(via: Via) -> None:
    general, common = parse(f" {via}"), parse(str(via))
    assert (general, general.branch) == (common, common.branch)
