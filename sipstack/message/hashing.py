"""The calculation of digest authentication (RFC 7616 §3.4), which client and server share.

Algorithms: SHA-512-256, SHA-256, MD5 and their ``-sess`` variants, as far as this Python's hashlib has them.
Text is hashed as UTF-8 octets; octets that are no UTF-8 come through as they came in.
"""

from __future__ import annotations

import hashlib
import re

import attrs

from sipstack.errors import LocalProtocolError
from sipstack.message.secret import Secret


def _available(name: str) -> bool:
    try:
        hashlib.new(name, usedforsecurity=False)
    except ValueError:
        return False
    return True


# Weakest first. SHA-512-256 comes from OpenSSL, not from Python itself.
_REGISTERED = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_HASHES = {token: name for token, name in _REGISTERED.items() if _available(name)}
_STRENGTHS = {token: strength for strength, token in enumerate(_HASHES)}


@attrs.frozen
class Algorithm:
    """One that we know. ``family`` is the token without ``-sess``, in the RFC's spelling."""

    family: str
    session: bool = False

    @classmethod
    def find(cls, token: str | None) -> Algorithm | None:
        """By its token, in any case; a missing one means MD5 (RFC 7616 §3.3). None when it is unknown."""
        name = (token or "MD5").upper()
        family = name.removesuffix("-SESS")
        return cls(family, session=family != name) if family in _HASHES else None

    @property
    def strength(self) -> int:
        """Orders the algorithms; a session variant is as strong as its family."""
        return _STRENGTHS[self.family]

    def hash(self, data: str | bytes) -> str:
        """H(data) in lower case hexadecimal."""
        octets = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        return hashlib.new(_HASHES[self.family], octets, usedforsecurity=False).hexdigest()


def ha1(username: str, realm: str, password: str, algorithm: str = "MD5") -> str:
    """H(username:realm:password), what a server may store in place of the password. Raises ValueError."""
    known = Algorithm.find(algorithm)
    if known is None:
        raise ValueError(f"unknown digest algorithm {algorithm!r}")
    return known.hash(f"{username}:{realm}:{password}")


@attrs.frozen
class DigestInput:
    """The values that both sides hash. With an empty ``qop`` (RFC 2069) nc and cnonce do not count. The
    server's own digest, ``rspauth``, has no method (RFC 7616 §3.5).
    """

    nonce: str
    method: str
    uri: str
    body: bytes = b""
    qop: str = ""
    nc: str = ""
    cnonce: str = ""

    def response(self, algorithm: Algorithm, ha1: str) -> str:
        """The ``response`` parameter, from H(username:realm:password)."""
        if algorithm.session:
            ha1 = algorithm.hash(f"{ha1}:{self.nonce}:{self.cnonce}")
        a2 = f"{self.method}:{self.uri}"
        if self.qop == "auth-int":
            a2 += f":{algorithm.hash(self.body)}"
        middle = f"{self.nonce}:{self.nc}:{self.cnonce}:{self.qop}" if self.qop else self.nonce
        return algorithm.hash(f"{ha1}:{middle}:{algorithm.hash(a2)}")


@attrs.frozen(init=False)
class Ha1:
    """H(username:realm:password) in hexadecimal, in place of a password: who reads it can answer one realm
    with one algorithm, and no more. ``sipstack.message.digest.ha1`` makes one. Raises LocalProtocolError.
    """

    secret: Secret = attrs.field(repr=False)
    algorithm: str

    def __init__(self, digest: str | Secret, algorithm: str = "MD5") -> None:
        known = Algorithm.find(algorithm)
        if known is None:
            raise LocalProtocolError(f"unknown digest algorithm {algorithm!r}")
        secret = Secret(digest)
        length = len(known.hash(b""))
        if not re.fullmatch(f"[0-9A-Fa-f]{{{length}}}", secret.reveal()):
            raise LocalProtocolError(f"an Ha1 of {algorithm} has {length} hexadecimal digits")
        self.__attrs_init__(Secret(secret.reveal().lower()), algorithm)

    @property
    def family(self) -> str:
        """The algorithm without ``-sess``."""
        return self.algorithm.upper().removesuffix("-SESS")


def as_password(given: str | Secret | Ha1) -> Secret | Ha1:
    """What an account is given to prove itself with, concealed: the attrs converter of a password."""
    return given if isinstance(given, Ha1) else Secret(given)
