"""DTLS-SRTP in session descriptions: who begins, and which certificates (RFC 5763, RFC 8122, RFC 8842)."""

from __future__ import annotations

import re
from enum import Enum

import attrs

from sipstack.errors import NegotiationError, ParseError
from sipstack.sdp.description import MediaDescription, SessionDescription
from sipstack.sdp.fields import Attribute
from sipstack.sdp.grammar import joined, shortened
from sipstack.sdp.section import readable

MAX_FINGERPRINTS = 16
"""Fingerprints of one description that are read."""

DIGEST_OCTETS = {
    "md2": 16,
    "md5": 16,
    "sha-1": 20,
    "sha-224": 28,
    "sha-256": 32,
    "sha-384": 48,
    "sha-512": 64,
}
"""The hash functions of RFC 8122 §5, and how much they give."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){0,127}")


class Setup(Enum):
    """a=setup (RFC 4145 §4): who opens the association. The active side is the client of DTLS."""

    ACTPASS = "actpass"
    ACTIVE = "active"
    PASSIVE = "passive"
    HOLDCONN = "holdconn"

    @classmethod
    def parse(cls, text: str) -> Setup:
        """Raises ParseError."""
        try:
            return cls(text.strip().lower())
        except ValueError:
            raise ParseError(f"no such role of setup: {shortened(text)}") from None


def answering_role(offered: Setup | None, current: Setup | None = None) -> Setup:
    """Our role in the answer to an offer; ``current`` is the one that we have in the association in force.

    An offer that leaves it open gets the role that we have, else active, as RFC 5763 §5 recommends: our first
    packet then opens a NAT, too. One without a=setup is active (RFC 4145 §4.1). Raises NegotiationError for
    an offer that wants no association.
    """
    match offered:
        case Setup.ACTPASS:
            return current or Setup.ACTIVE
        case Setup.PASSIVE:
            return Setup.ACTIVE
        case Setup.ACTIVE | None:
            return Setup.PASSIVE
    raise NegotiationError("the offer has a=setup:holdconn: it wants no DTLS association")


def answered_role(answered: Setup | None, current: Setup | None = None) -> Setup:
    """Our role when this is the peer's answer to an offer of ours that left it open.

    One that has not chosen, by repeating actpass or by saying nothing, keeps to ``current``; without that it
    is taken for one that waits, and we begin. Raises NegotiationError for an answer that wants no
    association.
    """
    match answered:
        case Setup.ACTIVE:
            return Setup.PASSIVE
        case Setup.PASSIVE:
            return Setup.ACTIVE
        case Setup.ACTPASS | None:
            return current or Setup.ACTIVE
    raise NegotiationError("the answer has a=setup:holdconn: it wants no DTLS association")


@attrs.frozen
class Fingerprint:
    """a=fingerprint: the hash of a certificate. ``algorithm`` is in lower case, ``value`` in upper case."""

    algorithm: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """Raises ParseError for what no certificate can have."""
        algorithm, _, value = text.strip().partition(" ")
        algorithm, value = algorithm.lower(), value.strip().upper()
        if not _TOKEN.fullmatch(algorithm) or not _HEXADECIMAL.fullmatch(value):
            raise ParseError(f"not a fingerprint: {shortened(text)}")
        octets = (len(value) + 1) // 3
        if octets != DIGEST_OCTETS.get(algorithm, octets):
            raise ParseError(f"a fingerprint by {algorithm} of {octets} octets")
        return cls(algorithm, value)

    def __str__(self) -> str:
        return joined(self.algorithm, self.value)


@attrs.frozen
class DtlsDescription:
    """What one side says of DTLS for one m-line. Another fingerprint means another association.

    ``setup`` is None where nothing is said.
    """

    setup: Setup | None
    fingerprints: tuple[Fingerprint, ...]

    @classmethod
    def of(cls, description: SessionDescription, medium: MediaDescription) -> DtlsDescription | None:
        """DTLS as ``description`` has it for its m-line ``medium``; None where there is no fingerprint.

        Raises ParseError when no fingerprint, or the role, cannot be read.
        """
        values = medium.attribute_values("fingerprint") or description.attribute_values("fingerprint")
        if not values:
            return None
        fingerprints = tuple(readable(Fingerprint.parse, values[:MAX_FINGERPRINTS]))
        if not fingerprints:
            raise ParseError(f"no a=fingerprint that can be read: {shortened(values[0])}")
        text = medium.attribute("setup")
        if text is None:
            text = description.attribute("setup")
        return cls(None if text is None else Setup.parse(text), fingerprints)

    def attributes(self) -> tuple[Attribute, ...]:
        """The lines of the m-line."""
        lines = [Attribute("fingerprint", str(fingerprint)) for fingerprint in self.fingerprints]
        return (*lines, Attribute("setup", self.setup.value)) if self.setup else tuple(lines)
