"""Messages of our own, hard in the ways that RFC 4475 §3.1.1, §3.2 to §3.4 describe; all of them are SIP."""

from __future__ import annotations

import pytest

from sipstack.errors import ParseError
from sipstack.message import MediaType, NameAddr, OtherUri, Parameters, Via, parse_uri
from sipstack.message.mime import parse_multipart
from tests.message.hard import (
    CALL_ID,
    CONTACT,
    FROM,
    SDP,
    SDP_TYPE,
    TO,
    VIA,
    accepted,
    answer,
    dialogless,
    request,
    response,
    sip,
    written,
)

# --- §3.1.1: valid messages ---


def test_3_1_1_1_white_space_case_and_order() -> None:
    """Folded lines, white space round separators, short names, leading zeros, an unknown field."""
    invite = request(
        written(
            "INVITE sip:bob@example.com;lr SIP/2.0",
            "tO :",
            '  "B. \\\\\\"\\"\\t" <sip:bob@example.com> ; tag',
            "   = 7;note = sunny",
            "MAX-forwards:\t0042",
            "i: white.space@192.0.2.3",
            "CSEQ:  00017",
            "\tINVITE",
            "v:  SIP  /  2.0 \t / UDP",
            "    192.0.2.3  :  5062 ;branch=z9hG4bKhard",
            'S : "quoted, text',
            "X-New: , ; %% =?",
            "  and more",
            "Via  : SIP /2.0",
            " /TCP  pc.example.com",
            " ;\tbranch =\tz9hG4bKsecond , SIP/2.0/TLS 192.0.2.4",
            'f:"Carol ,\\" C." ',
            '  <sip:carol@example.net> ; tag = "q"',
            "Route :<sip:p.example.com;x=sip%3Aq;lr> , \t<sip:r.example.com>",
            "M: sip:carol@192.0.2.3",
            "l: 0",
        )
    )
    assert sip(invite.uri).parameters == Parameters({"lr": None})
    assert (invite.to.display_name, invite.to.tag) == ('B. \\""t', "7")
    assert (invite.max_forwards, invite.cseq.number, invite.cseq.method) == (42, 17, "INVITE")
    assert [(via.transport, via.sent_by, via.branch) for via in invite.vias] == [
        ("UDP", "192.0.2.3:5062", "z9hG4bKhard"),
        ("TCP", "pc.example.com", "z9hG4bKsecond"),
        ("TLS", "192.0.2.4", None),
    ]
    assert invite.headers.get("Subject") == '"quoted, text'
    assert invite.headers.get("x-new") == ", ; %% =? and more"
    assert invite.from_.display_name == 'Carol ," C.'
    assert [sip(route.uri).host for route in invite.routes] == ["p.example.com", "r.example.com"]
    assert sip(invite.routes[0].uri).parameters.get("x") == "sip:q"
    assert [str(contact) for contact in invite.contacts] == ["<sip:carol@192.0.2.3>"]


def test_3_1_1_2_every_character_that_a_token_may_have() -> None:
    method = "-0.A!b%C*d_E+f`g'h~"
    odd = request(
        dialogless(
            method,
            "Call-ID: w-.!%*_+`'~()<>:\\\"/[]?{}@w-.!%*_+`'~()<>:\\\"/[]?{}",
            'To: "\\\x00\\\x07\\\x7f" <sip:x!*\'()~_.-&=+$,;?/:&=+$,@example.com>',
            "From: t.-!%*_+`'~ <sip:carol@example.net>;tag=_t'~;p=\"\u96fb\u8a71\"",
            "X-.!%*_+`'~9: \ufeff\u505c\u96fb",
            "Max-Forwards: 255",
        )
    )
    assert (odd.method, odd.cseq.method, odd.max_forwards) == (method, method, 255)
    assert odd.call_id == "w-.!%*_+`'~()<>:\\\"/[]?{}@w-.!%*_+`'~()<>:\\\"/[]?{}"
    assert odd.to.display_name == "\x00\x07\x7f"
    assert (sip(odd.to.uri).user, sip(odd.to.uri).password) == ("x!*'()~_.-&=+$,;?/", "&=+$,")
    assert odd.from_.parameters.text("p") == "\u96fb\u8a71"
    assert odd.headers.get("x-.!%*_+`'~9") == "\ufeff\u505c\u96fb"


