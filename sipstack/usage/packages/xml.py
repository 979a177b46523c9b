"""XML documents of event packages: read into plain elements, within bounds, and written.

A document type declaration is refused, so there are no entities to expand and nothing is fetched. Namespaces
are left out: elements are known by their local names, for deployed peers write wrong namespaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.parsers import expat  # noqa: S407 - no document type, so no entities; and everything is bounded
from xml.sax.saxutils import escape, quoteattr  # noqa: S406 - they write

import attrs

from sipstack.errors import ParseError

LONGEST = 256 * 1024
"""Octets of a document."""
DEEPEST = 32
MOST = 5_000
"""Elements of a document."""
_NOT_IN_XML = {code: None for code in range(32) if code not in (9, 10, 13)} | {0xFFFE: None, 0xFFFF: None}


@attrs.define(eq=False)
class Element:
    """``text`` is what stands before the first child, without white space around it."""

    name: str
    attributes: Mapping[str, str]
    children: list[Element] = attrs.field(factory=list)
    text: str = ""

    def get(self, name: str, default: str = "") -> str:
        """The attribute."""
        return self.attributes.get(name, default)

    def all(self, *path: str) -> Iterator[Element]:
        """Every element at the end of ``path``, names of children from here on."""
        for child in self.children:
            if child.name == path[0]:
                if len(path) == 1:
                    yield child
                else:
                    yield from child.all(*path[1:])

    def first(self, *path: str) -> Element | None:
        """The first element at the end of ``path``."""
        return next(self.all(*path), None)

    def text_of(self, *path: str) -> str:
        """The text of the first element there; empty where there is none."""
        found = self.first(*path)
        return "" if found is None else found.text


class _Reader:
    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def started(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= DEEPEST or self._count > MOST:
            raise ParseError("the XML document is too deep or has too many elements")
        element = Element(_local(name), {_local(each): value for each, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def ended(self, name: str) -> None:
        element = self._open.pop()
        element.text = element.text.strip()

    def said(self, text: str) -> None:
        if not self._open[-1].children:
            self._open[-1].text += text

    def declared(self, *_: object) -> None:
        raise ParseError("an XML document with a document type is not read")


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def parse_xml(body: bytes, root: str) -> Element:
    """The document, whose outermost element is ``root``. Raises ParseError."""
    if len(body) > LONGEST:
        raise ParseError(f"an XML document of {len(body)} octets is too long")
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.started
    parser.EndElementHandler = reader.ended
    parser.CharacterDataHandler = reader.said
    parser.StartDoctypeDeclHandler = reader.declared
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # LookupError: an encoding that is unknown
        if isinstance(error, ParseError):
            raise
        raise ParseError(f"the XML document cannot be read: {error}") from None
    if reader.root is None or reader.root.name != root:
        raise ParseError(f"the XML document is no <{root}>")
    return reader.root


def whole_number(text: str, what: str) -> int:
    """A number of up to nine digits. Raises ParseError."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ParseError(f"{text[:20]!r} is no {what}")
    return int(text)


def number_or_none(text: str) -> int | None:
    """The same for what can be done without."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


# -- writing -------------------------------------------------------------------------------------------------


def write_element(name: str, attributes: Mapping[str, object] | None = None, *content: str) -> str:
    """An element; ``content`` is written already (see ``write_text``). Attributes that are None or empty are
    left out.
    """
    given = (attributes or {}).items()
    told = "".join(f" {key}={quoteattr(_clean(value))}" for key, value in given if value not in (None, ""))
    inside = "".join(content)
    return f"<{name}{told}>{inside}</{name}>" if inside else f"<{name}{told}/>"


def write_text(text: object) -> str:
    """Text between tags."""
    return escape(_clean(text))


def write_leaf(name: str, text: object) -> str:
    """An element with text; nothing where there is no text."""
    return write_element(name, None, write_text(text)) if text not in (None, "") else ""


def write_document(root: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}\n'.encode("utf-8", "replace")


def _clean(value: object) -> str:
    return str(value).translate(_NOT_IN_XML)
