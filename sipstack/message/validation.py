"""The checks of RFC 3261 §8.2 and §16.3 that come before any use of a message."""

from __future__ import annotations

from sipstack.errors import ParseError
from sipstack.message.message import Request, Response


def validate(message: Request | Response) -> None:
    """Raises ParseError when a mandatory field is missing, doubled or contradicts the start line."""
    message.via  # noqa: B018
    message.from_  # noqa: B018
    message.to  # noqa: B018
    message.call_id  # noqa: B018
    if isinstance(message, Request) and message.cseq.method != message.method:
        raise ParseError("CSeq names another method")
