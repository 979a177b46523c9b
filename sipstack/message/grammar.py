"""The pieces of RFC 3261 §25.1 that every header field is made of: tokens, quoted strings, escapes, lists.

All patterns use possessive quantifiers, so that matching stays linear in what the network sends.
"""

from __future__ import annotations

import re

from sipstack.errors import ParseError

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]++"
QUOTED = r'"(?:[^"\\\r\n\x00]++|\\[^\r\n])*+"'
# A parameter's value. Peers leave quotes away where the grammar wants them, so whatever cannot be mistaken
# for the end of the value is taken (a bare IPv6 address after received=, RFC 5118 §4.5).
VALUE = r'[^\x00-\x20\x7f;,"<>]*+'
# The same, ASCII only: most values.
VISIBLE = r"[!#-+\-.-:=?-~]"
HOST = r"(?:[A-Za-z0-9_.\-]++|\[[0-9A-Fa-f:.]++\])"

MAXIMUM_SPOILT = 16
"""Elements of one list that do not close: what follows more of them is not looked at, to stay linear."""

is_token = re.compile(TOKEN).fullmatch
is_quoted = re.compile(QUOTED).fullmatch
_escapes = re.compile(r"(%[0-9A-Fa-f]{2})").split
_BACKSLASH = "\ud800"  # stands for one that is meant; no text from the network or to it can hold it
_DIGITS = "0123456789ABCDEFabcdef"
_OCTETS = {(high + low).encode(): bytes((int(high + low, 16),)) for high in _DIGITS for low in _DIGITS}
# One element of a comma separated list: quoted strings and <URIs> may hold commas.
_element = re.compile(rf'((?:[^",<>]++|{QUOTED}|<[^<>]*+>)*+)(?:,|\Z)').match


def split_commas(text: str) -> list[str]:
    """The elements of a comma separated list, stripped; commas inside quotes and <> do not count."""
    if "," not in text:
        return [text.strip(" \t")]
    elements = []
    position = 0
    while (match := _element(text, position)) is not None:
        elements.append(match[1].strip(" \t"))
        position = match.end()
        if match.end(1) == len(text):
            return elements
    raise ParseError(f"quotes or <> do not close: {text[:80]!r}")


def split_readable(text: str) -> list[str]:
    """The elements of a list in which something does not close: that is left out, up to the next comma."""
    elements = []
    position = spoilt = 0
    while position <= len(text) and spoilt <= MAXIMUM_SPOILT:
        match = _element(text, position)
        if match is not None:
            elements.append(match[1].strip(" \t"))
            position = match.end() if match.end(1) < len(text) else len(text) + 1
        else:
            spoilt += 1
            position = (text.find(",", position) + 1) or len(text) + 1
    return elements


def unquote(text: str) -> str:
    """The meaning of a quoted string, or the text itself when it is not quoted."""
    if text[:1] != '"':
        return text
    if not is_quoted(text):
        raise ParseError(f"a quoted string does not close: {text[:80]!r}")
    # A pair of backslashes is one; each that is left makes way for what it quotes. Linear, and not in Python
    return text[1:-1].replace("\\\\", _BACKSLASH).replace("\\", "").replace(_BACKSLASH, "\\")


def quote(text: str) -> str:
    """The quoted string that means ``text``. NUL becomes a quoted-pair, as RFC 3261 §25.1 wants it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\0", "\\\0") + '"'


def unescape(text: str, kept: bytes = b"") -> str:
    """Each %HH replaced by its octet, once, the octets read as UTF-8; a %HH of an octet in ``kept`` stays."""
    if "%" not in text:
        return text

    first, *parts = text.encode("utf-8", "surrogateescape").split(b"%")
    octets = [first]
    for part in parts:
        value = _OCTETS.get(part[:2])
        if value is None:
            octets.append(b"%" + part)
        elif value in kept:
            octets.append(b"%" + part[:2].upper() + part[2:])
        else:
            octets.append(value + part[2:])
    return b"".join(octets).decode("utf-8", "surrogateescape")


def escape(text: str, allowed: frozenset[str]) -> str:
    """``text`` with every character outside ``allowed`` (ASCII) written as the %HH of its UTF-8 octets."""
    if allowed.issuperset(text):
        return text
    octets = text.encode("utf-8", "surrogateescape")
    return "".join(chr(octet) if chr(octet) in allowed else f"%{octet:02X}" for octet in octets)


def reescape(text: str, allowed: frozenset[str]) -> str:
    """``text`` with what is escaped in it left so, and what has to be escaped too: ``%`` where it is none."""
    parts = _escapes(text)
    return "".join([part if index % 2 else escape(part, allowed) for index, part in enumerate(parts)])


def lower(text: str) -> str:
    """``text`` in lower case: the attrs converter of what compares without case."""
    return text.lower()


def number(text: str, highest: int, what: str) -> int:
    """The decimal number in ``text``, 0 to ``highest``. Raises ParseError."""
    # A length limit first: int() of a long digit string costs quadratic time.
    if text.isascii() and text.isdigit() and len(text) <= 64 and (value := int(text)) <= highest:
        return value
    raise ParseError(f"{what} is not a number from 0 to {highest}: {text[:80]!r}")


def read_port(digits: str) -> int:
    """A port out of text that is known to be one to five digits. Raises ParseError."""
    port = int(digits)
    if port > 65535:
        raise ParseError(f"no such port: {digits}")
    return port
