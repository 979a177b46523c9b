"""CBOR (RFC 8949) by ``cbor2``: this is the only file that imports it. No tags, nothing of indefinite length.

One value has one form: the length-first deterministic encoding of RFC 8949 §4.2.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from sipstack.errors import LocalProtocolError, ParseError

try:
    import cbor2
except ImportError as error:
    raise LocalProtocolError(
        "a store beyond this process needs cbor2: pip install 'sipstack[sessions]'"
    ) from error

DEEPEST = 16
"""Containers in one another that are read."""


def dumps(value: object, *, sorts: bool = False) -> bytes:
    """``value`` in octets. Its maps must be in order already and without floating-point numbers, unless
    ``sorts``, which takes three times as long.
    """
    return cbor2.dumps(value, canonical=sorts)


def loads(octets: bytes) -> object:
    """The value that begins ``octets``. Whether that is all of them, and written in the one form, is seen by
    writing it again. Raises ParseError.
    """
    try:
        return cbor2.loads(
            octets, max_depth=DEEPEST, allow_indefinite=False, tag_hook=_refuse, semantic_decoders=_REFUSED
        )
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ParseError(f"no CBOR: {error}") from None


def is_form_of(octets: bytes, value: object) -> bool:
    """Whether ``octets``, which were read as ``value``, are its one form."""
    try:
        return dumps(value, sorts=True) == octets
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError):
        return False


def _refuse(*_: object) -> NoReturn:
    raise ValueError("a tag")


# Those that cbor2 would make objects of: times, numbers of any length, regular expressions, references ...
_TAGS = (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)
_REFUSED: dict[int, Callable[..., NoReturn]] = dict.fromkeys(_TAGS, _refuse)
