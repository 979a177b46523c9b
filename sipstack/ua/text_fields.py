"""The header fields of an instant message of ours (RFC 3428 §4)."""

from __future__ import annotations

from datetime import UTC, datetime

from sipstack.errors import LocalProtocolError
from sipstack.message import Date
from sipstack.message.headers import HeaderFields
from sipstack.ua.arguments import check_encodable

PLAIN_TEXT = "text/plain;charset=UTF-8"
LONGEST = 2**32 - 1


def text_fields(content_type: str, expires: int | None, *, dated: bool = False) -> HeaderFields:
    """Content-Type, and how long the message is of use, with the Date from which that counts. Raises
    LocalProtocolError.
    """
    fields: HeaderFields = (("Content-Type", content_type),)
    if expires is not None:
        if not 0 < expires <= LONGEST:
            raise LocalProtocolError(f"expires is a number of seconds, not {expires!r}")
        fields = (*fields, ("Expires", expires))
    if dated or expires is not None:
        fields = (*fields, ("Date", Date(datetime.now(UTC))))
    return fields


def text_body(text: str) -> bytes:
    """Raises LocalProtocolError for what UTF-8 cannot write."""
    return check_encodable(text).encode("utf-8", "surrogateescape")
