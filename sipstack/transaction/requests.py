"""The two requests that are made from another one: ACK for a refusal, and CANCEL.

Both copy raw header lines of the INVITE: they must match it to the letter.
"""

from __future__ import annotations

from sipstack.message import Headers, Request, Response

NOTHING = Headers()


def ack_for(invite: Request, response: Response) -> Request:
    """The ACK for a 3xx-6xx (RFC 3261 §17.1.1.3): the INVITE's own branch, the response's To."""
    return _derive(invite, "ACK", response.headers.get("To") or "")


def cancel_for(invite: Request, headers: Headers = NOTHING) -> Request:
    """The CANCEL of ``invite`` (RFC 3261 §9.1)."""
    return _derive(invite, "CANCEL", invite.headers.get("To") or "", headers)


def _derive(invite: Request, method: str, to: str, further: Headers = NOTHING) -> Request:
    headers = invite.headers
    lines: list[tuple[str, object]] = [("Via", headers.raw("Via")[0])]
    lines += [("Route", route) for route in headers.raw("Route")]
    lines += [
        ("Max-Forwards", headers.get("Max-Forwards") or "70"),
        ("From", headers.get("From") or ""),
        ("To", to),
        ("Call-ID", invite.call_id),
        ("CSeq", f"{invite.cseq.number} {method}"),
    ]
    if "Session-ID" in headers:  # that of the INVITE (RFC 7989 §6)
        lines.append(("Session-ID", headers.get("Session-ID")))
    return Request(method, invite.uri, [*lines, *further.items()])
