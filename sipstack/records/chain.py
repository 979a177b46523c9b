"""Entries, each of which holds the hash of the one before: none can be changed, left out or moved unseen.

An entry is one line: JSON in the canonical form of RFC 8785, with texts, whole numbers and truth values
alone, so that a program in any language comes to the same octets. ``hash`` is SHA-256 over the line without
``hash``; ``before`` is the hash of the entry before, zeros in the first one.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import attrs

from sipstack.errors import ParseError

ZERO = "0" * 64
"""What stands for the hash before the first entry."""
LARGEST = 2**53 - 1
"""Whole numbers that every reader of JSON takes (RFC 8785 §3.2.2.3)."""
LONGEST_LINE = 65_536
DEEPEST = 8

OPENED, CALL, LOST, DROPPED, CLOSED = "opened", "call", "lost", "dropped", "closed"
KINDS = (OPENED, CALL, LOST, DROPPED, CLOSED)
"""A process begins to write; a call; calls that could not be written; old entries that were dropped; the
process has ended in order."""


def canonical(value: object) -> bytes:
    """``value`` as octets, in one form alone (RFC 8785). Raises ParseError for what has none here."""
    _check(value, 0)
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise ParseError("a text is no Unicode") from None


def _check(value: object, depth: int) -> None:
    if depth > DEEPEST:
        raise ParseError("it is nested too deep")
    match value:
        case None | bool() | str():
            pass
        case int():
            if abs(value) > LARGEST:
                raise ParseError("a number is too large")
        case list():
            for each in value:
                _check(each, depth + 1)
        case dict():
            for key, each in value.items():
                # others would be sorted in another way by RFC 8785
                if not isinstance(key, str) or not key.isascii():
                    raise ParseError("a key is no ASCII text")
                _check(each, depth + 1)
        case _:
            raise ParseError(f"a {type(value).__name__} cannot be written")


def read_line(line: bytes) -> dict[str, Any]:
    """The values of a line, which has to be in the canonical form. Raises ParseError."""
    if len(line) > LONGEST_LINE:
        raise ParseError("the line is too long")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise ParseError("the line is no JSON") from None
    if not isinstance(value, dict):
        raise ParseError("the line is no object")
    if canonical(value) != line:
        raise ParseError("the line is not written as canonical JSON")
    return value


def text_of(values: dict[str, Any], name: str) -> str:
    """Raises ParseError."""
    value = values.get(name)
    if type(value) is not str:
        raise ParseError(f"{name} is no text")
    return value


def number_of(values: dict[str, Any], name: str) -> int:
    """Raises ParseError."""
    value = values.get(name)
    if type(value) is not int or value < 0:
        raise ParseError(f"{name} is no number")
    return value


@attrs.frozen
class Entry:
    """One line of a chain. ``chain`` names the chain, ``at`` is when it was written, in milliseconds since
    1970.
    """

    chain: str
    number: int
    before: str
    at: int
    kind: str
    body: dict[str, Any]
    hash: str

    @classmethod
    def after(cls, last: Entry | Head, kind: str, body: dict[str, Any], at: int) -> Entry:
        """The entry that follows ``last``. Raises ParseError for a body that cannot be written."""
        entry = cls(last.chain, last.number + 1, last.hash, at, kind, body, "")
        return attrs.evolve(entry, hash=entry.reckoned())

    @classmethod
    def read(cls, line: bytes) -> Entry:
        """Of a line without its end. Whether its hash is right is not looked at. Raises ParseError."""
        return cls._of(read_line(line))

    @classmethod
    def read_again(cls, line: bytes) -> Entry:
        """Of a line that ``read`` has taken before: how it is written is not looked at once more."""
        return cls._of(json.loads(line))

    @classmethod
    def _of(cls, values: dict[str, Any]) -> Entry:
        body = values.get("body")
        if not isinstance(body, dict) or len(values) != 7:
            raise ParseError("the line is no entry")
        texts = {name: text_of(values, name) for name in ("chain", "before", "kind", "hash")}
        if texts["kind"] not in KINDS:
            raise ParseError("the kind of the entry is not known")
        return cls(number=number_of(values, "number"), at=number_of(values, "at"), body=body, **texts)

    def reckoned(self) -> str:
        """What its hash has to be."""
        values = attrs.asdict(self, recurse=False)
        del values["hash"]
        return sha256(canonical(values)).hexdigest()

    def line(self) -> bytes:
        """Without the end of the line."""
        return canonical(attrs.asdict(self, recurse=False))


@attrs.frozen
class Head:
    """Where a chain ends."""

    chain: str
    number: int = -1
    hash: str = ZERO
