"""name-addr, and addr-spec with header parameters: From, To, Contact, Route and their like (§20.10)."""

from __future__ import annotations

import re
from functools import lru_cache

from sipstack.errors import ParseError
from sipstack.message.frozen import copy_text, refuse, setter, unfrozen
from sipstack.message.grammar import QUOTED, VISIBLE, quote, unquote
from sipstack.message.other_uri import Uri, parse_uri
from sipstack.message.params import NO_PARAMETERS, Lazy, Parameters

_new = object.__new__

# A display name without quotes should be tokens; any character that cannot begin the URI is taken.
_NAME = r'[^\x00-\x08\x0a-\x1f\x7f",;:<>@\[\]\\?=]*+'
# Quotes, too: some phones put them into parameters of their own, which we only give back.
_URI = r"[A-Za-z][A-Za-z0-9+.\-]*+:[^\x00-\x20\x7f<>]++"
# The common form: at most a tag after the URI.
_common = re.compile(rf'(?:"([^"\\\r\n\x00]*+)" |({_NAME}))<({_URI})>(;tag=({VISIBLE}++))?').fullmatch
_name_addr = re.compile(rf"(?:({QUOTED})|({_NAME}))[ \t]*+<({_URI})>(.*+)", re.DOTALL).fullmatch
# Without <>, whatever follows the semicolon belongs to the header field; "," and "?" are forbidden (§20.10).
_addr_spec = re.compile(
    r'([A-Za-z][A-Za-z0-9+.\-]*+:[^\x00-\x20\x7f"<>;,?]++)[ \t]*+(;.*+)?', re.DOTALL
).fullmatch


class NameAddr(Lazy):
    """``"display name" <uri>;parameters``: a URI, a name for people, the parameters of the header field.

    A parsed one reads its URI on first use of ``uri``, which then may raise ParseError.
    """

    __slots__ = ("_uri", "display_name", "tag")
    __setattr__ = __delattr__ = refuse
    __reduce__ = copy_text

    _uri: Uri | str
    display_name: str
    tag: str | None
    """The tag parameter of From and To (§19.3)."""

    def __new__(cls, uri: Uri, display_name: str = "", parameters: Parameters = NO_PARAMETERS) -> NameAddr:
        return _of_parts(uri, display_name, parameters)

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """From a name-addr or an addr-spec, both with parameters. Raises ParseError."""
        match = _common(text)
        if match is None:
            return _read(text.strip(" \t"))
        address = _new(_Unfrozen)
        quoted, name, address._uri, parameters, address.tag = match.groups()
        address.display_name = quoted if name is None else name.strip(" \t")
        address._parameters = parameters or NO_PARAMETERS
        address.__class__ = cls
        return address

    @property
    def uri(self) -> Uri:
        """The address itself. Raises ParseError."""
        uri = self._uri
        if isinstance(uri, str):
            uri = parse_uri(uri)
            _set_uri(self, uri)
        return uri

    @property
    def uri_text(self) -> str:
        """The address as written, be it a URI or not."""
        return str(self._uri)

    def with_parameter(self, name: str, value: str | None = None) -> NameAddr:
        """A copy in which the header parameter ``name`` has this value."""
        return NameAddr(self.uri, self.display_name, self.parameters.with_(name, value))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NameAddr):
            return NotImplemented
        return (
            self.display_name == other.display_name
            and self.parameters == other.parameters
            and (self._uri == other._uri or self.uri == other.uri)
        )

    def __hash__(self) -> int:
        return hash((self.display_name, self.parameters, self.uri))

    def __str__(self) -> str:
        name = quote(self.display_name) + " " if self.display_name else ""
        return f"{name}<{self._uri}>{self._parameters}"

    def __repr__(self) -> str:
        return f"NameAddr.parse({str(self)!r})"


_Unfrozen = unfrozen(NameAddr)
_set_uri = setter(NameAddr, "_uri")


def _of_parts(uri: Uri | str, display_name: str, parameters: Parameters) -> NameAddr:
    address = _new(_Unfrozen)
    address._uri = uri
    address._parameters = parameters
    address.display_name = display_name
    address.tag = parameters.get("tag")
    address.__class__ = NameAddr
    return address


def _read(text: str) -> NameAddr:
    """From any text that the grammar allows."""
    if "<" in text and (match := _name_addr(text)) is not None:
        quoted, name, uri, parameters = match.groups()
        display_name = unquote(quoted) if quoted else name.strip(" \t")
    elif (match := _addr_spec(text)) is not None:
        uri, parameters = match.groups()
        display_name = ""
    else:
        raise ParseError(f"not an address: {text[:80]!r}")
    return _of_parts(uri, display_name, Parameters.read(parameters or ""))


def parse_name_addr(text: str) -> NameAddr:
    """``NameAddr.parse`` for the fields that all messages of a call repeat. Raises ParseError."""
    # Long texts are not kept: a hostile peer could fill megabytes of our memory with them
    return _parse_cached(text) if len(text) < 200 else NameAddr.parse(text)


_parse_cached = lru_cache(maxsize=1024)(NameAddr.parse)
