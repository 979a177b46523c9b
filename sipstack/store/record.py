"""The record of a session in octets: the values of ``SessionRecord.as_values()`` in the form of ``layout``.

    octets = encode(record.as_values())
    record = SessionRecord.of_values(decode(octets))

Whether the values make sense is not known here, only that they are of the right kind and not too many. There
is one way to write a record: octets that say the same in another way are refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.store.layout import (
    APPLICATION,
    EXTENSIONS,
    MOST_OCTETS,
    MOST_OF_APPLICATION,
    MOST_OF_EXTENSIONS,
)
from sipstack.store.plain import Writing
from sipstack.store.rows import row_of, values_of
from sipstack.store.upgrades import VERSION, upgraded


def encode(values: Mapping[str, object]) -> bytes:
    """The octets of a record. Raises LocalProtocolError for values that are no record's, or too large."""
    from sipstack.store import cbor

    writing = Writing()
    row = row_of(values, writing)
    octets = cbor.dumps(row, sorts=writing.sorts)
    if len(octets) > MOST_OF_APPLICATION:  # else no part of it is too large either
        parts = (
            ("the application's data", row[APPLICATION], MOST_OF_APPLICATION),
            ("what extensions keep", row[EXTENSIONS], MOST_OF_EXTENSIONS),
            ("all", row, MOST_OCTETS),
        )
        for what, part, most in parts:
            size = len(cbor.dumps(part, sorts=writing.sorts))
            if size > most:
                raise LocalProtocolError(f"a record is too large: {what} has {size} octets, above {most}")
    return octets


def decode(octets: bytes) -> dict[str, object]:
    """The values that ``encode`` wrote, of this version or an older one. Raises ParseError for others."""
    from sipstack.store import cbor

    if len(octets) > MOST_OCTETS:
        raise ParseError(f"a record of more than {MOST_OCTETS} octets")
    row = cbor.loads(octets)
    if not isinstance(row, list) or not row or type(row[0]) is not int:
        raise ParseError("no record: it does not begin with a version")
    version = row[0]
    if version != VERSION and not cbor.is_form_of(octets, row):
        raise ParseError("a record that is not written in the one form")
    values = values_of(upgraded(version, row[1:]))
    try:
        again = encode(values)
    except LocalProtocolError as error:
        raise ParseError(str(error)) from None
    if version == VERSION and again != octets:
        raise ParseError("a record that is not written in the one form")
    return values
