"""TNAuthList, the extension of a certificate that says whose numbers it is good for (RFC 8226 §9).

TNAuthorizationList ::= SEQUENCE OF CHOICE { spc [0] IA5String, range [1] SEQUENCE { start IA5String,
count INTEGER }, one [2] IA5String }, with explicit tags
"""

from __future__ import annotations

from collections.abc import Iterator

from sipstack.errors import ParseError

_SEQUENCE, _TEXT, _INTEGER = 0x30, 0x16, 0x02
_PROVIDER, _RANGE, _ONE = 0xA0, 0xA1, 0xA2


def covers(extension: bytes, number: str) -> bool:
    """Whether a certificate with this extension (DER) may speak for ``number``, digits alone.

    A provider's code covers every number: which are the provider's stands in the registries of a country.
    Raises ParseError.
    """
    covered = False
    for tag, entry in _items(_only(extension, _SEQUENCE)):  # all are read: one that is broken spoils the list
        covered |= _covers(tag, entry, number)
    return covered


def _covers(tag: int, entry: bytes, number: str) -> bool:
    if tag == _PROVIDER:
        return bool(_text(_only(entry, _TEXT)))
    if tag == _ONE:
        return _text(_only(entry, _TEXT)) == number
    if tag == _RANGE:
        parts = list(_items(_only(entry, _SEQUENCE)))
        if [part for part, _ in parts] != [_TEXT, _INTEGER]:
            raise ParseError("a range of numbers has a start and a count")
        return _in_range(_text(parts[0][1]), int.from_bytes(parts[1][1][:9], "big", signed=True), number)
    raise ParseError("an entry of a TNAuthList that we do not know")


def _in_range(start: str, count: int, number: str) -> bool:
    plain = start.isdigit() and number.isdigit() and len(start) == len(number) <= 32
    return plain and int(start) <= int(number) < int(start) + count


def _text(octets: bytes) -> str:
    if not octets.isascii():
        raise ParseError("a TNAuthList is in ASCII")
    return octets.decode("ascii")


def _only(octets: bytes, tag: int) -> bytes:
    items = list(_items(octets))
    if len(items) != 1 or items[0][0] != tag:
        raise ParseError("not a TNAuthList")
    return items[0][1]


def _items(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Each tag with its content (X.690, definite lengths). Raises ParseError."""
    position = 0
    while position < len(octets):
        head = octets[position : position + 2]
        if len(head) < 2:
            raise ParseError("a TNAuthList ends early")
        tag, length = head
        position += 2
        if length & 0x80:
            size = length & 0x7F
            if not 1 <= size <= 3:
                raise ParseError("a length in a TNAuthList cannot be read")
            length = int.from_bytes(octets[position : position + size], "big")
            position += size
        content = octets[position : position + length]
        if len(content) < length:
            raise ParseError("a TNAuthList ends early")
        position += length
        yield tag, content
