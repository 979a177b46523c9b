"""Parameters: the ``;name=value`` lists of header fields and URIs (RFC 3261 §7.3.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from sipstack.errors import ParseError
from sipstack.message.frozen import copy_text, refuse, setter, unfrozen
from sipstack.message.grammar import QUOTED, TOKEN, VALUE, quote, unquote

_new = object.__new__

# Parameters that need no more than splitting: no quotes, no white space.
SIMPLE = rf"(?:;{TOKEN}(?:={VALUE})?)*+"
_parameter = re.compile(rf";[ \t]*+({TOKEN})[ \t]*+(?:=[ \t]*+({QUOTED}|{VALUE})[ \t]*+)?").match


class Parameters:
    """Immutable and ordered; names are lower case, for they are case-insensitive; values stay as written.

    A quoted value keeps its quotes (``text`` resolves them); a name without ``=`` has the value None.
    Equality ignores the order.
    """

    __slots__ = ("_items",)
    __setattr__ = __delattr__ = refuse
    __reduce__ = copy_text

    _items: dict[str, str | None]

    def __new__(cls, items: Mapping[str, str | None] | Iterable[tuple[str, str | None]] = ()) -> Parameters:
        pairs = items.items() if isinstance(items, Mapping) else items
        return _of_items({name.lower(): value for name, value in pairs})

    @classmethod
    def of_simple(cls, text: str) -> Parameters:
        """From text without quotes and white space, such as the caller has matched against SIMPLE; what is
        empty is left out, and of a name that comes again the first counts.
        """
        if not text:
            return NO_PARAMETERS
        items: dict[str, str | None] = {}
        for part in text[1:].split(";"):
            name, equals, value = part.partition("=")
            if name:
                items.setdefault(name.lower(), value if equals else None)
        return _of_items(items)

    @classmethod
    def parse(cls, text: str) -> Parameters:
        """From ``;a=1;b`` or the empty text. Raises ParseError; a name may come only once (§7.3.1)."""
        items = _items(text)
        parameters = _of_items(dict(items))
        if len(parameters) != len(items):
            raise ParseError(f"a parameter comes twice: {text[:80]!r}")
        return parameters

    @classmethod
    def read(cls, text: str) -> Parameters:
        """The same as peers write it: with a semicolon at the end, or a name that comes again, as a tag does
        in a To where it was appended without looking. The first one counts.
        """
        if not text:
            return NO_PARAMETERS
        items: dict[str, str | None] = {}
        for name, value in _items(text.rstrip("; \t")):
            items.setdefault(name, value)
        return _of_items(items) if items else NO_PARAMETERS

    def get(self, name: str) -> str | None:
        """The value as written; None when the parameter is absent or has no value (see ``in``)."""
        return self._items.get(name) or self._items.get(name.lower())

    def text(self, name: str) -> str | None:
        """The value with quotes and quoted-pairs resolved."""
        value = self.get(name)
        return unquote(value) if value else value

    def with_(self, name: str, value: str | None = None) -> Parameters:
        """A copy in which ``name`` has this value, in its old place or at the end."""
        return Parameters({**self._items, name.lower(): value})

    def with_text(self, name: str, text: str) -> Parameters:
        """A copy in which ``name`` has the quoted string of ``text``."""
        return self.with_(name, quote(text))

    def without(self, *names: str) -> Parameters:
        """A copy that lacks these names."""
        gone = {name.lower() for name in names}
        return Parameters(item for item in self if item[0] not in gone)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._items

    def __iter__(self) -> Iterator[tuple[str, str | None]]:
        return iter(self._items.items())

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Parameters):
            return NotImplemented
        return self._items == other._items

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __str__(self) -> str:
        """``;a=1;b``, or the empty string."""
        return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in self)

    def __repr__(self) -> str:
        return f"Parameters({str(self)!r})"


_Unfrozen = unfrozen(Parameters)


def _items(text: str) -> list[tuple[str, str | None]]:
    """Each name in lower case, with its value. Raises ParseError."""
    text = text.strip(" \t")
    items = []
    position = 0
    while position < len(text):
        match = _parameter(text, position)
        if match is None:
            raise ParseError(f"bad parameters: {text[:80]!r}")
        items.append((match[1].lower(), match[2]))
        position = match.end()
    return items


def _of_items(items: dict[str, str | None]) -> Parameters:
    """Parameters that own ``items``, whose names are in lower case."""
    parameters = _new(_Unfrozen)
    parameters._items = items
    parameters.__class__ = Parameters
    return parameters


class Lazy:
    """Base of the values that most messages have: simple parameters stay text until their first use."""

    __slots__ = ("_parameters",)

    _parameters: Parameters | str
    """A text that ``Parameters.of_simple`` reads."""

    @property
    def parameters(self) -> Parameters:
        """The header field's parameters."""
        parameters = self._parameters
        if isinstance(parameters, str):
            parameters = Parameters.of_simple(parameters)
            _set_parameters(self, parameters)
        return parameters


_set_parameters = setter(Lazy, "_parameters")

NO_PARAMETERS = Parameters()
