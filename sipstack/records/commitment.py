"""Commitments in place of what names a person: a chain is bound to it, and does not tell it.

A commitment is HMAC-SHA-256 of the text under a salt of its own, 32 random octets. Who has both can prove
that the chain means this text. Without the salt nobody can, not even by trying all numbers; so deleting salt
and text takes the person out of the records, and leaves the chain as it was.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

import attrs

from sipstack.errors import ParseError
from sipstack.records.chain import canonical, read_line, text_of
from sipstack.records.record import PERSONAL

SALT = 32
"""Octets."""


def commitment(salt: bytes, text: str) -> str:
    """In hexadecimal."""
    return hmac.digest(salt, text.encode("utf-8"), "sha256").hex()


@attrs.frozen
class Opening:
    """What opens a commitment: kept apart from the chain, and deleted on request."""

    commitment: str
    salt: bytes = attrs.field(repr=False)
    text: str = attrs.field(repr=False)

    @property
    def is_right(self) -> bool:
        return hmac.compare_digest(commitment(self.salt, self.text), self.commitment)

    def line(self) -> bytes:
        """Without the end of the line."""
        values = {"commitment": self.commitment, "salt": self.salt.hex(), "text": self.text}
        return canonical(values)

    @classmethod
    def read(cls, line: bytes) -> Opening:
        """Whether it is right is not looked at. Raises ParseError."""
        values = read_line(line)
        try:
            salt = bytes.fromhex(text_of(values, "salt"))
        except ValueError:
            raise ParseError("the salt is no hexadecimal number") from None
        return cls(text_of(values, "commitment"), salt, text_of(values, "text"))


def committed(values: dict[str, Any], octets: Callable[[int], bytes]) -> tuple[dict[str, Any], list[Opening]]:
    """The values of a call with commitments in the place of what is personal, and what opens them.
    ``octets`` draws random ones. What is empty stays so.
    """
    openings = []
    told = dict(values)
    for name in PERSONAL:
        text = values[name]
        if text:
            salt = octets(SALT)
            told[name] = commitment(salt, text)
            openings.append(Opening(told[name], salt, text))
    return told, openings
