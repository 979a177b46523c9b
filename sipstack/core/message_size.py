"""How long an instant message may be where nothing slows it down (RFC 3428 §8)."""

from __future__ import annotations

from sipstack.errors import LocalProtocolError
from sipstack.message import Request

LARGEST = 1300
"""Octets of a MESSAGE, header and body, that goes as a datagram."""


def check_datagram(request: Request) -> None:
    """Raises LocalProtocolError for a MESSAGE that is too long for a transport without congestion control."""
    size = len(bytes(request))
    if size > LARGEST:
        raise LocalProtocolError(
            f"a message of {size} octets with its header cannot go over UDP, which takes {LARGEST} of them "
            "(RFC 3428): shorten it, or let it go over TCP, by ;transport=tcp in the target or the proxy"
        )
