"""The few rules of the SDP grammar (RFC 8866 §9) that every kind of line shares."""

from __future__ import annotations

import re

from sipstack.errors import LocalProtocolError

DECIMAL_DIGITS = 20
"""The longest number read: the decimal digits of 64 bits."""
_KEY = re.compile(r"(?im)(\binline:|^k=(?:clear|base64):)[^\s|;]+")


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
    """``text`` as an error message may show it: quoted, bounded and without keys."""
    return repr(concealed(text if len(text) <= 60 else text[:60] + "…"))


def concealed(text: str) -> str:
    """``text`` with ``***`` in place of each key of a=crypto (RFC 4568 §6.1) and k= (RFC 8866 §5.12)."""
    return _KEY.sub(r"\1***", text)
