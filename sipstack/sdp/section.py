"""Lines: what the session part and each media part of a description have in common (RFC 8866 §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from types import MappingProxyType
from typing import Self, TypeVar

import attrs

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.sdp.fields import Attribute, Bandwidth, Connection, Direction
from sipstack.sdp.grammar import concealed, shortened

LINE_ORDER = "vosmiuepcbtrzka"
"""The order of the types within a part (RFC 8866 §5); m= opens a media part."""

T = TypeVar("T")

_DIRECTIONS = {direction.value: direction for direction in Direction}


LONGEST_KNOWN = 600
"""Characters of a part whose views are kept for the next that has the same lines."""


@attrs.frozen
class Views:
    """What lines say."""

    types: str
    connections: tuple[Connection, ...]
    attributes: Mapping[str, tuple[str, ...]]
    direction: Direction | None


NOTHING = Views("", (), MappingProxyType({}), None)
"""What no lines say."""


@attrs.frozen
class Section:
    """An unbroken run of lines, each ``x=value`` as received or to be sent, without its line end.

    Raises LocalProtocolError when a line holds CR, LF or NUL or is not of that form, ParseError when v= or
    m= cannot be read: nothing can be made of the description without them. The views do not raise: a line of
    any other type that cannot be read is kept, and left out of the views. Who needs it sees that it is not
    there, and who does not need it is not disturbed.
    """

    lines: tuple[str, ...] = attrs.field(repr=lambda lines: repr(tuple(map(concealed, lines))))
    _views: Views = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_views", new_views(self.lines))

    # Views

    @property
    def types(self) -> str:
        """The type letter of each line, in order."""
        return self._views.types

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The c= lines of this part itself that can be read."""
        return self._views.connections

    def values(self, letter: str) -> tuple[str, ...]:
        """The text after ``letter=`` of each line of that type, verbatim."""
        return _values(self.lines, letter)

    @property
    def connection(self) -> Connection | None:
        """The first c= line of this part itself that can be read."""
        connections = self._views.connections
        return connections[0] if connections else None

    @property
    def information(self) -> str | None:
        """i=: a remark for people."""
        return next(iter(self.values("i")), None)

    @property
    def bandwidths(self) -> tuple[Bandwidth, ...]:
        return tuple(readable(Bandwidth.parse, self.values("b")))

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        return tuple(readable(Attribute.parse, self.values("a")))

    def attribute(self, name: str) -> str | None:
        """The value of the first ``a=name``, "" for a property attribute, None when there is none."""
        values = self._views.attributes.get(name)
        return values[0] if values else None

    def attribute_values(self, name: str) -> tuple[str, ...]:
        """The values of all ``a=name`` lines, in order."""
        return self._views.attributes.get(name, ())

    @property
    def direction(self) -> Direction | None:
        """The direction attribute of this part itself, None when it has none."""
        return self._views.direction

    # Changed copies

    def with_lines(self, letter: str, *values: str) -> Self:
        """A copy with these values for the lines of one type, in the place that RFC 8866 gives them.
        No values removes the type."""
        kept = [line for line in self.lines if line[0] != letter]
        rank = LINE_ORDER.index(letter) if letter in LINE_ORDER else len(LINE_ORDER)
        place = next((at for at, line in enumerate(kept) if LINE_ORDER.find(line[0]) > rank), len(kept))
        return self._with([*kept[:place], *(f"{letter}={value}" for value in values), *kept[place:]])

    def with_connection(self, connection: Connection) -> Self:
        return self.with_lines("c", str(connection))

    def with_attribute(self, name: str, *values: str) -> Self:
        """A copy with one ``a=name:value`` line a value, at the end, in place of all lines of that name;
        without values the property attribute ``a=name``."""
        attributes = [Attribute(name, value) for value in values] or [Attribute(name)]
        return self._with([*self._without(name), *(f"a={attribute}" for attribute in attributes)])

    def without_attribute(self, name: str) -> Self:
        return self._with(self._without(name))

    def with_direction(self, direction: Direction) -> Self:
        return self._with([*self._without(*_DIRECTIONS), f"a={direction.value}"])

    def _without(self, *names: str) -> list[str]:
        return [
            line for line in self.lines if line[0] != "a" or line[2:].partition(":")[0].strip() not in names
        ]

    def _with(self, lines: Iterable[str]) -> Self:
        return attrs.evolve(self, lines=tuple(lines))


S = TypeVar("S", bound=Section)


def copy_of(section: S, lines: tuple[str, ...]) -> S:
    """With other lines that say the same to the views; what else the class has must be set."""
    copy = object.__new__(type(section))
    object.__setattr__(copy, "lines", lines)
    object.__setattr__(copy, "_views", section._views)
    return copy


def views(lines: tuple[str, ...]) -> Views:
    """The views of lines that may come again in the next call. Raises LocalProtocolError."""
    return _known_views(lines) if may_be_kept(lines) else new_views(lines)


def may_be_kept(lines: tuple[str, ...]) -> bool:
    """Whether lines may be remembered for other calls. Keys do not come again, and must not be kept."""
    text = "".join(lines)
    return len(text) <= LONGEST_KNOWN and not (
        "crypto" in text or "key" in text or "k=" in text or "ice-" in text
    )


def new_views(lines: tuple[str, ...]) -> Views:
    """The views of lines. Raises LocalProtocolError."""
    types = types_of(lines)
    connections = tuple(readable(Connection.parse, _values(lines, "c"))) if "c" in types else ()
    attributes: dict[str, list[str]] = {}
    direction = None
    for line in lines:
        if line[0] == "a":
            name, _, value = line[2:].partition(":")
            name = name.strip()
            attributes.setdefault(name, []).append(value.strip())
            direction = direction or _DIRECTIONS.get(name)
    by_name = {name: tuple(values) for name, values in attributes.items()}
    return Views(types, connections, MappingProxyType(by_name), direction)


@lru_cache(maxsize=256)
def _known_views(lines: tuple[str, ...]) -> Views:
    return new_views(lines)


def _values(lines: tuple[str, ...], letter: str) -> tuple[str, ...]:
    return tuple([line[2:] for line in lines if line[0] == letter])


def types_of(lines: tuple[str, ...]) -> str:
    """The type letters of lines. Raises LocalProtocolError for what is none."""
    text = "".join(lines)
    if "\r" in text or "\n" in text or "\0" in text:
        raise LocalProtocolError("an SDP line holds CR, LF or NUL")
    # All lines at once, as this runs for each description received and made.
    heads = "".join([line[:2] for line in lines])
    types = heads[::2]
    if heads[1::2] != "=" * len(lines) or not (types.isalpha() and types.isascii()):
        raise LocalProtocolError(f"a part of an SDP that is not lines of type=value: {shortened(text)}")
    return types


def readable(parse: Callable[[str], T], values: Iterable[str]) -> Iterator[T]:
    """The values that ``parse`` can read; the others are left out."""
    for value in values:
        with suppress(ParseError):
            yield parse(value)
