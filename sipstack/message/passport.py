"""PASSporT: a signed statement of who calls whom (RFC 8225, RFC 8588). No cryptography here."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from sipstack.errors import ParseError
from sipstack.message.other_uri import TelUri, Uri, parse_uri
from sipstack.message.uri import SipUri, escape_user

MAXIMUM_LENGTH = 8192
"""Characters of one token: beyond that none is read."""

MAXIMUM_BRACKETS = 32
"""Objects and lists in one part of a token, nested or not: readers of JSON recurse."""

MAXIMUM_CALLED = 16
"""Numbers and URIs to which one call may be addressed."""

_encoded = re.compile(r"[A-Za-z0-9_-]++").fullmatch
_number = re.compile(r"\+?[0-9*#().\-]++").fullmatch
_separators = str.maketrans("", "", "-.()+")


@attrs.frozen
class Party:
    """A caller or a callee as it is signed: a telephone number, or else a URI (RFC 8225 §5.2.1)."""

    kind: str
    """``tn`` or ``uri``."""
    value: str
    """Digits without ``+`` and separators; or a URI without port and parameters."""

    @classmethod
    def of(cls, uri: Uri, *, all_digits: bool = False) -> Party:
        """A tel URI is a number, and so is a SIP URI that says so: with ``user=phone``, or ``+`` in front
        (RFC 8224 §8.1, §8.3). ``all_digits``: digits alone are one too, as among the providers of numbers.
        """
        number = number_of(uri)
        if number and (all_digits or isinstance(uri, TelUri) or _says_phone(uri)):
            return cls("tn", number)
        return cls("uri", normal(uri))

    def is_at(self, uri: Uri) -> bool:
        """Whether ``uri`` stands for this party. The domain of a number tells nothing, that of a URI does."""
        return bool(self.value) and self.value == (number_of(uri) if self.kind == "tn" else normal(uri))

    def __str__(self) -> str:
        return self.value


def _says_phone(uri: Uri) -> bool:
    if not isinstance(uri, SipUri):
        return False
    return (uri.user or "")[:1] == "+" or (uri.parameters.get("user") or "").lower() == "phone"


def number_of(uri: Uri) -> str:
    """The telephone number in ``uri``, digits alone (RFC 8224 §8.3); empty when there is none."""
    if isinstance(uri, TelUri):
        text = uri.number
    else:
        text = (uri.user or "").partition(";")[0] if isinstance(uri, SipUri) else ""
    return text.translate(_separators) if _number(text) else ""


def normal(uri: Uri) -> str:
    """``uri`` as it is signed: no port, parameters or header components, the host in lower case (RFC 8224
    §8.5).
    """
    if not isinstance(uri, SipUri):
        return str(uri)
    user = "" if uri.user is None else f"{escape_user(uri.user)}@"
    return f"{uri.scheme}:{user}{uri.host.lower()}"


@attrs.frozen
class Passport:
    """The claims of one token, with what was signed and the signature: not verified yet."""

    caller: Party
    called: tuple[Party, ...]
    issued: int
    """``iat``: seconds since 1970."""
    certificate_url: str
    """``x5u``."""
    extension: str | None = None
    """``ppt``, such as ``shaken``."""
    attestation: str | None = None
    """``attest`` of SHAKEN: A, B or C (RFC 8588 §4)."""
    origin: str | None = None
    """``origid`` of SHAKEN: whom the signer knows it came from (RFC 8588 §5)."""
    keys: tuple[tuple[str, str], ...] | None = None
    """``mky``: the fingerprints in the caller's description, as (algorithm, hexadecimal)."""
    signed: bytes = attrs.field(default=b"", repr=False)
    signature: bytes = attrs.field(default=b"", repr=False)

    @classmethod
    def parse(cls, text: str) -> Passport:
        """From the full form, three parts with dots between them. Raises ParseError."""
        parts = text.split(".") if len(text) <= MAXIMUM_LENGTH else []
        if len(parts) != 3:
            raise ParseError("not a PASSporT of three parts")
        header, claims = _object(parts[0]), _object(parts[1])
        passport = _read(header, claims)
        return attrs.evolve(
            passport, signed=f"{parts[0]}.{parts[1]}".encode(), signature=decode(parts[2], "the signature")
        )

    @property
    def header(self) -> dict[str, object]:
        """The JOSE header (RFC 8225 §4)."""
        header: dict[str, object] = {"alg": "ES256", "typ": "passport", "x5u": self.certificate_url}
        return header if self.extension is None else header | {"ppt": self.extension}

    @property
    def claims(self) -> dict[str, object]:
        """The payload (RFC 8225 §5)."""
        called: dict[str, list[str]] = {}
        for party in self.called:
            called.setdefault(party.kind, []).append(party.value)
        claims: dict[str, object] = {
            "dest": called,
            "iat": self.issued,
            "orig": {self.caller.kind: self.caller.value},
        }
        if self.attestation is not None:
            claims |= {"attest": self.attestation, "origid": self.origin or ""}
        if self.keys:
            claims["mky"] = [{"alg": algorithm, "dig": digest} for algorithm, digest in self.keys]
        return claims

    def to_sign(self) -> bytes:
        """The octets that a signer of these claims signs: header and payload (RFC 8225 §6, §9)."""
        return b".".join([_encode(_dump(self.header)), _encode(_dump(self.claims))])

    def token(self, signature: bytes) -> str:
        """The full form."""
        return b".".join([self.to_sign(), _encode(signature)]).decode()

    def compact(self, signature: bytes) -> str:
        """The compact form: the signature alone; the verifier makes the rest up out of the request (§7)."""
        return f"..{_encode(signature).decode()}"


