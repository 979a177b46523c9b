"""a=crypto: the keys of SRTP in a session description (RFC 4568, RFC 7714 §14.2).

A key is that of the packets that its own side sends. What shows an object of this module shows no key.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType

import attrs

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.sdp.fields import Attribute
from sipstack.sdp.grammar import decimal

SUITES: Mapping[str, int] = MappingProxyType(
    {
        "AES_CM_128_HMAC_SHA1_80": 16 + 14,
        "AEAD_AES_256_GCM": 32 + 12,
        "AEAD_AES_128_GCM": 16 + 12,
        "AES_CM_128_HMAC_SHA1_32": 16 + 14,
    }
)
"""The suites that we have, in the order in which we offer them: first the one that everybody has, last the
one whose tags are short. The octets are those of the master key and the salt behind it."""

MAX_TAG = 999_999_999
LONGEST_LIFETIME = 2**48
"""Packets that one key may protect (RFC 3711 §9.2)."""
LONGEST_LINE = 1024
"""Characters of a line that are read: the longest that we can use has 150."""

_TAG = re.compile(r"[0-9]{1,9}\Z")
_SUITE = re.compile(r"[A-Za-z0-9_]+\Z")
_PARAMETER = re.compile(r"[\x21-\x7e]+\Z")


@attrs.frozen
class Crypto:
    """One a=crypto line. ``key`` is the master key with the salt behind it, hidden from ``repr``.

    ``lifetime`` is the number of packets that may be sent with it, None when nothing is said. ``mki`` is
    what marks packets with this key (``value:length``), None where none does. ``parameters`` are the session
    parameters as written.
    """

    tag: int
    suite: str
    key: bytes = attrs.field(repr=False)
    lifetime: int | None = None
    mki: str | None = None
    parameters: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Crypto:
        """The value of one attribute. Raises ParseError, which does not show it."""
        fields = text.split() if len(text) <= LONGEST_LINE else []
        if len(fields) < 3:
            raise ParseError("a=crypto needs a tag, a suite and a key")
        tag, suite, keys, *parameters = fields
        if not _TAG.match(tag) or not _SUITE.match(suite) or not all(map(_PARAMETER.match, parameters)):
            raise ParseError("a=crypto has a bad tag, suite or parameter")
        return cls(int(tag), suite, *_read_key(keys), tuple(parameters))

    @property
    def is_ours(self) -> bool:
        """Whether we can do all that the line asks for."""
        return (
            SUITES.get(self.suite) == len(self.key)
            and self.mki is None
            and all(map(_can_be_ignored, self.parameters))
        )

    def attribute(self) -> Attribute:
        """The line to send, for one of our suites. Raises LocalProtocolError for a key of another length."""
        if SUITES.get(self.suite) != len(self.key):
            raise LocalProtocolError(f"no key for {self.suite}")
        return Attribute("crypto", f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}")


def usable(values: Iterable[str]) -> Iterator[Crypto]:
    """Those of a peer's lines that we can do, in its order of preference; others are passed over (§7.1.2)."""
    for value in values:
        with suppress(ParseError):
            line = Crypto.parse(value)
            if line.is_ours:
                yield line


def _can_be_ignored(parameter: str) -> bool:
    """Whether a session parameter changes nothing for us (§6.3): a hint at the size of the window that finds
    repeated packets, where ours has 128; or one that says so itself by a "-" before its name (§6.3.7)."""
    return parameter.startswith("-") or parameter.upper().startswith("WSH=")


def _read_key(text: str) -> tuple[bytes, int | None, str | None]:
    """Key, lifetime and MKI of ``inline:KEY|LIFETIME|MKI:LENGTH`` (§6.1)."""
    method, _, info = text.partition(":")
    if method.lower() != "inline":
        raise ParseError("a=crypto has a key method other than inline")
    if ";" in info:
        raise ParseError("a=crypto has several keys in one line")
    encoded, *rest = info.split("|")
    lifetime: int | None = None
    if rest and ":" not in rest[0]:
        lifetime = _read_lifetime(rest.pop(0))
    mki = rest.pop(0) if rest else None
    if rest or mki == "":
        raise ParseError("a=crypto has a bad lifetime or MKI")
    try:  # some leave out the padding
        key = base64.b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4), validate=True)
    except ValueError:
        raise ParseError("a=crypto has a key that is not Base64") from None
    return key, lifetime, mki


def _read_lifetime(text: str) -> int:
    power = text.startswith("2^")
    number = decimal(text[2:] if power else text, 48 if power else LONGEST_LIFETIME)
    if number is None or (number == 0 and not power):
        raise ParseError("a=crypto has a bad lifetime")
    return 2**number if power else number
