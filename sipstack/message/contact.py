"""The Contact header field: addresses, or ``*`` alone (RFC 3261 §20.10)."""

from __future__ import annotations

from typing import Final

from sipstack.message.address import NameAddr, parse_name_addr

WILDCARD: Final = "*"
"""The Contact of a REGISTER that removes all its bindings (§10.2.2)."""


def parse_contact(text: str) -> NameAddr | str:
    """An address, or WILDCARD. Raises ParseError."""
    return WILDCARD if text == WILDCARD else parse_name_addr(text)