def decode(text: str, what: str = "a part") -> bytes:
    """base64url without padding (RFC 7515 §2). Raises ParseError."""
    if not _encoded(text) or len(text) % 4 == 1 or len(text) > MAXIMUM_LENGTH:
        raise ParseError(f"{what} of a PASSporT is not base64url")
    octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _encode(octets).decode() != text:  # one text for each value, so that none passes for another
        raise ParseError(f"{what} of a PASSporT is not base64url")
    return octets


def _encode(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


def _dump(value: Mapping[str, object]) -> bytes:
    """Names in order and no white space (RFC 8225 §9)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode("utf-8", "surrogateescape")


# -- reading -----------------------------------------------------------------------------------------------


def _object(text: str) -> dict[str, Any]:
    try:
        plain = decode(text).decode()
        if plain.count("{") + plain.count("[") > MAXIMUM_BRACKETS:
            raise ParseError("a PASSporT is nested too deep")
        if "\\ud" in plain.lower():  # half a character, which no octets stand for
            raise ParseError("a PASSporT has a surrogate in it")
        value = json.loads(plain, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        if isinstance(error, ParseError):
            raise
        raise ParseError("a part of a PASSporT is not JSON") from None
    if not isinstance(value, dict):
        raise ParseError("a part of a PASSporT is no JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two equal names one reader takes the first and the next one the last."""
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ParseError("a name comes twice in a PASSporT")
    return values


def _refuse_constant(name: str) -> None:
    raise ParseError(f"{name} is not JSON")


def _read(header: dict[str, Any], claims: dict[str, Any]) -> Passport:
    if header.get("typ") != "passport":
        raise ParseError("the token is no PASSporT")
    if header.get("alg") != "ES256":  # least of all "none" (RFC 8225 §8)
        raise ParseError("the algorithm of a PASSporT is ES256")
    if "crit" in header:
        raise ParseError("the PASSporT demands an extension that we do not know")
    extension = None if "ppt" not in header else _text(header, "ppt")
    shaken = extension == "shaken"
    return Passport(
        _caller(claims),
        _called(claims),
        _issued(claims),
        _text(header, "x5u"),
        extension,
        _attestation(claims) if shaken else None,
        _text(claims, "origid") if shaken else None,
        _keys(claims["mky"]) if "mky" in claims else None,
    )


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise ParseError(f"a PASSporT needs {name!r}")
    return value


def _party(kind: str, value: object) -> Party:
    if not isinstance(value, str) or not value:
        raise ParseError(f"{kind!r} in a PASSporT is a text")
    if kind == "uri":
        return Party(kind, normal(parse_uri(value)))
    number = value.translate(_separators) if _number(value) else ""
    if not number:
        raise ParseError("not a telephone number in a PASSporT")
    return Party(kind, number)


def _caller(claims: Mapping[str, Any]) -> Party:
    orig = claims.get("orig")
    if not isinstance(orig, dict) or len(orig) != 1 or not orig.keys() <= {"tn", "uri"}:
        raise ParseError("'orig' in a PASSporT names one caller")
    [(kind, value)] = orig.items()
    return _party(kind, value)


def _called(claims: Mapping[str, Any]) -> tuple[Party, ...]:
    dest = claims.get("dest")
    if not isinstance(dest, dict) or not dest or not dest.keys() <= {"tn", "uri"}:
        raise ParseError("'dest' in a PASSporT names who is called")
    parties = []
    for kind, values in dest.items():
        if not isinstance(values, list) or not values or len(values) > MAXIMUM_CALLED:
            raise ParseError("'dest' in a PASSporT is a list of a few")
        parties += [_party(kind, value) for value in values]
    return tuple(parties)


def _issued(claims: Mapping[str, Any]) -> int:
    issued = claims.get("iat")
    if type(issued) is not int or not 0 <= issued < 2**40:
        raise ParseError("'iat' in a PASSporT is a time in whole seconds")
    return issued


def _attestation(claims: Mapping[str, Any]) -> str:
    attestation = _text(claims, "attest")
    if attestation not in ("A", "B", "C"):
        raise ParseError("'attest' in a PASSporT is A, B or C")
    return attestation


def _keys(value: object) -> tuple[tuple[str, str], ...]:
    entries: Sequence[Any] = value if isinstance(value, list) else ()
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        raise ParseError("'mky' in a PASSporT is a list of fingerprints")
    return in_order([(_text(entry, "alg"), _text(entry, "dig")) for entry in entries])


def in_order(fingerprints: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Fingerprints as ``mky`` has them: without colons, and ordered (RFC 8225 §5.2.2)."""
    plain = [(algorithm.lower(), digest.replace(":", "").upper()) for algorithm, digest in fingerprints]
    return tuple(sorted(set(plain)))