def test_3_1_1_3_escapes_are_resolved_once() -> None:
    invite = request(
        dialogless(
            "INVITE",
            "To: <sip:%62o%62@example.com>",
            "From: <sip:two%20words@example.net>;tag=1",
            "Contact: <sip:c%40d@192.0.2.3;note=50%2525;%6Cr>",
            uri="sip:sip%3Abob%40example.com@gw.example.org",
        )
    )
    assert (sip(invite.uri).user, sip(invite.uri).host) == ("sip:bob@example.com", "gw.example.org")
    assert invite.to.uri == parse_uri("sip:bob@example.com")
    assert str(invite.to.uri) == "sip:%62o%62@example.com"
    assert sip(invite.from_.uri).user == "two words"
    (contact,) = invite.contacts
    assert sip(contact.uri).user == "c@d"
    assert sip(contact.uri).parameters == Parameters({"note": "50%25", "lr": None})


def test_3_1_1_4_an_escaped_nul_is_a_character_of_the_user() -> None:
    register = request(
        dialogless(
            "REGISTER",
            "To: <sip:end%00not@example.com>",
            "Contact: <sip:%00@192.0.2.3>",
            "Contact: <sip:%00%00@192.0.2.3>",
            uri="sip:example.com",
        )
    )
    assert sip(register.to.uri).user == "end\0not"
    one, other = register.contacts
    assert (sip(one.uri).user, sip(other.uri).user) == ("\0", "\0\0")
    assert one.uri != other.uri


def test_3_1_1_5_a_percent_sign_outside_a_uri_is_itself() -> None:
    message = request(
        dialogless(
            "OPTION%53",
            "To: 50%25 <sip:bob@example.com>",
            "Via: SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK%41",
            "Contact: <sip:one@192.0.2.3>",
            "%43ontact: <sip:two@192.0.2.3>",
            "m: <sip:three@192.0.2.3>",
        )
    )
    assert (message.method, message.to.display_name) == ("OPTION%53", "50%25")
    assert message.via.branch == "z9hG4bK%41"
    assert [sip(contact.uri).user for contact in message.contacts] == ["one", "three"]
    assert message.headers.get("%43ontact") == "<sip:two@192.0.2.3>"


def test_3_1_1_6_no_space_before_the_angle_bracket() -> None:
    options = request(dialogless("OPTIONS", "From: Carol<sip:carol@example.net>;tag=1"))
    assert options.from_ == NameAddr.parse('"Carol" <sip:carol@example.net>;tag=1')


def test_3_1_1_7_everything_is_long() -> None:
    long = "very" * 100
    vias = [f"v: SIP/2.0/TCP hop{number}.example.com;branch=z9hG4bK{long}" for number in range(40)]
    fields = [
        f'To: "{long}" <sip:{long}@example.com:6000;{long}={long}>',
        f"From: <sip:carol@example.net>;tag={long};{long}x;{long}y={long}",
        f"Call-ID: {long}@{long}",
        "CSeq: 1 INVITE",
        f"{long}: {long}, {long}",
        f"Contact: <sip:{long}@192.0.2.3>",
    ]
    invite = request(written("INVITE sip:bob@example.com SIP/2.0", *fields, *vias, "l: 0"))
    assert invite.to.display_name == sip(invite.to.uri).user == invite.from_.tag == long
    assert (sip(invite.to.uri).port, sip(invite.to.uri).parameters.get(long)) == (6000, long)
    assert [name for name, _ in invite.from_.parameters] == ["tag", f"{long}x", f"{long}y"]
    assert invite.call_id == f"{long}@{long}"
    assert [via.host for via in invite.vias] == [f"hop{number}.example.com" for number in range(40)]
    assert {via.branch for via in invite.vias} == {f"z9hG4bK{long}"}
    assert invite.headers.get(long) == f"{long}, {long}"


def test_3_1_1_8_a_second_request_behind_the_end_is_not_read() -> None:
    first = dialogless("REGISTER", "Contact: <sip:carol@192.0.2.3>", uri="sip:example.com")
    register = request(first + dialogless("INVITE", CONTACT, SDP_TYPE, body=SDP))
    assert (register.method, register.body) == ("REGISTER", b"")
    assert bytes(register) == bytes(request(first))


