"""A record in fewer octets, where it has to be small: deflated (RFC 1951) beside what most calls share."""

from __future__ import annotations

import zlib

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.store.dictionary import DICTIONARY, NUMBER
from sipstack.store.layout import MOST_OCTETS

_WINDOW = -13  # 8 KB, and no head of zlib's
_MEMORY = 6
_MOST_COMPRESSED = MOST_OCTETS + 1_024  # what cannot be compressed gets a little longer


def compress(octets: bytes) -> bytes:
    """The number of the dictionary in one octet, and ``octets`` deflated with it. Raises LocalProtocolError
    for more of them than ``decompress`` gives.
    """
    if len(octets) > MOST_OCTETS:
        raise LocalProtocolError(f"a record of more than {MOST_OCTETS} octets")
    deflating = zlib.compressobj(9, zlib.DEFLATED, _WINDOW, _MEMORY, zdict=DICTIONARY)
    return b"%c%b%b" % (NUMBER, deflating.compress(octets), deflating.flush())


def decompress(octets: bytes) -> bytes:
    """The octets that ``compress`` was given, at most 64 KiB: more is not even made of what a stranger sends.

    Raises ParseError for anything else. Many compressed forms say the same.
    """
    if not octets or octets[0] != NUMBER:
        raise ParseError("a record that is compressed with a dictionary that is not known")
    if len(octets) > _MOST_COMPRESSED:
        raise ParseError("a compressed record that is too long")
    inflating = zlib.decompressobj(_WINDOW, DICTIONARY)
    try:
        record = inflating.decompress(octets[1:], MOST_OCTETS + 1)
    except zlib.error as error:
        raise ParseError(f"a record that cannot be decompressed: {error}") from None
    if len(record) > MOST_OCTETS:
        raise ParseError(f"a compressed record of more than {MOST_OCTETS} octets")
    if not inflating.eof or inflating.unused_data:
        raise ParseError("a compressed record that is cut short, or goes on")
    return record
