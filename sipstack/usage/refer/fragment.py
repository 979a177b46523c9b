"""The body of such a NOTIFY: a status line as message/sipfrag (RFC 3420, RFC 3515 §2.4.5)."""

from __future__ import annotations

import re

from sipstack.message import Request, Response
from sipstack.usage.content import body_of_type

SIPFRAG = "message/sipfrag"
CONTENT_TYPE = "message/sipfrag;version=2.0"
LONGEST_REASON = 200

_status_line = re.compile(
    rb"[ \t\r\n]*+SIP/2\.0[ \t]++([1-6][0-9][0-9])(?:[ \t]++([^\r\n\x00]*+))?+(?:[\r\n]|\Z)", re.IGNORECASE
).match


def read_status(request: Request) -> Response | None:
    """The response that a NOTIFY tells of, without header fields; None when there is none to be read."""
    body = body_of_type(request, SIPFRAG) or (b"" if "Content-Type" in request.headers else request.body)
    match = _status_line(body[:1000])
    if match is None:
        return None
    reason = (match[2] or b"").decode("utf-8", "replace").strip()[:LONGEST_REASON]
    return Response(int(match[1]), reason or None)


def write_status(response: Response) -> bytes:
    """The body that tells of ``response``: its status line alone, for the rest is nobody else's."""
    return f"{response.start_line}\r\n".encode("utf-8", "surrogateescape")
