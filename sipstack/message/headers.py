"""Headers: the ordered multimap of raw header field values, with typed values made on demand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.message.grammar import is_token
from sipstack.message.registry import FIELDS, NAMES, Row, Rows

HeaderFields = tuple[tuple[str, object], ...]
"""Names and values of header fields in order, not yet checked."""

_new = object.__new__
# A quoted pair may hold it, and quote() writes it so (§25.1).
_bare_nul = re.compile(r"(?:[^\\\0]|\\.)*+\0", re.DOTALL).match


class Headers:
    """Field names map to raw text; names are case-insensitive, and canonical for the fields we know.

    Fields of one name keep their order; fields of different names are grouped where the first of them stood
    (that order carries no meaning, §7.3.1). Immutable: ``with_`` and its like return a changed copy. Values
    given by a caller are refused (LocalProtocolError) when they hold CR, LF or NUL, so what a ``Headers``
    holds can always be written.
    """

    __slots__ = ("_typed", "index")

    def __init__(self, items: Iterable[tuple[str, object]] = ()) -> None:
        self.index: dict[str, Row] = {}
        self._typed: dict[str, Any] | None = None
        for name, value in items:
            self._add(name, value)

    @classmethod
    def of_index(cls, index: dict[str, Row]) -> Headers:
        """From canonical names and values known to be free of line ends; the parser's way in."""
        headers = _new(cls)
        headers.index = index
        headers._typed = None
        return headers

    def _add(self, name: str, value: object) -> None:
        key = self._key(name)
        row = self.index.get(key)
        text = header_value(value)
        if row is None:
            self.index[key] = text
        else:
            self.index[key] = [row, text] if isinstance(row, str) else [*row, text]

    def _find(self, name: str) -> str:
        """The spelling under which a field of this name stands in the index, if it does."""
        if name in self.index or name in FIELDS:  # in the canonical spelling
            return name
        lower = name.lower()
        return NAMES.get(lower) or next((key for key in self.index if key.lower() == lower), name)

    def _key(self, name: str) -> str:
        """The spelling under which a field of this name goes into the index."""
        key = NAMES.get(name) or self._find(name)
        if key not in self.index and key not in FIELDS and not is_token(key):
            raise LocalProtocolError(f"not a header field name: {name!r}")
        return key

    def get(self, name: str) -> str | None:
        """The first raw value."""
        row = self.index.get(name)
        if row is None and name not in FIELDS:  # one that we know stands there as we write it
            row = self.index.get(self._find(name))
        return row[0] if isinstance(row, list) else row

    def raw(self, name: str) -> tuple[str, ...]:
        """All raw values in order, one for each line of the message: commas are not split."""
        row = self.index.get(self._find(name), ())
        return (row,) if isinstance(row, str) else tuple(row)

    def typed(self, name: str) -> Any:
        """The value as its row in ``registry.FIELDS`` says; raises ParseError. Cached.

        A list field gives a tuple (empty when absent); a single field its value or None; a field that the
        registry does not know gives its raw values.
        """
        typed = self._typed
        if typed is None:
            typed = self._typed = {}
        elif name in typed:
            return typed[name]
        key = self._find(name)
        field = FIELDS.get(key)
        if field is None:
            value: object = self.raw(key)
        elif key in self.index:
            value = field.typed(self.index[key])
        else:
            value = None if field.rows is Rows.SINGLE else ()
        typed[name] = value
        return value

    def readable(self, name: str) -> Any:
        """Like ``typed``, for what we can do without: of a list the elements that can be read, else None in
        place of a value that cannot. Never raises ParseError: one odd element spoils nothing beside it.
        """
        try:
            return self.typed(name)
        except ParseError:
            key = self._find(name)
            return FIELDS[key].readable(self.index[key])

    def items(self) -> Iterator[tuple[str, str]]:
        """Each (canonical name, raw value)."""
        for name, row in self.index.items():
            if isinstance(row, str):
                yield name, row
            else:
                for value in row:
                    yield name, value

    def with_(self, name: str, *values: object) -> Headers:
        """A copy in which the field has these values and no other; it keeps its place."""
        return self._with(self._key(name), [header_value(value) for value in values])

    def prepend(self, name: str, value: object) -> Headers:
        """A copy in which ``value`` stands before the field's other values."""
        return self._with(self._key(name), [header_value(value), *self.raw(name)])

    def append(self, name: str, value: object) -> Headers:
        """A copy in which ``value`` stands after the field's other values."""
        return self._with(self._key(name), [*self.raw(name), header_value(value)])

    def joined(self, other: Headers) -> Headers:
        """A copy with the fields of ``other`` behind ours; those of one name come together."""
        index = self.index | other.index
        if len(index) != len(self.index) + len(other.index):
            for name in self.index.keys() & other.index.keys():
                index[name] = [*self.raw(name), *other.raw(name)]
        return Headers.of_index(index)

    def replaced(self, other: Headers) -> Headers:
        """A copy in which the fields of ``other`` stand in place of ours of the same names."""
        return Headers.of_index(self.index | other.index)

    def without(self, *names: str) -> Headers:
        """A copy without the fields of these names."""
        keys = {self._find(name) for name in names}
        return Headers.of_index({key: row for key, row in self.index.items() if key not in keys})

    def _with(self, key: str, values: list[str]) -> Headers:
        if not values:
            return self.without(key)
        return Headers.of_index({**self.index, key: values[0] if len(values) == 1 else values})

    def __contains__(self, name: object) -> bool:
        if name in self.index or name in FIELDS:
            return name in self.index
        return isinstance(name, str) and self._find(name) in self.index

    def __bool__(self) -> bool:
        return bool(self.index)

    def __len__(self) -> int:
        return sum(1 if isinstance(row, str) else len(row) for row in self.index.values())

    def __eq__(self, other: object) -> bool:
        return self.index == other.index if isinstance(other, Headers) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset((name, self.raw(name)) for name in self.index))

    def __repr__(self) -> str:
        return f"Headers({list(self.items())!r})"


def header_value(value: object) -> str:
    """``value`` as text without white space round it. LocalProtocolError when it holds CR, LF, or a NUL
    outside of a quoted pair.
    """
    text = str(value).strip(" \t")
    if "\n" in text or "\r" in text or ("\0" in text and _bare_nul(text)):
        raise LocalProtocolError(f"a header field value cannot hold CR, LF or NUL: {text[:80]!r}")
    return text
