"""The credentials of an INVITE, which its ACK repeats (RFC 3261 §22.1)."""

from __future__ import annotations

from sipstack.dialog.draft import Lines
from sipstack.dialog.usage import Sent


def credentials_of(sent: Sent | None) -> Lines:
    """The Authorization and Proxy-Authorization lines that ``sent`` last went out with."""
    request = sent.request if sent is not None else None
    if request is None:
        return ()
    headers = request.headers
    return tuple(
        (name, value) for name in ("Authorization", "Proxy-Authorization") for value in headers.raw(name)
    )
