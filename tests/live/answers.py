"""The messages that we may send under attack: written apart from sipstack's own parser, from RFC 3261 §7."""

from __future__ import annotations

import re

STATUSES = {
    *(100, 180, 200, 400, 405, 406, 415, 416, 420, 422, 469, 481),
    *(482, 486, 487, 488, 491, 501, 503, 505, 513),
}
"""The statuses that may answer a bad request. Not 500: nothing that a peer sends is an error of ours."""
NAMES = {
    *("Via", "From", "To", "Call-ID", "CSeq", "Contact", "Record-Route", "Timestamp", "User-Agent"),
    *("Allow", "Supported", "Unsupported", "Accept", "Accept-Encoding", "Retry-After", "Warning", "Reason"),
    *("Max-Forwards", "Route", "Content-Type", "Content-Length", "Authorization"),
    *("Session-ID", "Session-Expires", "Min-SE", "Require", "RSeq", "RAck", "Recv-Info"),
}
"""Every header field that we may send: any other was injected."""

_status_line = re.compile(rb"SIP/2\.0 ([1-6][0-9][0-9]) [^\r\n\0]*").fullmatch
_request_line = re.compile(rb"(BYE|ACK|OPTIONS|INVITE|CANCEL) [^ \r\n\0]+ SIP/2\.0").fullmatch
_field = re.compile(rb"([A-Za-z-]+): ([^\r\n\0]*)").fullmatch


def check_answer(datagram: bytes) -> None:
    """Fails unless ``datagram`` is one SIP message, with a status and header fields that we may send."""
    head, empty, body = datagram.partition(b"\r\n\r\n")
    assert empty, datagram
    start, *lines = head.split(b"\r\n")
    status = _status_line(start)
    assert status is None or int(status[1]) in STATUSES, datagram
    assert status is not None or _request_line(start), datagram
    fields = [_field(line) for line in lines]
    assert None not in fields, datagram
    named = [(field[1].decode(), field[2]) for field in fields if field is not None]
    assert NAMES.issuperset(name for name, _ in named), datagram
    assert [int(value) for name, value in named if name == "Content-Length"] == [len(body)], datagram
