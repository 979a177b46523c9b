"""The work of the message figures: parse and read six fields, and answer with a 200."""

from __future__ import annotations

from collections.abc import Sequence

from interop.bench.floor import ANSWER
from sipstack.message import Request, parse

HEADERS = (("Contact", "<sip:bob@192.0.2.9:5060>"), ("Content-Type", "application/sdp"))


def read(datagram: bytes) -> Request:
    """Parses and reads the top Via's branch, From's tag, To, Call-ID, CSeq and the URI in Contact."""
    request = parse(datagram)
    if not isinstance(request, Request):
        raise TypeError("not a request")
    _ = (
        request.via.branch,
        request.from_.tag,
        request.to,
        request.call_id,
        request.cseq,
        request.contacts[0].uri,
    )
    return request


def read_all(datagrams: Sequence[bytes]) -> list[Request]:
    """`read` for each."""
    return [read(datagram) for datagram in datagrams]


def respond_all(requests: Sequence[Request]) -> list[bytes]:
    """A 200 with a tag, Contact and SDP to each, as octets."""
    return [bytes(one.response(200, to_tag="b7c2", headers=HEADERS, body=ANSWER)) for one in requests]
