"""The Identity header field: a signed token, and where the certificate of its signer is (RFC 8224 §4)."""

from __future__ import annotations

import re
from typing import Self

import attrs

from sipstack.errors import ParseError
from sipstack.message.params import NO_PARAMETERS, Parameters

_identity = re.compile(
    r"([A-Za-z0-9_.\-]++)[ \t]*+;[ \t]*+info[ \t]*+=[ \t]*+<([^\x00-\x20\x7f<>]++)>[ \t]*+(.*+)",
    re.DOTALL | re.IGNORECASE,
).fullmatch
_signature = re.compile(r'"?[A-Za-z0-9+/]{32,1024}={0,2}"?').fullmatch


@attrs.frozen
class Identity:
    """``token;info=<https://…>;alg=ES256;ppt=shaken``."""

    token: str = attrs.field(repr=False)
    """A PASSporT, or, in the compact form, two dots and its signature."""
    info: str
    """The URI of the certificate; empty with a bare signature, as RFC 4474 had it."""
    parameters: Parameters = NO_PARAMETERS

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ParseError."""
        match = _identity(text)
        if match is None and _signature(text):
            return cls(text, "")
        if match is None:
            raise ParseError(f"not an Identity: {text[:80]!r}")
        return cls(match[1], match[2], Parameters.read(match[3]))

    @classmethod
    def of(cls, token: str, info: str, extension: str | None) -> Self:
        """An Identity of ours, signed with ES256."""
        parameters = Parameters({"alg": "ES256"})
        return cls(token, info, parameters.with_("ppt", extension) if extension else parameters)

    @property
    def is_compact(self) -> bool:
        """Whether header and payload of the token are left out."""
        return self.token.startswith("..")

    @property
    def algorithm(self) -> str | None:
        """``alg``: how it is signed, which the token says too."""
        return self.parameters.text("alg")

    @property
    def extension(self) -> str | None:
        """``ppt``: which kind of PASSporT it is; None for the plain one."""
        return self.parameters.text("ppt")

    def __str__(self) -> str:
        if not self.info:
            return self.token
        return f"{self.token};info=<{self.info}>{self.parameters}"
