"""Requests and responses: typed values, writing, answering (RFC 3261 §7, §8.2.6)."""

from __future__ import annotations

import pytest
from hypothesis import given

from sipstack.errors import AuthenticationFailed, LocalProtocolError, ParseError, RequestFailed
from sipstack.message import (
    CSeq,
    Headers,
    MediaType,
    NameAddr,
    Request,
    Response,
    SipUri,
    Via,
    parse,
    parse_uri,
)
from tests import strategies

FIELDS = [
    ("Via", "SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds"),
    ("Via", "SIP/2.0/TCP b.atlanta.com;branch=z9hG4bK1"),
    ("Max-Forwards", "70"),
    ("To", "Bob <sip:bob@biloxi.com>"),
    ("From", '"Alice"  <sip:alice@atlanta.com>;tag=1928301774'),
    ("Call-ID", "a84b4c76e66710@pc33.atlanta.com"),
    ("CSeq", "314159 INVITE"),
    ("Contact", "<sip:alice@pc33.atlanta.com>"),
    ("Route", "<sip:p1;lr>, <sip:p2;lr>"),
    ("Record-Route", "<sip:p3;lr>"),
    ("Expires", "60"),
    ("Require", "100rel"),
    ("Supported", "timer, replaces"),
    ("Allow", "INVITE, ACK"),
    ("Content-Type", "application/sdp"),
]
INVITE = Request("INVITE", "sip:bob@biloxi.com", FIELDS, b"v=0\r\n")


@pytest.mark.parametrize("method", ["", "IN VITE", "A\r\n", "é", "a\0"])
def test_a_bad_method_is_refused(method: str) -> None:
    with pytest.raises(LocalProtocolError):
        Request(method, "sip:a")


@pytest.mark.parametrize("uri", ["", "sip:a b", "sip:a\r\nX: y", "sip:a\0", "sip:a\x7f", "\t"])
def test_a_bad_request_uri_is_refused(uri: str) -> None:
    with pytest.raises(LocalProtocolError):
        Request("INVITE", uri)
    with pytest.raises(LocalProtocolError):
        INVITE.replace(uri=uri)


@pytest.mark.parametrize("status", [0, 99, 700, -200])
def test_a_bad_status_is_refused(status: int) -> None:
    with pytest.raises(LocalProtocolError):
        Response(status)


@pytest.mark.parametrize("reason", ["OK\r\nX: y", "\n", "\r", "\0"])
def test_a_bad_reason_is_refused(reason: str) -> None:
    with pytest.raises(LocalProtocolError):
        Response(200, reason)
    with pytest.raises(LocalProtocolError):
        INVITE.response(200, reason)


def test_a_bad_header_of_a_response_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        INVITE.response(200, headers=[("X", "a\r\nb")])
    with pytest.raises(LocalProtocolError):
        INVITE.response(200, to_tag="a\r\nX: b")


def test_what_utf8_cannot_write_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        bytes(Request("INVITE", "sip:a", [("Subject", "\ud800")]))


@pytest.mark.parametrize("name", ["via", "from_", "to", "call_id", "cseq"])
def test_mandatory_fields_must_be_there(name: str) -> None:
    with pytest.raises(ParseError) as caught:
        getattr(Request("INVITE", "sip:a"), name)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("field", "name"), [("From", "from_"), ("To", "to"), ("Call-ID", "call_id"), ("CSeq", "cseq")]
)
def test_mandatory_fields_come_once(field: str, name: str) -> None:
    value = INVITE.headers.get(field)
    doubled = INVITE.replace(headers=INVITE.headers.append(field, value))
    with pytest.raises(ParseError, match="more than once"):
        getattr(doubled, name)


def test_typed_values() -> None:
    assert INVITE.method == "INVITE"
    assert INVITE.uri == parse_uri("sip:bob@biloxi.com")
    assert INVITE.via == Via.parse(FIELDS[0][1])
    assert INVITE.vias == (Via.parse(FIELDS[0][1]), Via.parse(FIELDS[1][1]))
    assert INVITE.to == NameAddr.parse("Bob <sip:bob@biloxi.com>")
    assert (INVITE.from_.display_name, INVITE.from_.tag) == ("Alice", "1928301774")
    assert INVITE.call_id == "a84b4c76e66710@pc33.atlanta.com"
    assert INVITE.cseq == CSeq(314159, "INVITE")
    assert INVITE.max_forwards == 70
    assert INVITE.contacts == (NameAddr.parse("<sip:alice@pc33.atlanta.com>"),)
    assert [str(route.uri) for route in INVITE.routes] == ["sip:p1;lr", "sip:p2;lr"]
    assert [str(route.uri) for route in INVITE.record_routes] == ["sip:p3;lr"]
    assert INVITE.content_type == MediaType("application", "sdp")
    assert INVITE.expires == 60
    assert (INVITE.require, INVITE.supported) == (("100rel",), ("timer", "replaces"))
    assert INVITE.allow == ("INVITE", "ACK")


