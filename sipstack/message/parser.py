"""Octets to messages (RFC 3261 §7): one pass over the header section, no typed values."""

from __future__ import annotations

import re

from sipstack.errors import ParseError
from sipstack.message.fields import METHODS
from sipstack.message.grammar import TOKEN, is_token, number
from sipstack.message.headers import Headers
from sipstack.message.message import Request, Response
from sipstack.message.partial import MalformedMessage, partial_request
from sipstack.message.registry import NAMES, Row

_fold = re.compile(r"\r\n[ \t]++").sub
_status_line = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: ([^\x00]*+))?", re.IGNORECASE | re.ASCII).fullmatch
_field = re.compile(rf"{TOKEN}[ \t]*+:[^\r\n\x00]*+").fullmatch
_version = re.compile(r"SIP/[0-9]++\.[0-9]++", re.IGNORECASE | re.ASCII).fullmatch


def parse(data: bytes) -> Request | Response:
    """The message in one datagram (§18.3); octets past Content-Length are ignored.

    Raises MalformedMessage: ``status`` is the response of a UAS, and ``request`` the request that it answers.
    """
    try:
        end = data.find(b"\r\n\r\n")
        if end <= 0:
            data = data.lstrip(b"\r\n")
            end = data.find(b"\r\n\r\n")
            if end < 0:
                raise ParseError("the empty line after the header fields is missing")
        start, index = read_head(data[:end])
        body = data[end + 4 :]
        if "Content-Length" in index:
            length = content_length(index["Content-Length"])
            if length > len(body):
                raise ParseError(f"Content-Length is {length}, and {len(body)} octets came")
            body = body[:length]
        return build(start, index, body)
    except ParseError as error:
        raise MalformedMessage(error, partial_request(data)) from error


def read_head(head: bytes) -> tuple[str, dict[str, Row]]:
    """The start line and the raw header fields. Raises ParseError."""
    text = head.decode("utf-8", "surrogateescape")
    lines = text.splitlines()
    if "\r\n".join(lines) != text:
        # Not all line ends are CRLF. Those that only splitlines() knows, such as U+2028, are text.
        lines = text.split("\r\n")
        if text.count("\r") != len(lines) - 1 or text.count("\n") != len(lines) - 1:
            raise ParseError("a CR or LF stands alone in the header section")
    start = lines.pop(0)
    try:
        return start, _read_fields(lines)
    except _Folded:
        start, *lines = _fold(" ", text).split("\r\n")
        return start, _read_fields(lines)


def read_body_fields(head: bytes) -> Headers:
    """The header fields of a body part, which has no start line; a line that is none is left out."""
    text = _fold(" ", "\r\n" + head.decode("utf-8", "surrogateescape"))
    return Headers.of_index(_read_fields([line for line in text.split("\r\n") if _field(line)]))


def _read_fields(lines: list[str]) -> dict[str, Row]:
    """The raw header fields by canonical name. Raises ParseError, or _Folded for a continuation line."""
    index: dict[str, Row] = {}
    spellings: dict[str, str] = {}
    names = NAMES
    for line in lines:
        # With the space: then most values have nothing left to strip, and strip() copies nothing.
        name, colon, value = line.partition(": ")
        try:
            key = names[name]
        except KeyError:
            name, colon, value = line.partition(":")
            key = names.get(name) or _spelling(name, spellings)
        if not colon:
            raise ParseError(f"a header field has no colon: {line[:80]!r}")
        if key not in index:
            index[key] = value.strip(" \t")
        elif isinstance(row := index[key], str):
            index[key] = [row, value.strip(" \t")]
        else:
            row.append(value.strip(" \t"))
    return index


class _Folded(Exception):
    """A line continues the one before it (§7.3.1)."""


def _spelling(name: str, spellings: dict[str, str]) -> str:
    """The index key for a name in an unusual spelling, or of a field that we do not know."""
    if name[:1] in (" ", "\t"):
        raise _Folded
    name = name.rstrip(" \t")
    if not is_token(name):
        raise ParseError(f"not a header field name: {name[:80]!r}")
    lower = name.lower()
    return NAMES.get(lower) or spellings.setdefault(lower, name)


def content_length(row: Row) -> int:
    """The number in the Content-Length field; several are the same or refused (RFC 4475 §3.3.9)."""
    if isinstance(row, str):
        return number(row, 2**31, "Content-Length")
    if row.count(row[0]) != len(row):
        raise ParseError("two different values of Content-Length")
    return number(row[0], 2**31, "Content-Length")


def build(start: str, index: dict[str, Row], body: bytes) -> Request | Response:
    """The message that the start line announces. Raises ParseError."""
    parts = start.split(" ")
    if len(parts) == 3:
        method, uri, version = parts
        if uri and (method in METHODS or is_token(method)):
            if version == "SIP/2.0" or version.upper() == "SIP/2.0":
                return Request.of_parts(method, uri, Headers.of_index(index), body)
            if _version(version):
                raise ParseError(f"unknown version of SIP: {version[:20]}", 505)
    match = _status_line(start)
    if match is None:
        raise ParseError(f"not a start line of SIP: {start[:80]!r}")
    return Response(int(match[1]), match[2] or "", Headers.of_index(index), body)
