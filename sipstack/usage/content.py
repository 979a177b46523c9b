"""Which bodies the endpoint understands, and the session description in them (RFC 3261 §8.2.3, RFC 5621)."""

from __future__ import annotations

from sipstack.errors import ParseError
from sipstack.message import Request, Response
from sipstack.message.mime import find_part

SDP = "application/sdp"
Refusal = tuple[int, tuple[tuple[str, object], ...]]


def session_description(message: Request | Response) -> bytes:
    """The SDP of a message: its body, or a part of a multipart body; b"" when there is none."""
    if not message.body:
        return b""
    written = message.headers.get("Content-Type")
    if written == SDP:
        return message.body
    try:
        content_type = message.content_type
        if content_type is None:
            return b""
        kind = content_type.media_type
        if kind == SDP:
            return message.body
        if kind.startswith("multipart/"):
            return find_part(message.body, content_type, SDP) or b""
    except ParseError:
        pass  # unreadable is as good as absent: a request gets 415, a response is judged without it
    return b""


def refusal(request: Request) -> Refusal | None:
    """The status and headers to refuse an INVITE with, when its body or its demands are not for us.

    415 for a body that we cannot read (§8.2.3), 406 when no answer in SDP would be accepted (RFC 4475
    §3.3.15).
    """
    headers = request.headers
    if request.body and headers.get("Content-Type") != SDP and not session_description(request):
        return 415, (("Accept", SDP),)
    if request.body and headers.get(
        "Content-Encoding",
    ) not in (None, "identity"):
        return 415, (("Accept-Encoding", "identity"),)
    if "Accept" in headers and not _accepts_sdp(request):
        return 406, (("Warning", '399 sipstack "a session needs application/sdp"'),)
    return None


def _accepts_sdp(request: Request) -> bool:
    ranges = ",".join(request.headers.raw("Accept")).lower().split(",")
    return any(r.split(";")[0].replace(" ", "").strip() in (SDP, "application/*", "*/*") for r in ranges)
