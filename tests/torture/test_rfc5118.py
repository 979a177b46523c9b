"""The IPv6 torture messages of RFC 5118: accepted or refused as it says, and read with the right values."""

from __future__ import annotations

import pytest

from sipstack.errors import ParseError
from sipstack.message import MalformedMessage, Request, SipUri, Uri, Via, parse, validate
from tests.shared import torture_message, torture_parameters
from tests.torture.scoring import check


def octets(name: str) -> bytes:
    return torture_message("rfc5118", name)


def request(name: str) -> Request:
    message = parse(octets(name))
    assert isinstance(message, Request)
    validate(message)
    return message


def where(uri: Uri) -> tuple[str | None, str, int | None]:
    assert isinstance(uri, SipUri)
    return uri.user, uri.host, uri.port


def hop(via: Via) -> tuple[str, str, int | None, str | None]:
    return via.transport, via.host, via.port, via.branch


@pytest.mark.parametrize("row", torture_parameters("rfc5118"))
def test_verdict(row: dict[str, str]) -> None:
    data = octets(row["name"])
    if row["verdict"] == "accept":
        check(data)
        message = parse(data)
        assert parse(bytes(message)) == message
    else:
        with pytest.raises(ParseError):
            check(data)


def test_ipv6_good() -> None:
    register = request("ipv6-good")
    assert where(register.uri) == (None, "[2001:db8::10]", None)
    assert hop(register.via) == ("UDP", "[2001:db8::9:1]", None, "z9hG4bKas3-111")
    (contact,) = register.contacts
    assert contact.display_name == "Caller"
    assert where(contact.uri) == ("caller", "[2001:db8::1]", None)


def test_ipv6_bad_is_answered() -> None:
    with pytest.raises(MalformedMessage) as caught:
        validate(parse(octets("ipv6-bad")))
    assert caught.value.status == 400
    assert caught.value.request is not None
    assert caught.value.request.response(400).cseq.method == "REGISTER"


def test_port_ambiguous_belongs_to_the_address() -> None:
    assert where(request("port-ambiguous").uri) == (None, "[2001:db8::10:5070]", None)


def test_port_unambiguous() -> None:
    assert where(request("port-unambiguous").uri) == (None, "[2001:db8::10]", 5070)


@pytest.mark.parametrize(
    ("name", "branch"),
    [("via-received-param-with-delim", "z9hG4bKas3-111"), ("via-received-param-no-delim", "z9hG4bKas3")],
)
def test_received_with_and_without_brackets(name: str, branch: str) -> None:
    via = request(name).via
    assert via.received == "2001:db8::9:255"
    assert hop(via) == ("UDP", "[2001:db8::9:1]", None, branch)


def test_ipv6_in_sdp() -> None:
    invite = request("ipv6-in-sdp")
    assert where(invite.to.uri) == ("user", "[2001:db8::10]", None)
    assert hop(invite.via) == ("UDP", "[2001:db8::20]", None, "z9hG4bKas3-111")
    assert len(invite.body) == 251


def test_mult_ip_in_header() -> None:
    bye = request("mult-ip-in-header")
    assert [hop(via) for via in bye.vias] == [
        ("UDP", "[2001:db8::9:1]", 6050, "z9hG4bKas3-111"),
        ("UDP", "192.0.2.1", None, "z9hG4bKjhja8781hjuaij65144"),
        ("TCP", "[2001:db8::9:255]", None, "z9hG4bK451jj"),
    ]
    assert bye.vias[2].received == "192.0.2.200"
    assert (bye.to.tag, bye.from_.tag, bye.call_id) == ("9817--94", "81x2", "997077@lau_4100")


def test_mult_ip_in_sdp() -> None:
    assert len(request("mult-ip-in-sdp").body) == 189


def test_ipv4_mapped_ipv6() -> None:
    invite = request("ipv4-mapped-ipv6")
    assert [hop(via) for via in invite.vias] == [
        ("UDP", "[::ffff:192.0.2.10]", 19823, "z9hG4bKbh19"),
        ("UDP", "[::ffff:192.0.2.2]", None, "z9hG4bKas3-111"),
    ]
    assert where(invite.contacts[0].uri) == ("ted", "[::ffff:192.0.2.2]", None)


def test_three_colons_are_tolerated_and_equal_two() -> None:
    odd = request("ipv6-bug-abnf-3-colons")
    assert where(odd.uri) == ("user", "[2001:db8:::192.0.2.1]", None)
    assert odd.uri == request("ipv6-correct-abnf-2-colons").uri