def test_typed_values_that_are_missing() -> None:
    empty = Request("INVITE", "sip:a")
    assert (empty.max_forwards, empty.content_type, empty.expires) == (None, None, None)
    assert (empty.vias, empty.contacts, empty.routes, empty.record_routes) == ((), (), (), ())
    assert (empty.require, empty.supported, empty.allow) == ((), (), ())


def test_typed_values_are_parsed_once() -> None:
    for name in ("uri", "via", "from_", "to", "cseq", "call_id", "vias"):
        assert getattr(INVITE, name) is getattr(INVITE, name)


def test_the_top_via_of_a_list() -> None:
    message = Request("INVITE", "sip:a", [("Via", 'SIP/2.0/UDP a;x=",", SIP/2.0/UDP b')])
    assert (message.via.host, [via.host for via in message.vias]) == ("a", ["a", "b"])


def test_a_broken_request_uri_is_found_when_it_is_asked_for() -> None:
    message = Request("INVITE", "<sip:a>")
    assert message.uri_text == "<sip:a>"
    with pytest.raises(ParseError):
        _ = message.uri


def test_writing() -> None:
    message = Request("BYE", SipUri("b", user="a"), [("v", "SIP/2.0/UDP c"), ("l", "99"), ("X-Y", 5)], b"xyz")
    assert bytes(message) == (
        b"BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c\r\nX-Y: 5\r\nContent-Length: 3\r\n\r\nxyz"
    )
    assert bytes(message) is bytes(message)
    assert bytes(Response(486)) == b"SIP/2.0 486 Busy Here\r\nContent-Length: 0\r\n\r\n"
    assert bytes(Response(200, "")).startswith(b"SIP/2.0 200 \r\n")
    assert bytes(Response(200, "Да")).startswith("SIP/2.0 200 Да\r\n".encode())


def test_octets_that_are_not_utf8_survive() -> None:
    message = parse(b"BYE sip:\xffa@b SIP/2.0\r\nSubject: \xfe\xc3\xbc\r\n\r\n")
    assert message.headers.get("Subject") == "\udcfeü"
    assert bytes(message) == b"BYE sip:\xffa@b SIP/2.0\r\nSubject: \xfe\xc3\xbc\r\nContent-Length: 0\r\n\r\n"


def test_replace_makes_a_new_message() -> None:
    changed = INVITE.replace(method="UPDATE", uri="sip:x", body=b"")
    assert (changed.start_line, changed.body) == ("UPDATE sip:x SIP/2.0", b"")
    assert changed.headers == INVITE.headers
    assert INVITE.start_line == "INVITE sip:bob@biloxi.com SIP/2.0"
    ok = Response(200, "Fine", [("X", "1")], b"a")
    assert ok.replace(status=202).start_line == "SIP/2.0 202 Accepted"
    assert ok.replace(body=b"b").start_line == "SIP/2.0 200 Fine"
    assert ok.replace(headers=Headers()).headers == Headers()


def test_with_headers_keeps_the_request_as_it_came() -> None:
    odd = parse(b"BYE sip:a\x01b SIP/2.0\r\nX: 1\r\n\r\nx")
    assert isinstance(odd, Request)
    changed = odd.with_headers(Headers([("Subject", "y")]))
    assert bytes(changed) == b"BYE sip:a\x01b SIP/2.0\r\nSubject: y\r\nContent-Length: 1\r\n\r\nx"


