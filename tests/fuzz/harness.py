"""The promises of the parser for any octets.

Parsed whole, parsed octet by octet through StreamParser, with every typed value looked at: nothing but
ParseError ever comes out, slicing makes no difference, and what is accepted is written back to the same.
"""

from __future__ import annotations

import itertools

from sipstack.errors import ParseError
from sipstack.message import MalformedMessage, Ping, Pong, Request, Response, StreamParser, parse, validate
from sipstack.message.mime import parse_multipart
from sipstack.message.registry import FIELDS
from tests.shared import SHARED

MAXIMUM_SLICES = 300  # octet by octet up to this size; what is longer goes in slices of a few


def one_input(data: bytes) -> None:
    """Raises AssertionError, or any other error but ParseError, when a promise is broken."""
    message = _parsed(data)
    if message is not None:
        assert parse(bytes(message)) == message
        assert bytes(parse(bytes(message))) == bytes(message)
        _look(message)
        _validate(message)
    step = 1 + len(data) // MAXIMUM_SLICES
    assert _stream([data]) == _stream([data[i : i + step] for i in range(0, len(data), step)])


def _parsed(data: bytes) -> Request | Response | None:
    try:
        return parse(data)
    except MalformedMessage as error:
        if error.request is not None:
            _answer(error.request, error.status)
        return None


def _validate(message: Request | Response) -> None:
    try:
        validate(message)
    except MalformedMessage as error:
        message = error.request or message
        if error.request is None:
            return
    if isinstance(message, Request):
        _answer(message, 400)


def _answer(request: Request, status: int) -> None:
    response = parse(bytes(request.response(status, to_tag="tag", headers=[("Server", "x")])))
    assert response.via == request.via
    assert response.headers.raw("Via") == request.headers.raw("Via")


def _look(message: Request | Response) -> None:
    """At every typed value: it is written as a text that means the same."""
    for name in dict(message.headers.items()):
        field = FIELDS.get(name)
        try:
            typed = message.headers.typed(name)
            for value in typed if isinstance(typed, tuple) else (typed,):
                _properties(value)
                if field is not None and not isinstance(value, str):
                    again = field.parse(str(value))
                    assert again == value
                    assert hash(again) == hash(value)
        except ParseError:
            continue
    try:
        content_type = message.content_type
        if content_type is not None:
            parse_multipart(message.body, content_type)
    except ParseError:
        return


def _properties(value: object) -> None:
    for kind in type(value).__mro__:
        for name, attribute in vars(kind).items():
            if isinstance(attribute, property):
                _properties(getattr(value, name))


def _stream(slices: list[bytes]) -> list[bytes | Ping | Pong | str]:
    """Without the pongs: a ping that is cut in two begins with one."""
    parser = StreamParser()
    items: list[bytes | Ping | Pong | str] = []
    for data in slices:
        try:
            items += parser.feed(data)
        except ParseError:
            break
    items = [item for item in items if item != Pong()]
    return [*items, *([str(parser.error)] if parser.error is not None else [])]


_START = ("INVITE sip:bob@biloxi.com;transport=tcp?x=y SIP/2.0", "SIP/2.0 200 OK", "ACK tel:+1-201 SIP/2.0")
_CORE = """\
Via: SIP/2.0/UDP a:5060;branch=z9hG4bK1;rport
v: SIP / 2.0 / TCP [::1];received=::1,SIP/2.0/TLS b
From: "A \\"B" <sip:%61@b>;tag=1
t: sip:b;tag=2
Call-ID: a@b
CSeq: 1 INVITE
Max-Forwards: 70
"""
_OTHERS = (
    'm: "x, y" <sip:a@b;lr>;q=0.5;expires=60, *\nSubject:\n folded\n\tmore\nX-Unknown: ;;,\n',
    'WWW-Authenticate: Digest realm="a,b", nonce="c", qop="auth"\nAuthorization: Basic QQ==\n',
    "Date: Sat, 13 Nov 2010 23:29:00 GMT\nRetry-After: 5 (x(y)) ;duration=9\nTimestamp: 1.5 .2\n",
    'Warning: 301 a "b"\nReason: SIP;cause=200;text="x"\nx: 90;refresher=uac\n',
    "Replaces: a@b;to-tag=1;from-tag=2;early-only\nSubscription-State: active;expires=9\nAllow: A,,B\n",
    "o: refer;id=1\nAccept: */*;q=0.1,,text/html\nPrivacy: id;user\n",
    "c: multipart/mixed;boundary=b\n",
)


def corpus() -> list[bytes]:
    """Small messages with a bit of everything, and the torture messages if they are there."""
    seeds = [
        f"{start}\n{_CORE}{other}Content-Length: {length}\n\n".replace("\n", "\r\n").encode() + body
        for start, other in itertools.product(_START, _OTHERS)
        for length, body in ((0, b""), (26, b"--b\r\nA: b\r\n\r\nx\r\n--b--\r\n\r\n"))
    ]
    folders = (SHARED / "rfc4475", SHARED / "rfc5118")
    return seeds + [path.read_bytes() for folder in folders for path in sorted(folder.glob("*.dat"))]