def test_3_1_1_9_a_semicolon_in_the_user_part() -> None:
    options = request(dialogless("OPTIONS", uri="sip:bob;x=y%40example.net@example.com"))
    assert (sip(options.uri).user, sip(options.uri).host) == ("bob;x=y@example.net", "example.com")
    assert sip(options.uri).parameters == Parameters()
    assert str(options.uri) == "sip:bob;x=y%40example.net@example.com"


def test_3_1_1_10_transports_known_and_unknown() -> None:
    transports = ["UDP", "SCTP", "TLS", "PIGEON", "TCP"]
    lines = [
        f"Via: SIP/2.0/{transport} {transport}.example.com;branch=z9hG4bK{transport}"
        for transport in transports
    ]
    options = request(dialogless("OPTIONS", *lines))
    assert [(via.transport, via.sent_by) for via in options.vias] == [
        (transport, f"{transport.lower()}.example.com") for transport in transports
    ]


def test_3_1_1_11_a_multipart_body_with_binary_octets() -> None:
    binary = b"\0\x01\r\n\r\xff\n\0--not the end\r\n\x80"
    body = b"--b\r\nContent-Type: text/plain\r\n\r\nHi\r\n--b\r\nContent-Type: application/octet-stream\r\n"
    body += b"Content-Transfer-Encoding: binary\r\n\r\n" + binary + b"\r\n--b--"
    message = request(dialogless("MESSAGE", "Content-Type: multipart/mixed;boundary=b", body=body))
    assert message.body == body
    assert message.content_type is not None
    text, octets = parse_multipart(message.body, message.content_type)
    assert (text.content_type, text.body) == (MediaType("text", "plain"), b"Hi")
    assert (octets.content_type, octets.body) == (MediaType("application", "octet-stream"), binary)


@pytest.mark.parametrize(
    ("status_line", "reason"),
    [
        ("SIP/2.0 200 = 2*100 \u0434\u0430, OK", "= 2*100 \u0434\u0430, OK"),  # §3.1.1.12
        ("SIP/2.0 200 ", ""),  # §3.1.1.13
    ],
)
def test_3_1_1_12_and_13_the_reason_phrase_is_free(status_line: str, reason: str) -> None:
    ok = response(answer(status_line, f"{TO};tag=b"))
    assert (ok.status, ok.reason, ok.to.tag) == (200, reason, "b")
    assert bytes(ok).startswith(status_line.encode() + b"\r\n")


# --- §3.2.1 and §3.4.1: of the transaction, and of old peers ---


def test_3_2_1_the_cookie_alone_is_a_branch() -> None:
    options = request(dialogless("OPTIONS", "Via: SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK"))
    assert options.via.branch == "z9hG4bK"


def test_3_4_1_an_invite_of_rfc_2543() -> None:
    """No branch, no tag in From, no Max-Forwards, no Content-Length: the datagram ends the body."""
    fields = ("Via: SIP/2.0/UDP old.example.com", "From: <sip:carol@example.net;user=phone>", TO, CALL_ID)
    route = "Record-Route: <sip:bob@example.com;maddr=ss1.example.com>"
    invite = request(
        written("INVITE sip:bob@example.com SIP/2.0", *fields, "CSeq: 1 INVITE", route, SDP_TYPE, body=SDP)
    )
    assert (invite.via, invite.via.branch) == (Via("UDP", "old.example.com"), None)
    assert (invite.from_.tag, invite.max_forwards, invite.body) == (None, None, SDP)
    assert sip(invite.record_routes[0].uri).parameters.get("maddr") == "ss1.example.com"


# --- §3.3: good SIP that the application has to refuse, or to understand. For the answers see tests/core ---


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("carrier:bob-through-the-door", OtherUri("carrier", "bob-through-the-door")),  # §3.3.2
        ("soap.xyz://192.0.2.9:80", OtherUri("soap.xyz", "//192.0.2.9:80")),  # §3.3.3
    ],
)
def test_3_3_2_and_3_a_request_uri_of_an_unknown_scheme(text: str, uri: OtherUri) -> None:
    assert request(dialogless("OPTIONS", uri=text)).uri == uri


