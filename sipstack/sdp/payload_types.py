"""The payload type numbers that a session has fixed (RFC 3264 §8.3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import attrs

from sipstack.sdp.codec import Codec

FREE_NUMBERS = (*range(96, 128), *range(35, 64))
"""The numbers for further dynamic payload types: RFC 3551 §6, then those that RFC 5761 §4 leaves."""

_NONE: Mapping[int, Codec] = MappingProxyType({})


@attrs.frozen
class PayloadTypes:
    """Which numbers a session has given to which codecs, for each kind of media.

    A session takes up each description as it is exchanged, oldest first, and numbers its offers by the
    result. Then a number never changes its codec, a codec keeps the number it had first, and one that is new
    to the session gets a number that nobody used.
    """

    _by_kind: Mapping[str, Mapping[int, Codec]] = MappingProxyType({})

    def keeping(self, kind: str, codecs: Iterable[Codec]) -> PayloadTypes:
        """With the numbers that these codecs have in a description sent or received."""
        known = self._by_kind.get(kind, _NONE)
        new = {codec.payload_type: codec for codec in codecs if codec.payload_type not in known}
        if not new:
            return self
        return PayloadTypes({**self._by_kind, kind: {**known, **new}})

    def numbered(self, kind: str, codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
        """These codecs with the numbers that the next offer must use.

        A codec for which no number is left is not among them.
        """
        fixed = self._by_kind.get(kind)
        return tuple(_numbered(codecs, fixed)) if fixed else codecs


def _numbered(codecs: tuple[Codec, ...], fixed: Mapping[int, Codec]) -> Iterator[Codec]:
    known: dict[tuple[str | int, ...], int] = {}
    for number, codec in fixed.items():
        known.setdefault(codec.key, number)
    taken = {*fixed, *(codec.payload_type for codec in codecs)}
    free = (number for number in FREE_NUMBERS if number not in taken)
    for codec in codecs:
        ours = known.get(codec.key)
        if ours is None:
            ours = next(free, None) if codec.payload_type in fixed else codec.payload_type
        if ours is not None:
            yield codec.numbered(ours)
