"""Lines: what the session part and each media part of a description have in common (RFC 8866 §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Self, TypeVar

import attrs

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.sdp.fields import Attribute, Bandwidth, Connection, Direction
from sipstack.sdp.grammar import concealed, shortened

LINE_ORDER = "vosmiuepcbtrzka"
"""The order of the types within a part (RFC 8866 §5); m= opens a media part."""

T = TypeVar("T")

_DIRECTIONS = {direction.value: direction for direction in Direction}


@attrs.frozen
class Section:
    """An unbroken run of lines, each ``x=value`` as received or to be sent, without its line end.

    Raises LocalProtocolError when a line holds CR, LF or NUL or is not of that form, ParseError when v= or
    m= cannot be read: nothing can be made of the description without them. The views do not raise: a line of
    any other type that cannot be read is kept, and left out of the views. Who needs it sees that it is not
    there, and who does not need it is not disturbed.
    """

    lines: tuple[str, ...] = attrs.field(repr=lambda lines: repr(tuple(map(concealed, lines))))
    types: str = attrs.field(init=False, eq=False, repr=False)
    """The type letter of each line, in order."""
    connections: tuple[Connection, ...] = attrs.field(init=False, eq=False, repr=False)
    _index: dict[str, list[str]] | None = attrs.field(init=False, eq=False, repr=False, default=None)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "types", _types(self.lines))
        connections: tuple[Connection, ...] = ()
        for value in self.values("c"):
            with suppress(ParseError):
                connections += (Connection.parse(value),)
        object.__setattr__(self, "connections", connections)

    # Views

    def values(self, letter: str) -> tuple[str, ...]:
        """The text after ``letter=`` of each line of that type, verbatim."""
        if letter not in self.types:
            return ()
        return tuple([line[2:] for line in self.lines if line[0] == letter])

    @property
    def connection(self) -> Connection | None:
        """The first c= line of this part itself that can be read."""
        return self.connections[0] if self.connections else None

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
        values = self._attributes.get(name)
        return values[0] if values else None

    def attribute_values(self, name: str) -> tuple[str, ...]:
        """The values of all ``a=name`` lines, in order."""
        return tuple(self._attributes.get(name, ()))

    @property
    def direction(self) -> Direction | None:
        """The direction attribute of this part itself, None when it has none."""
        for line in self.lines:
            if line[0] == "a" and (found := _DIRECTIONS.get(line[2:].partition(":")[0].strip())):
                return found
        return None

    @property
    def _attributes(self) -> dict[str, list[str]]:
        """The values of the attributes by name, made when first asked for."""
        index = self._index
        if index is None:
            index = {}
            for line in self.lines:
                if line[0] == "a":
                    name, _, value = line[2:].partition(":")
                    index.setdefault(name.strip(), []).append(value.strip())
            object.__setattr__(self, "_index", index)
        return index

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


def _types(lines: tuple[str, ...]) -> str:
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