def test_3_3_4_unknown_schemes_in_addresses() -> None:
    register = request(
        dialogless(
            "REGISTER",
            "To: <book:42>",
            "From: <https://example.net>;tag=1",
            "Contact: <person:carol>",
            uri="sip:example.com",
        )
    )
    assert (register.to.uri, register.from_.uri) == (
        OtherUri("book", "42"),
        OtherUri("https", "//example.net"),
    )
    assert [contact.uri for contact in register.contacts] == [OtherUri("person", "carol")]


def test_3_3_5_unknown_option_tags() -> None:
    options = request(dialogless("OPTIONS", "Require: foo, bar", "Proxy-Require: baz", "Proxy-Require: qux"))
    assert (options.require, options.headers.typed("Proxy-Require")) == (("foo", "bar"), ("baz", "qux"))


def test_3_3_6_an_unknown_type_of_body() -> None:
    invite = request(dialogless("INVITE", CONTACT, "Content-Type: application/x-new", body=b"<new/>"))
    assert (invite.content_type, invite.body) == (MediaType("application", "x-new"), b"<new/>")


def test_3_3_7_an_unknown_scheme_of_authentication() -> None:
    register = request(dialogless("REGISTER", 'Authorization: Handshake grip=firm, hand="left"'))
    (credentials,) = register.headers.typed("Authorization")
    assert (credentials.scheme, credentials.is_digest, credentials.text("hand")) == (
        "Handshake",
        False,
        "left",
    )


def test_3_3_10_a_response_with_a_via_too_many() -> None:
    ok = response(answer("SIP/2.0 200 OK", VIA, "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKall"))
    assert [via.host for via in ok.vias] == ["192.0.2.3", "255.255.255.255"]


def test_3_3_11_no_hops_left() -> None:
    assert request(dialogless("OPTIONS", "Max-Forwards: 0")).max_forwards == 0


def test_3_3_12_and_13_a_parameter_belongs_to_the_field_or_to_the_uri() -> None:
    (bare,) = request(dialogless("REGISTER", "Contact: sip:carol@192.0.2.3;new")).contacts
    assert (sip(bare.uri).parameters, bare.parameters) == (Parameters(), Parameters({"new": None}))
    (bracketed,) = request(dialogless("REGISTER", "Contact: <sip:carol@192.0.2.3;new>")).contacts
    assert (sip(bracketed.uri).parameters, bracketed.parameters) == (Parameters({"new": None}), Parameters())


def test_3_3_14_a_contact_with_header_fields_of_its_own() -> None:
    (contact,) = request(
        dialogless("REGISTER", "Contact: <sip:carol@192.0.2.3?Route=%3Csip:p.example.com%3E>")
    ).contacts
    assert sip(contact.uri).headers == (("Route", "<sip:p.example.com>"),)
    assert str(contact.uri) == "sip:carol@192.0.2.3?Route=%3Csip:p.example.com%3E"


def test_3_3_15_an_answer_that_may_not_be_sdp() -> None:
    invite = request(dialogless("INVITE", CONTACT, SDP_TYPE, "Accept: text/x-new", body=SDP))
    assert invite.headers.typed("Accept") == (MediaType("text", "x-new"),)


# --- §3.1.2: broken in a field that not everybody reads; the message is taken without it ---


def test_3_1_2_11_header_fields_in_the_request_uri_are_seen() -> None:
    invite = request(dialogless("INVITE", CONTACT, uri="sip:bob@example.com?Route=%3Csip:p.example.com%3E"))
    assert sip(invite.uri).headers == (("Route", "<sip:p.example.com>"),)


@pytest.mark.parametrize(
    "line",
    [
        "Date: Tue, 05 Jan 2010 12:00:00 CET",  # §3.1.2.12
        "Contact: sip:carol@192.0.2.3?Subject=x",  # §3.1.2.13
    ],
)
def test_3_1_2_12_and_13_a_field_that_breaks_its_own_value_only(line: str) -> None:
    message = accepted(dialogless("REGISTER", line, FROM))
    with pytest.raises(ParseError):
        message.headers.typed(line.partition(":")[0])
