"""Hard messages, written line by line so that nothing in them is put right."""

from __future__ import annotations

from sipstack.message import Request, Response, SipUri, parse, validate
from tests.torture.scoring import check

VIA = "Via: SIP/2.0/UDP 192.0.2.3:5060;branch=z9hG4bKhard"
FROM = "From: <sip:carol@example.net>;tag=c4"
TO = "To: <sip:bob@example.com>"
CALL_ID = "Call-ID: hard@192.0.2.3"
HOPS = "Max-Forwards: 70"
CONTACT = "Contact: <sip:carol@192.0.2.3>"
SDP_TYPE = "Content-Type: application/sdp"
SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.3\r\ns=-\r\nc=IN IP4 192.0.2.3\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"


def written(*lines: str, body: bytes = b"") -> bytes:
    """The lines as a message, in UTF-8. A Content-Length has to be among the lines."""
    return "\r\n".join([*lines, "", ""]).encode() + body


def dialogless(method: str, *lines: str, uri: str = "sip:bob@example.com", body: bytes = b"") -> bytes:
    """A plain request outside a dialog, except for the ``lines``, each in place of the field it names."""
    fields = [VIA, FROM, TO, CALL_ID, f"CSeq: 1 {method}", HOPS, f"Content-Length: {len(body)}"]
    given = {name_of(line) for line in lines}
    kept = [field for field in fields if name_of(field) not in given]
    return written(
        f"{method} {uri} SIP/2.0", *kept, *(line for line in lines if line[-2:] != ": "), body=body
    )


def answer(status_line: str, *lines: str, method: str = "INVITE") -> bytes:
    """A plain response, except for the ``lines``."""
    request = dialogless(method, *lines)
    return status_line.encode() + request[request.index(b"\r\n") :]


def name_of(line: str) -> str:
    return line.partition(":")[0].strip()


def request(data: bytes) -> Request:
    """A request that is good in all its parts."""
    check(data)
    message = accepted(data)
    assert isinstance(message, Request)
    return message


def response(data: bytes) -> Response:
    """A response that is good in all its parts."""
    check(data)
    message = accepted(data)
    assert isinstance(message, Response)
    return message


def accepted(data: bytes) -> Request | Response:
    """A message that is good as far as it is looked at before any use; written and read again it is equal."""
    message = parse(data)
    validate(message)
    assert parse(bytes(message)) == message
    return message


def sip(uri: object) -> SipUri:
    """The URI, which has to be a SIP URI."""
    assert isinstance(uri, SipUri)
    return uri
