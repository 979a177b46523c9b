"""Messages of our own with IPv6 addresses wherever RFC 5118 §4 finds them hard."""

from __future__ import annotations

import pytest

from sipstack import sdp
from sipstack.message import MalformedMessage, Via, parse, validate
from tests.message.hard import CONTACT, FROM, SDP_TYPE, TO, dialogless, request, sip


def where(uri: object) -> tuple[str, int | None]:
    return sip(uri).host, sip(uri).port


def test_4_1_references_in_brackets() -> None:
    register = request(
        dialogless(
            "REGISTER",
            "Via: SIP/2.0/UDP [2001:db8::3]:5062;branch=z9hG4bK6",
            "Contact: <sip:carol@[2001:db8::3]>",
            uri="sip:[2001:db8::2]",
        )
    )
    assert where(register.uri) == ("[2001:db8::2]", None)
    assert (register.via.host, register.via.port) == ("[2001:db8::3]", 5062)
    assert where(register.contacts[0].uri) == ("[2001:db8::3]", None)


def test_4_2_an_address_without_brackets_is_refused() -> None:
    with pytest.raises(MalformedMessage) as caught:
        validate(parse(dialogless("REGISTER", uri="sip:2001:db8::2")))
    assert caught.value.status == 400
    assert caught.value.request is not None
    assert caught.value.request.response(400).cseq.method == "REGISTER"


def test_4_3_digits_in_the_brackets_are_no_port() -> None:
    assert where(request(dialogless("OPTIONS", uri="sip:[2001:db8::2:5062]")).uri) == (
        "[2001:db8::2:5062]",
        None,
    )


def test_4_4_digits_behind_the_brackets_are_the_port() -> None:
    assert where(request(dialogless("OPTIONS", uri="sip:[2001:db8::2]:5062")).uri) == ("[2001:db8::2]", 5062)


@pytest.mark.parametrize("received", ["[2001:db8::9]", "2001:db8::9"])
def test_4_5_received_with_and_without_brackets(received: str) -> None:
    line = f"Via: SIP/2.0/UDP [2001:db8::3];received={received};branch=z9hG4bK6"
    via = request(dialogless("BYE", line, f"{TO};tag=b")).via
    assert (via.host, via.received, via.branch) == ("[2001:db8::3]", "2001:db8::9", "z9hG4bK6")


def body(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


def test_4_6_addresses_in_sdp_have_no_brackets() -> None:
    offer = body(
        "v=0", "o=- 1 1 IN IP6 2001:db8::3", "s=-", "c=IN IP6 2001:db8::3", "t=0 0", "m=audio 40000 RTP/AVP 0"
    )
    invite = request(dialogless("INVITE", CONTACT, SDP_TYPE, body=offer))
    description = sdp.parse(invite.body)
    connection = description.connection_of(description.media[0])
    assert connection is not None
    assert connection.address == "2001:db8::3"


def test_4_7_both_families_in_one_message() -> None:
    bye = request(
        dialogless(
            "BYE",
            "Via: SIP/2.0/UDP [2001:db8::1]:6050;branch=z9hG4bKone",
            "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKtwo",
            "Via: SIP/2.0/TCP [2001:db8::9];received=192.0.2.200;branch=z9hG4bKthree",
            f"{TO};tag=b",
            FROM,
        )
    )
    assert [(via.host, via.port, via.received) for via in bye.vias] == [
        ("[2001:db8::1]", 6050, None),
        ("192.0.2.1", None, None),
        ("[2001:db8::9]", None, "192.0.2.200"),
    ]


def test_4_8_both_families_in_one_description() -> None:
    media = (
        "m=audio 40000 RTP/AVP 0",
        "c=IN IP4 192.0.2.3",
        "m=video 40002 RTP/AVP 31",
        "c=IN IP6 2001:db8::3",
    )
    offer = body("v=0", "o=- 1 1 IN IP4 192.0.2.3", "s=", "t=0 0", *media)
    description = sdp.parse(request(dialogless("INVITE", CONTACT, SDP_TYPE, body=offer)).body)
    connections = [description.connection_of(medium) for medium in description.media]
    assert [connection and connection.address for connection in connections] == ["192.0.2.3", "2001:db8::3"]


def test_4_9_ipv4_mapped_addresses() -> None:
    invite = request(
        dialogless(
            "INVITE",
            "Via: SIP/2.0/UDP [::ffff:192.0.2.3]:5062;branch=z9hG4bK6",
            "Contact: <sip:carol@[::ffff:192.0.2.3]>",
        )
    )
    assert (invite.via.host, invite.via.port) == ("[::ffff:192.0.2.3]", 5062)
    assert where(invite.contacts[0].uri) == ("[::ffff:192.0.2.3]", None)


def test_4_10_three_colons_that_the_old_grammar_made_equal_two() -> None:
    two = request(dialogless("OPTIONS", uri="sip:bob@[2001:db8::192.0.2.1]"))
    three = request(dialogless("OPTIONS", uri="sip:bob@[2001:db8:::192.0.2.1]"))
    assert where(three.uri) == ("[2001:db8:::192.0.2.1]", None)
    assert three.uri == two.uri
    assert Via.parse("SIP/2.0/UDP [2001:db8:::192.0.2.1]").host == "[2001:db8:::192.0.2.1]"
