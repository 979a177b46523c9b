"""Which bodies a method takes, and the session description in a message (RFC 3261 §8.2.3, RFC 5621)."""

from __future__ import annotations

from sipstack.dialog.services import Refusal
from sipstack.errors import ParseError
from sipstack.message import Request, Response
from sipstack.message.mime import find_part

SDP = "application/sdp"
BEGIN_OF_SDP = b"v=0"


def octets(body: bytes | None) -> str:
    """What a ``repr`` shows of a body, which may hold keys."""
    return f"<{len(body or b'')} octets>"


def session_description(message: Request | Response) -> bytes:
    """The SDP of a message: its body, or a part of a multipart body; b"" when there is none.

    A policy reads the caller's offer so: ``sipstack.sdp.parse(sipstack.session_description(event.request))``.
    """
    body = message.body
    return body if not body or message.headers.get("Content-Type") == SDP else body_of_type(message, SDP)


def _untyped(body: bytes, media_type: str) -> bytes:
    """A body of which the sender does not say what it is: what begins like SDP is SDP."""
    return body if media_type == SDP and body.startswith(BEGIN_OF_SDP) else b""


def body_of_type(message: Request | Response, media_type: str) -> bytes:
    """The body of this type, or the part of a multipart body; b"" when there is none."""
    if message.headers.get("Content-Type") == media_type:
        return message.body
    try:
        content_type = message.content_type
        if content_type is None:
            return _untyped(message.body, media_type)
        if content_type.media_type == media_type:
            return message.body
        if content_type.type == "multipart":
            return find_part(message.body, content_type, media_type) or b""
    except ParseError:
        pass  # unreadable is as good as absent: a request gets 415, a response is judged without it
    return b""


def content_refusal(request: Request, accepted: tuple[str, ...]) -> Refusal | None:
    """The status and headers to refuse a request with, when its body or its demands are not for us.

    ``accepted`` are the media types that its method takes. 415 for a body that we cannot read (§8.2.3), 406
    when no answer of these types would be accepted (RFC 4475 §3.3.15).
    """
    headers, body = request.headers, request.body
    if body and headers.get("Content-Type") not in accepted and not _has_one_of(request, accepted):
        return 415, (("Accept", ", ".join(accepted)),)
    if body and headers.get("Content-Encoding") not in (None, "identity"):
        return 415, (("Accept-Encoding", "identity"),)
    if "Accept" in headers and not accepts_one_of(request, accepted):
        return 406, (("Warning", f'399 sipstack "a session needs {", ".join(accepted)}"'),)
    return None


def _has_one_of(request: Request, media_types: tuple[str, ...]) -> bool:
    return any(body_of_type(request, media_type) for media_type in media_types)


def accepts_one_of(request: Request, media_types: tuple[str, ...]) -> bool:
    """Whether its Accept has one of these."""
    ranges = ",".join(request.headers.raw("Accept")).lower().split(",")
    asked = {each.split(";")[0].replace(" ", "").strip() for each in ranges}
    wide = {f"{media_type.partition('/')[0]}/*" for media_type in media_types}
    return bool(asked & {*media_types, *wide, "*/*"})
