"""Messages of our own, broken in the ways that RFC 4475 §3.1.2 and §3.3 describe: refused, and answered."""

from __future__ import annotations

import pytest

from sipstack.message import MalformedMessage, Request, Via, parse, validate
from tests.message.hard import CALL_ID, CONTACT, FROM, SDP, SDP_TYPE, TO, VIA, answer, dialogless, written

OPTIONS = dialogless("OPTIONS")
BROKEN_VIA = "Via: SIP/2.0/UDP 192.0.2.3:5060;;,;,,"


def invite(*lines: str, uri: str = "sip:bob@example.com") -> bytes:
    return dialogless("INVITE", CONTACT, SDP_TYPE, *lines, uri=uri, body=SDP)


def line_replaced(old: str, new: str) -> bytes:
    assert old.encode() in OPTIONS
    return OPTIONS.replace(old.encode(), new.encode())


REQUESTS = {
    "3.1.2.1 empty elements in Via": (invite(BROKEN_VIA), 400),
    "3.1.2.1 empty parameters in From": (invite("From: <sip:carol@example.net>;;;;tag=1"), 400),
    "3.1.2.2 a Content-Length beyond the datagram": (invite("Content-Length: 7000"), 400),
    "3.1.2.3 a negative Content-Length": (invite("Content-Length: -7"), 400),
    "3.1.2.4 a CSeq of more than 31 bits": (dialogless("REGISTER", "CSeq: 4294967296 REGISTER"), 400),
    "3.1.2.4 a CSeq of many digits": (dialogless("REGISTER", f"CSeq: {'9' * 5000} REGISTER"), 400),
    "3.1.2.6 a quote that does not close": (invite('To: "Bob <sip:bob@example.com>'), 400),
    "3.1.2.7 angle brackets round the Request-URI": (invite(uri="<sip:bob@example.com>"), 400),
    "3.1.2.8 a space in the Request-URI": (invite(uri="sip:bob@example.com; lr"), 400),
    "3.1.2.9 spaces too many": (
        line_replaced("OPTIONS sip:bob@example.com ", "OPTIONS  sip:bob@example.com  "),
        400,
    ),
    "3.1.2.10 spaces at the end": (line_replaced(" SIP/2.0\r\n", " SIP/2.0  \r\n"), 400),
    "3.1.2.14 spaces in angle brackets": (dialogless("OPTIONS", "To: <  sip:bob@example.com >"), 400),
    "3.1.2.15 a comma in a name without quotes": (
        dialogless("OPTIONS", "From: Carol, C. <sip:carol@example.net>;tag=1"),
        400,
    ),
    "3.1.2.15 no empty line": (OPTIONS.removesuffix(b"\r\n"), 400),
    "3.1.2.16 another version": (line_replaced(" SIP/2.0\r\n", " SIP/9.1\r\n"), 505),
    "3.1.2.17 CSeq names another method": (dialogless("OPTIONS", "CSeq: 1 INVITE"), 400),
    "3.1.2.18 and the method is unknown": (dialogless("NEW", "CSeq: 1 INVITE"), 400),
    "3.3.1 no Call-ID": (invite("Call-ID: "), 400),
    "3.3.1 no From": (invite("From: "), 400),
    "3.3.1 no To": (invite("To: "), 400),
    "3.3.8 two different Call-IDs": (invite(CALL_ID, "Call-ID: other@192.0.2.3"), 400),
    "3.3.8 two different From": (invite(FROM, "From: <sip:dave@example.net>;tag=d"), 400),
    "3.3.8 two different To": (invite(TO, "To: <sip:dave@example.com>"), 400),
    "3.3.8 two different CSeq": (invite("CSeq: 1 INVITE", "CSeq: 2 INVITE"), 400),
    "3.3.9 two different Content-Lengths": (
        dialogless("OPTIONS", "Content-Length: 0", "Content-Length: 3"),
        400,
    ),
}


@pytest.mark.parametrize(("data", "status"), REQUESTS.values(), ids=REQUESTS)
def test_a_broken_request_is_refused_and_can_be_answered(data: bytes, status: int) -> None:
    with pytest.raises(MalformedMessage) as caught:
        validate(parse(data))
    assert caught.value.status == status
    broken = caught.value.request
    assert broken is not None
    response = parse(bytes(broken.response(status, to_tag="1")))
    assert (response.via.host, response.via.port) == ("192.0.2.3", 5060)
    assert response.via == broken.via


RESPONSES = {
    "3.1.2.5 a CSeq of many digits": answer("SIP/2.0 503 Busy", f"CSeq: {'9' * 22} INVITE"),
    "3.1.2.19 a status of many digits": answer("SIP/2.0 4294967496 OK"),
    "3.1.2.19 a status above 699": answer("SIP/2.0 700 OK"),
}


@pytest.mark.parametrize("data", RESPONSES.values(), ids=RESPONSES)
def test_a_broken_response_is_dropped(data: bytes) -> None:
    with pytest.raises(MalformedMessage) as caught:
        validate(parse(data))
    assert caught.value.request is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Retry-After", "9" * 20),
        ("Warning", '1812 example.com "year"'),
        ("Expires", "9" * 99),
        ("Max-Forwards", "300"),
    ],
)
def test_3_1_2_4_and_5_an_overlong_number_breaks_only_its_own_field(name: str, value: str) -> None:
    message = parse(answer("SIP/2.0 503 Busy", f"{name}: {value}"))
    validate(message)
    with pytest.raises(ValueError, match=value[:20]):
        message.headers.typed(name)


def test_3_1_2_1_the_answer_goes_to_the_host_of_the_broken_via() -> None:
    with pytest.raises(MalformedMessage) as caught:
        validate(parse(invite(BROKEN_VIA)))
    assert caught.value.request is not None
    assert caught.value.request.via == Via("UDP", "192.0.2.3", 5060)


def test_3_3_1_the_answer_echoes_what_there_is() -> None:
    with pytest.raises(MalformedMessage) as caught:
        validate(parse(written("INVITE sip:bob@example.com SIP/2.0", "CSeq: 7 INVITE", VIA, "l: 0")))
    assert isinstance(caught.value.request, Request)
    assert dict(caught.value.request.response(400).headers.items()) == {
        "Via": "SIP/2.0/UDP 192.0.2.3:5060;branch=z9hG4bKhard",
        "CSeq": "7 INVITE",
    }
