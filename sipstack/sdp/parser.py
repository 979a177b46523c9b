"""Text to session description (RFC 8866 §5, §9): strict on what we need, open to all else."""

from __future__ import annotations

from itertools import pairwise

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.sdp.description import MediaDescription, SessionDescription

MAX_LENGTH = 65_536
"""Octets (of bytes) or characters (of str) in a description."""
MAX_LINES = 2_000
MAX_LINE_LENGTH = 4_096
MAX_MEDIA = 128


def parse(text: str | bytes) -> SessionDescription:
    """The description in ``text``; octets are UTF-8, and any that are not survive unchanged.

    Line ends may be CRLF or LF, the last may be missing. Lines may come in any order within their part. What
    is no line of type=value is left out, except where it may have been meant for an m=: each of those has to
    be answered. Raises ParseError (status 400) and nothing else.
    """
    rows = _rows(text)
    try:
        return _described(rows)
    except LocalProtocolError as error:
        # The values refuse the same from a caller that builds them; here the text is at fault.
        lines = tuple([row for row in rows if row[1:2] == "=" or row[:1] == "m" or "\0" in row])
        if lines == rows:
            raise ParseError(str(error)) from None
    try:
        return _described(lines)
    except LocalProtocolError as error:
        raise ParseError(str(error)) from None


def _described(rows: tuple[str, ...]) -> SessionDescription:
    starts = [index for index, row in enumerate(rows) if row[:2] == "m="]
    if len(starts) > MAX_MEDIA:
        raise ParseError(f"an SDP of more than {MAX_MEDIA} m-lines")
    bounds = [*starts, len(rows)]
    media = tuple([MediaDescription(rows[start:end]) for start, end in pairwise(bounds)])
    return SessionDescription(rows[: bounds[0]], media)


def _rows(text: str | bytes) -> tuple[str, ...]:
    if len(text) > MAX_LENGTH:
        raise ParseError(f"an SDP of more than {MAX_LENGTH} octets")
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    elif not text.isascii():
        _check_encodable(text)
    rows = text.replace("\r\n", "\n").split("\n")
    while rows and not rows[-1]:
        rows.pop()
    if len(rows) > MAX_LINES:
        raise ParseError(f"an SDP of more than {MAX_LINES} lines")
    if max(map(len, rows), default=0) > MAX_LINE_LENGTH:
        raise ParseError(f"an SDP line of more than {MAX_LINE_LENGTH} characters")
    return tuple(rows)


def _check_encodable(text: str) -> None:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise ParseError(f"an SDP that is not text: {error.reason}") from None