def test_a_response_echoes_the_fields_as_they_came() -> None:
    ringing = INVITE.response(180, to_tag="a6c85cf")
    assert bytes(ringing) == (
        b"SIP/2.0 180 Ringing\r\n"
        b"Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds\r\n"
        b"Via: SIP/2.0/TCP b.atlanta.com;branch=z9hG4bK1\r\n"
        b'From: "Alice"  <sip:alice@atlanta.com>;tag=1928301774\r\n'
        b"To: Bob <sip:bob@biloxi.com>;tag=a6c85cf\r\n"
        b"Call-ID: a84b4c76e66710@pc33.atlanta.com\r\n"
        b"CSeq: 314159 INVITE\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


def test_a_response_with_headers_and_body() -> None:
    headers = [("Contact", "<sip:bob@192.0.2.4>"), ("Content-Type", "application/sdp")]
    ok = INVITE.response(200, "Fine", to_tag="1", headers=headers, body=b"v=0\r\n")
    assert ok.start_line == "SIP/2.0 200 Fine"
    assert list(ok.headers.items())[6:] == headers
    assert bytes(ok).endswith(b"Content-Length: 5\r\n\r\nv=0\r\n")
    assert INVITE.response(200, headers=Headers(headers)).contacts == ok.contacts


def test_a_to_tag_stays() -> None:
    bye = INVITE.replace(headers=INVITE.headers.with_("To", "<sip:bob@biloxi.com>;TAG=old"))
    assert bye.response(200, to_tag="new").to.tag == "old"
    assert INVITE.response(200).to.tag is None


def test_only_a_100_echoes_the_timestamp() -> None:
    stamped = INVITE.replace(headers=INVITE.headers.with_("Timestamp", "54"))
    assert stamped.response(100).headers.get("Timestamp") == "54"
    assert stamped.response(180).headers.get("Timestamp") is None


def test_a_response_to_a_request_that_lacks_fields() -> None:
    bare = Request("INVITE", "sip:a", [("Via", "SIP/2.0/UDP c")])
    assert list(bare.response(400, to_tag="1").headers.items()) == [("Via", "SIP/2.0/UDP c")]


def test_equality() -> None:
    other = Request("INVITE", parse_uri("sip:bob@biloxi.com"), Headers(FIELDS), b"v=0\r\n")
    assert other == INVITE
    assert hash(other) == hash(INVITE)
    assert parse(bytes(INVITE)) == INVITE
    assert INVITE.replace(body=b"") != INVITE
    assert INVITE.replace(method="BYE") != INVITE
    assert INVITE.replace(headers=INVITE.headers.with_("X", "1")) != INVITE
    assert Response(200) != Response(200, "Fine")
    assert Response(200) != 200


def test_repr() -> None:
    assert repr(INVITE) == (
        "<Request INVITE sip:bob@biloxi.com SIP/2.0 Call-ID='a84b4c76e66710@pc33.atlanta.com' "
        "CSeq='314159 INVITE' headers=15 body=5>"
    )
    assert repr(Response(200)) == "<Response SIP/2.0 200 OK Call-ID=None CSeq=None headers=0 body=0>"


def test_messages_have_no_dict() -> None:
    for value in (INVITE, INVITE.response(200), INVITE.headers, INVITE.via, INVITE.to, INVITE.uri):
        assert not hasattr(value, "__dict__")


@given(strategies.messages)
def test_parse_and_bytes_are_inverse(message: Request | Response) -> None:
    again = parse(bytes(message))
    assert again == message
    assert bytes(again) == bytes(message)
    assert again.headers.without("Content-Length") == message.headers


@given(strategies.requests())
def test_a_response_can_be_read_and_matches(request: Request) -> None:
    response = parse(bytes(request.response(200, to_tag="new")))
    assert response.vias == request.vias
    assert (response.from_, response.call_id, response.cseq) == (request.from_, request.call_id, request.cseq)
    assert response.to.tag == request.to.tag or (request.to.tag is None and response.to.tag == "new")


# --- raise_for_status ---


@pytest.mark.parametrize("status", [300, 302, 399, 400, 403, 408, 486, 500, 603, 699])
def test_a_refusal_is_raised(status: int) -> None:
    response = Response(status, headers=[("Retry-After", 60), ("Contact", "<sip:a>, <sip:b>")], body=b"x")
    with pytest.raises(RequestFailed, match=f"^{status} ") as caught:
        response.raise_for_status()
    error = caught.value
    assert type(error) is RequestFailed
    assert (error.response, error.status, error.reason) == (response, status, response.reason)
    assert error.response.headers.get("Retry-After") == "60"
    assert [str(contact) for contact in error.response.contacts] == ["<sip:a>", "<sip:b>"]


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenge_is_raised_as_failed_authentication(status: int) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        Response(status).raise_for_status()
    assert caught.value.status == status


@pytest.mark.parametrize("status", [100, 183, 199, 200, 202, 299])
def test_a_response_that_refuses_nothing_comes_back(status: int) -> None:
    response = Response(status)
    assert response.raise_for_status() is response
