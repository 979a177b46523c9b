"""The credentials of an INVITE, which its ACK repeats (RFC 3261 §22.1)."""

from __future__ import annotations

from sipstack.message import Request
from sipstack.message.headers import HeaderFields


def authorization_of(invite: Request | None) -> HeaderFields:
    """The Authorization and Proxy-Authorization lines that ``invite`` went out with."""
    if invite is None:
        return ()
    headers = invite.headers
    return tuple(
        (name, value) for name in ("Authorization", "Proxy-Authorization") for value in headers.raw(name)
    )
