"""The few rules of the SDP grammar (RFC 8866 §9) that every kind of line shares."""

from __future__ import annotations

from sipstack.errors import LocalProtocolError

DECIMAL_DIGITS = 20
"""The longest number read: the decimal digits of 64 bits."""


def decimal(text: str, highest: int) -> int | None:
    """The unsigned decimal number ``text``, or None when it is not one or is above ``highest``."""
    if not (text.isdigit() and text.isascii()) or len(text) > DECIMAL_DIGITS:
        return None
    number = int(text)
    return number if number <= highest else None


def joined(*tokens: str) -> str:
    """The tokens with one space between them.

    Raises LocalProtocolError for an empty token or one with white space in it, so that a value cannot
    grow a further field, nor a further line.
    """
    text = " ".join(tokens)
    if text.split() != list(tokens):
        raise LocalProtocolError(f"an SDP field is empty or holds white space: {tokens!r}")
    return text


def shortened(text: str) -> str:
    """``text`` as an error message may show it: quoted, and bounded."""
    return repr(text if len(text) <= 60 else text[:60] + "…")
