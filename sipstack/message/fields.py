"""Header fields made of numbers, tokens and plain text (RFC 3261 §20, RFC 3262, RFC 3323)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Self

import attrs

from sipstack.errors import ParseError
from sipstack.message.grammar import QUOTED, TOKEN, is_token, number, quote, unquote

_call_id = re.compile(r"[!-~]++(?:[^\x00-\x20\x7f]++)?|[^\x00-\x20\x7f]++").fullmatch  # mostly ASCII
_cseq = re.compile(rf"([0-9]++)[ \t]++({TOKEN})").fullmatch
_rack = re.compile(rf"([0-9]++)[ \t]++([0-9]++)[ \t]++({TOKEN})").fullmatch
_warning = re.compile(rf'([0-9]{{3}}) ([^\x00-\x20\x7f"]++) ({QUOTED})').fullmatch
_mime_version = re.compile(r"[0-9]++\.[0-9]++").fullmatch
METHODS = frozenset(
    (
        "ACK",
        "BYE",
        "CANCEL",
        "INFO",
        "INVITE",
        "MESSAGE",
        "NOTIFY",
        "OPTIONS",
        "PRACK",
        "PUBLISH",
        "REFER",
        "REGISTER",
        "SUBSCRIBE",
        "UPDATE",
    )
)
"""The methods that RFCs define; any other token is a method too."""


@attrs.frozen
class CSeq:
    """``number method``: orders the requests of a dialog (RFC 3261 §20.16)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Raises ParseError; the number stays below 2**31 (§8.1.1.5)."""
        # Most dialogs count from 1: nearly every message has a CSeq that was read before
        return _parse_cseq_cached(text) if len(text) < 40 else _parse_cseq(text)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def _parse_cseq(text: str) -> CSeq:
    digits, _, method = text.partition(" ")
    if method in METHODS and len(digits) < 10 and digits.isascii() and digits.isdigit():
        return CSeq(int(digits), method)
    match = _cseq(text)
    if match is None:
        raise ParseError(f"not a CSeq: {text[:80]!r}")
    return CSeq(number(match[1], 2**31 - 1, "CSeq"), match[2])


_parse_cseq_cached = lru_cache(maxsize=256)(_parse_cseq)


@attrs.frozen
class RAck:
    """``response-number CSeq-number method`` of the response that a PRACK acknowledges (RFC 3262 §7.2)."""

    rseq: int
    cseq: int
    method: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ParseError."""
        match = _rack(text)
        if match is None:
            raise ParseError(f"not a RAck: {text[:80]!r}")
        return cls(parse_rseq(match[1]), number(match[2], 2**31 - 1, "CSeq"), match[3])

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


@attrs.frozen
class Warning:
    """``code agent "text"`` (RFC 3261 §20.43)."""

    code: int
    agent: str
    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ParseError; a code has three digits."""
        match = _warning(text)
        if match is None:
            raise ParseError(f"not a Warning: {text[:80]!r}")
        return cls(int(match[1]), match[2], unquote(match[3]))

    def __str__(self) -> str:
        return f"{self.code:03} {self.agent} {quote(self.text)}"


def parse_token(text: str) -> str:
    """A token: a method, an option tag, a content coding. Raises ParseError."""
    if not is_token(text):
        raise ParseError(f"not a token: {text[:80]!r}")
    return text


def parse_call_id(text: str) -> str:
    """word [ "@" word ] (RFC 3261 §20.8), or any other text without blanks: we only compare it and give it
    back. Raises ParseError.
    """
    if not _call_id(text):
        raise ParseError(f"not a Call-ID: {text[:80]!r}")
    return text


def parse_seconds(text: str) -> int:
    """delta-seconds: a number that fits 32 bits (RFC 3261 §20.19). Raises ParseError."""
    return number(text, 2**32 - 1, "the interval")


def parse_octets(text: str) -> int:
    """A count of octets (RFC 3261 §20.14). Raises ParseError."""
    return number(text, 2**32 - 1, "Content-Length")


def parse_rseq(text: str) -> int:
    """The number of a reliable provisional response, 32 bits (RFC 3262 §7.1). Raises ParseError."""
    return number(text, 2**32 - 1, "RSeq")


def parse_max_forwards(text: str) -> int:
    """0 to 255 (RFC 3261 §20.22). Raises ParseError."""
    return number(text, 255, "Max-Forwards")


def parse_mime_version(text: str) -> str:
    """Digits, a dot, digits (RFC 3261 §20.24). Raises ParseError."""
    if not _mime_version(text):
        raise ParseError(f"not a MIME-Version: {text[:80]!r}")
    return text


def parse_privacy(text: str) -> tuple[str, ...]:
    """The privacy levels, separated by semicolons (RFC 3323 §4.2). Raises ParseError."""
    return tuple([parse_token(level.strip(" \t")) for level in text.split(";")])
