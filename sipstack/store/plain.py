"""Plain values (texts, numbers, truths, octets, None, lists and dictionaries of these) to CBOR's and back.

CBOR's texts are UTF-8; ours may come from a message that is not. Such a text is the map of 0 to its octets,
and as the key of a map just its octets. Keys that are in ``WORDS`` are numbers. None of this can mean
anything else, for the keys of our own dictionaries are texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from types import NoneType

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.store.layout import NAMES, WORDS

MOST = 4_000
"""Elements of all lists and dictionaries of one record."""
DEEPEST = 12
"""Lists and dictionaries in one another."""
HIGHEST = 2**63 - 1

Key = int | bytes | str

_EASY = (bool, bytes, NoneType)
_SCALARS = (str, int, float, *_EASY)


class Writing:
    """The writing of one record. ``sorts``: ``cbor.dumps`` has to, for there are floating-point numbers."""

    __slots__ = ("left", "sorts")

    def __init__(self) -> None:
        self.left = MOST
        self.sorts = False

    def value(self, value: object, depth: int) -> object:
        """``value`` for CBOR. Raises LocalProtocolError for what is not plain, and for too much of it."""
        if isinstance(value, str):
            return value if value.isascii() else text(value)
        if isinstance(value, _EASY):
            return value
        if isinstance(value, int):
            if not -HIGHEST <= value <= HIGHEST:
                raise LocalProtocolError("a number in a record has more than 64 bits")
            return value
        if isinstance(value, dict):
            return self.mapping(value, depth)
        if isinstance(value, list):
            self._count(len(value), depth)
            return [self.value(each, depth - 1) for each in value]
        if isinstance(value, float) and isfinite(value):
            self.sorts = True
            return value
        raise LocalProtocolError(f"a record cannot hold {type(value).__name__} values")

    def mapping(self, values: Mapping[str, object], depth: int = DEEPEST) -> dict[Key, object]:
        """A dictionary for CBOR, in its order."""
        self._count(len(values), depth)
        written = {_key(name): self.value(each, depth - 1) for name, each in values.items()}
        if len(written) < 2:
            return written
        numbers = all(type(key) is int for key in written)  # as most are
        return dict(sorted(written.items(), key=None if numbers else _order))

    def _count(self, elements: int, depth: int) -> None:
        self.left -= elements
        if self.left < 0:
            raise LocalProtocolError(f"a record of more than {MOST} elements")
        if depth <= 0:
            raise LocalProtocolError(f"a record of more than {DEEPEST} lists and dictionaries in one another")


def text(value: str) -> str | dict[Key, object]:
    """A text for CBOR."""
    octets = _octets(value)
    return octets if isinstance(octets, str) else {0: octets}


def _key(name: object) -> Key:
    if not isinstance(name, str):
        raise LocalProtocolError("a dictionary in a record has keys that are not texts")
    return WORDS.get(name) or (name if name.isascii() else _octets(name))


def _octets(value: str) -> str | bytes:
    """``value`` itself, or its octets where these are not UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        pass
    else:
        return value
    try:
        octets = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise LocalProtocolError("a text in a record is neither text nor octets") from None
    try:
        return octets.decode()  # of pieces that make a character together
    except UnicodeDecodeError:
        return octets


def _order(item: tuple[Key, object]) -> tuple[int, int, int | bytes]:
    """RFC 8949 §4.2.3: the shorter key first, else by its octets. Words are below 256."""
    key = item[0]
    if isinstance(key, int):
        return (1 if key < 24 else 2, 0, key)
    if isinstance(key, bytes):
        return (1 + len(key), 2, key)
    octets = key.encode()
    return (1 + len(octets), 3, octets)


def read(value: object) -> object:
    """The plain value of what CBOR has. Raises ParseError for anything that is none."""
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, list):
        return [read(each) for each in value]
    if not isinstance(value, dict):
        raise ParseError(f"a record with {type(value).__name__} values")
    octets = value.get(0)
    if isinstance(octets, bytes):
        return octets.decode("utf-8", "surrogateescape")
    return mapping(value)


def mapping(value: object) -> dict[str, object]:
    """The dictionary of a map. Raises ParseError."""
    if not isinstance(value, dict):
        raise ParseError("a record without a map where one belongs")
    return {_name(key): read(each) for key, each in value.items()}


def _name(key: object) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bytes):
        return key.decode("utf-8", "surrogateescape")
    if isinstance(key, int) and key in NAMES:
        return NAMES[key]
    raise ParseError("a record with a key that is not known")
