"""An INVITE and its responses, with the fields that make a dialog."""

from __future__ import annotations

from collections.abc import Sequence

from sipstack.message import Request, Response

ROUTES = ("<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>")


def invite(
    *,
    contacts: Sequence[str] = ("<sip:alice@192.0.2.1:5060>",),
    record_routes: Sequence[str] = (),
    from_: str = '"Alice" <sip:alice@example.com>;tag=a1',
    to: str = "Bob <sip:bob@example.com>",
    cseq: int = 7,
    method: str = "INVITE",
) -> Request:
    """Alice's request to bob."""
    lines = [
        ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1"),
        ("From", from_),
        ("To", to),
        ("Call-ID", "call-1"),
        ("CSeq", f"{cseq} {method}"),
        *(("Record-Route", route) for route in record_routes),
        *(("Contact", contact) for contact in contacts),
    ]
    return Request(method, "sip:bob@biloxi.example.com", lines)


def answer(
    status: int = 200,
    *,
    contacts: Sequence[str] = ("<sip:bob@192.0.2.2:5060>",),
    record_routes: Sequence[str] = (),
    to_tag: str | None = "b1",
) -> Response:
    """Bob's response to it."""
    headers = [
        *(("Record-Route", route) for route in record_routes),
        *(("Contact", contact) for contact in contacts),
    ]
    return invite().response(status, to_tag=to_tag, headers=headers)
