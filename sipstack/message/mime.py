"""Multipart bodies (RFC 2046 §5.1, RFC 5621)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

import attrs

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.message.headers import Headers
from sipstack.message.parameterised import MediaType
from sipstack.message.parser import read_body_fields

MAXIMUM_PARTS = 100
_MAXIMUM_DEPTH = 4


@attrs.frozen
class Part:
    """One part of a multipart body: MIME header fields and octets."""

    headers: Headers
    body: bytes

    @property
    def content_type(self) -> MediaType:
        """Content-Type; text/plain when absent (RFC 2046 §5.1). Raises ParseError."""
        content_type: MediaType | None = self.headers.typed("Content-Type")
        return content_type or MediaType("text", "plain")


def parse_multipart(body: bytes, content_type: MediaType) -> tuple[Part, ...]:
    """The parts of a body of this multipart type. Raises ParseError."""
    boundary = content_type.parameters.text("boundary")
    if not boundary:
        raise ParseError("a multipart body needs a boundary")
    mark = re.escape(boundary.encode("utf-8", "surrogateescape"))
    found = re.finditer(rb"(?:\A|\r\n)--" + mark + rb"(--)?[ \t]*+(?=\r\n|\Z)", body)
    delimiters = list(itertools.islice(found, MAXIMUM_PARTS + 1))
    closing = next((number for number, match in enumerate(delimiters) if match[1]), None)
    if not closing:
        raise ParseError("a multipart body has no end, no parts, or too many")
    ends = [match.start() for match in delimiters[1 : closing + 1]]
    return tuple([_part(body[match.end() : end]) for match, end in zip(delimiters, ends, strict=False)])


def _part(octets: bytes) -> Part:
    head, _, body = octets.partition(b"\r\n\r\n")
    return Part(read_body_fields(head.removeprefix(b"\r\n")), body)


def write_multipart(parts: Iterable[Part], boundary: str) -> bytes:
    """The body that ``parse_multipart`` reads with this boundary, which must not occur in any part."""
    mark = b"\r\n--" + boundary.encode("ascii")
    octets = b""
    for part in parts:
        head = "".join(f"{name}: {value}\r\n" for name, value in part.headers.items())
        written = b"\r\n" + head.encode("utf-8", "surrogateescape") + b"\r\n" + part.body
        if mark in written:
            raise LocalProtocolError(f"the boundary occurs in a part: {boundary!r}")
        octets += mark + written
    return octets.removeprefix(b"\r\n") + mark + b"--\r\n"


def find_part(body: bytes, content_type: MediaType, media_type: str, depth: int = 0) -> bytes | None:
    """The first part of ``media_type`` (``type/subtype``), also in a multipart part. A part that cannot be
    read is passed over. Raises ParseError for the body as a whole.
    """
    if content_type.media_type == media_type:
        return body
    if content_type.type != "multipart" or depth == _MAXIMUM_DEPTH:
        return None
    for part in parse_multipart(body, content_type):
        try:
            found = find_part(part.body, part.content_type, media_type, depth + 1)
        except ParseError:
            continue
        if found is not None:
            return found
    return None
