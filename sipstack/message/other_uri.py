"""Telephone URIs (RFC 3966), URIs of any other scheme, and ``parse_uri`` for all of them."""

from __future__ import annotations

import re
from functools import lru_cache

import attrs

from sipstack.errors import ParseError
from sipstack.message.grammar import lower
from sipstack.message.params import NO_PARAMETERS, SIMPLE, Parameters
from sipstack.message.uri import SipUri

_tel = re.compile(rf"[tT][eE][lL]:(\+?[0-9A-Fa-f*#().\-]++)({SIMPLE})").fullmatch
_absolute = re.compile(r'([A-Za-z][A-Za-z0-9+.\-]*+):([^\x00-\x20\x7f"<>]++)').fullmatch
_separators = str.maketrans("", "", "-.()")


@attrs.frozen(eq=False)
class TelUri:
    """``tel:+1-201-555-0123;phone-context=…``. Visual separators do not count when comparing (§5)."""

    number: str
    parameters: Parameters = NO_PARAMETERS

    @classmethod
    def parse(cls, text: str) -> TelUri:
        """Raises ParseError unless ``text`` is a tel URI."""
        match = _tel(text)
        if match is None or not match[1].translate(_separators):
            raise ParseError(f"not a tel URI: {text[:80]!r}")
        return cls(match[1], Parameters.of_simple(match[2]))

    @property
    def scheme(self) -> str:
        """Always "tel"."""
        return "tel"

    @property
    def digits(self) -> str:
        """The number without visual separators."""
        return self.number.translate(_separators).lower()

    def _key(self) -> tuple[str, frozenset[tuple[str, str | None]]]:
        return self.digits, frozenset((name, value and value.lower()) for name, value in self.parameters)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, TelUri) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        return f"tel:{self.number}{self.parameters}"


@attrs.frozen
class OtherUri:
    """A URI of a scheme that is opaque to SIP: ``urn:service:sos``, ``http://…``, ``mailto:…``."""

    scheme: str = attrs.field(converter=lower)
    rest: str

    @classmethod
    def parse(cls, text: str) -> OtherUri:
        """Raises ParseError unless ``text`` is an absolute URI (RFC 3986 §3)."""
        match = _absolute(text)
        if match is None:
            raise ParseError(f"not a URI: {text[:80]!r}")
        return cls(match[1], match[2])

    def __str__(self) -> str:
        return f"{self.scheme}:{self.rest}"


Uri = SipUri | TelUri | OtherUri


def parse_uri(text: str) -> Uri:
    """The URI in ``text``, which holds nothing else. Raises ParseError."""
    # Our own URI and the Contacts of frequent peers come again and again
    return _parse_cached(text) if len(text) < 100 else _parse_uri(text)


def _parse_uri(text: str) -> Uri:
    if text[:4] == "sip:":
        return SipUri.parse(text)
    scheme = text.partition(":")[0].lower()
    if scheme in ("sip", "sips"):
        return SipUri.parse(text)
    return TelUri.parse(text) if scheme == "tel" else OtherUri.parse(text)


_parse_cached = lru_cache(maxsize=1024)(_parse_uri)
