"""Challenges and credentials (RFC 3261 §20.7, §20.27, §20.28, §20.44, RFC 7616). No cryptography here."""

from __future__ import annotations

import re
from typing import Self

import attrs

from sipstack.errors import ParseError
from sipstack.message.grammar import QUOTED, TOKEN, quote
from sipstack.message.params import NO_PARAMETERS, Parameters

_parameter = re.compile(
    rf'[ \t,]*+({TOKEN})[ \t]*+=[ \t]*+({QUOTED}|[^\x00-\x20\x7f,"]*+)[ \t]*+(?:,[ \t,]*+|$)'
).match
_scheme = re.compile(rf"({TOKEN})(?:[ \t]++(.*+))?", re.DOTALL).fullmatch
_token68 = re.compile(r"[A-Za-z0-9\-._~+/]++=*+").fullmatch
# RFC 7616 §3.3 and §3.4 say which values stand in quotes.
_BARE = frozenset(("algorithm", "stale", "nc"))


def _parse_parameters(text: str) -> Parameters:
    items: dict[str, str | None] = {}
    position = 0
    while position < len(text):
        match = _parameter(text, position)
        if match is None or match[1].lower() in items:
            raise ParseError(f"bad authentication parameters: {text[:80]!r}")
        items[match[1].lower()] = match[2]
        position = match.end()
    return Parameters(items)


def _write_parameters(parameters: Parameters) -> str:
    return ", ".join(f"{name}={value}" for name, value in parameters)


def _digest_parameters(bare: frozenset[str], values: dict[str, str | None]) -> Parameters:
    return Parameters(
        (name, value if name in bare else quote(value)) for name, value in values.items() if value is not None
    )


@attrs.frozen
class _Authentication:
    """A scheme with comma separated parameters, or with one opaque token (``token68``)."""

    scheme: str
    parameters: Parameters = NO_PARAMETERS
    token68: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ParseError."""
        match = _scheme(text)
        if match is None:
            raise ParseError(f"no authentication scheme: {text[:80]!r}")
        rest = match[2] or ""
        if _token68(rest):
            return cls(match[1], token68=rest)
        return cls(match[1], _parse_parameters(rest))

    @property
    def is_digest(self) -> bool:
        """Whether the scheme is Digest, the one that SIP uses."""
        return self.scheme.lower() == "digest"

    def text(self, name: str) -> str | None:
        """The value of a parameter, without quotes."""
        return self.parameters.text(name)

    @property
    def realm(self) -> str:
        """The protection domain; empty when absent."""
        return self.text("realm") or ""

    @property
    def nonce(self) -> str:
        """The server's nonce; empty when absent."""
        return self.text("nonce") or ""

    @property
    def opaque(self) -> str | None:
        """To be returned unchanged."""
        return self.text("opaque")

    @property
    def algorithm(self) -> str:
        """As written; MD5 when absent (RFC 7616 §3.3)."""
        return self.text("algorithm") or "MD5"

    def __str__(self) -> str:
        rest = self.token68 or _write_parameters(self.parameters)
        return f"{self.scheme} {rest}" if rest else self.scheme


@attrs.frozen
class Challenge(_Authentication):
    """WWW-Authenticate and Proxy-Authenticate."""

    @classmethod
    def digest(
        cls,
        *,
        realm: str,
        nonce: str,
        algorithm: str | None = None,
        qop: tuple[str, ...] = (),
        opaque: str | None = None,
        stale: bool = False,
        domain: str | None = None,
    ) -> Challenge:
        """A Digest challenge, quoted as RFC 7616 §3.3 wants it."""
        values = {
            "realm": realm,
            "domain": domain,
            "nonce": nonce,
            "opaque": opaque,
            "stale": "true" if stale else None,
            "algorithm": algorithm,
            "qop": ",".join(qop) or None,
        }
        return cls("Digest", _digest_parameters(_BARE, values))

    @property
    def qop(self) -> tuple[str, ...]:
        """The qualities of protection on offer, in lower case."""
        options = (self.text("qop") or "").lower().split(",")
        return tuple(option.strip() for option in options if option.strip())

    @property
    def stale(self) -> bool:
        """Whether only the nonce was refused."""
        return (self.text("stale") or "").lower() == "true"


@attrs.frozen
class Credentials(_Authentication):
    """Authorization and Proxy-Authorization."""

    @classmethod
    def digest(
        cls,
        *,
        username: str,
        realm: str,
        nonce: str,
        uri: str,
        response: str,
        algorithm: str | None = None,
        cnonce: str | None = None,
        opaque: str | None = None,
        qop: str | None = None,
        nc: int | None = None,
    ) -> Credentials:
        """Digest credentials, quoted as RFC 7616 §3.4 wants it."""
        values = {
            "username": username,
            "realm": realm,
            "nonce": nonce,
            "uri": uri,
            "response": response,
            "algorithm": algorithm,
            "cnonce": cnonce,
            "opaque": opaque,
            "qop": qop,
            "nc": None if nc is None else f"{nc:08x}",
        }
        return cls("Digest", _digest_parameters(_BARE | {"qop"}, values))

    @property
    def username(self) -> str:
        """The account; empty when absent."""
        return self.text("username") or ""

    @property
    def uri(self) -> str:
        """The Request-URI as the client wrote it; empty when absent."""
        return self.text("uri") or ""

    @property
    def response(self) -> str:
        """The digest, in lower case; empty when absent."""
        return (self.text("response") or "").lower()

    @property
    def cnonce(self) -> str | None:
        """The client's nonce."""
        return self.text("cnonce")

    @property
    def qop(self) -> str | None:
        """The quality of protection that was chosen, in lower case."""
        text = self.text("qop")
        return text and text.lower()

    @property
    def nc(self) -> int | None:
        """The count of uses of the nonce, this time included. Raises ParseError."""
        text = self.text("nc")
        if text is None:
            return None
        if not re.fullmatch("[0-9A-Fa-f]{8}", text):
            raise ParseError(f"not a nonce count: {text[:20]!r}")
        return int(text, 16)


@attrs.frozen
class AuthenticationInfo:
    """Authentication-Info of a response after success (RFC 7616 §3.5)."""

    parameters: Parameters

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ParseError."""
        return cls(_parse_parameters(text))

    @property
    def nextnonce(self) -> str | None:
        """The nonce that the client should use from now on."""
        return self.parameters.text("nextnonce")

    @property
    def rspauth(self) -> str | None:
        """The server's own digest, which proves that it knows the secret."""
        return self.parameters.text("rspauth")

    def __str__(self) -> str:
        return _write_parameters(self.parameters)
