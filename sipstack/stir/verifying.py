"""Verifying who calls (RFC 8224 §6.2)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from sipstack.errors import ParseError, printable
from sipstack.message import Identity, NameAddr, Passport, Request, SipUri, parse_uri
from sipstack.message.passport import Party, decode
from sipstack.stir.fingerprints import fingerprints
from sipstack.stir.replays import Replays
from sipstack.stir.verdict import Verdict

if TYPE_CHECKING:
    from sipstack.stir.es256 import SignerCertificate

Fetch = Callable[[str], Awaitable[bytes]]
"""Gives the certificate at an https: URL: PEM, those of its authorities behind it. The URL is a stranger's:
let nothing inside of your network be reached by it, bound time and length, and keep what you have got.
"""

FRESH = 60
"""Seconds (RFC 8224 §6.2, step 4)."""

MAXIMUM_IDENTITIES = 4
"""Identity fields of one request that are looked at."""

MAXIMUM_URL = 512

EXTENSIONS = (None, "shaken")
"""The kinds of PASSporT that we know."""


class _Refused(Exception):
    def __init__(self, status: int, explanation: str) -> None:
        self.status = status
        self.explanation = explanation


class Verifier:
    """Judges the Identity fields of requests: ``await invitation.verified(verifier)``. Make one and keep it:
    it remembers the signatures of the last minute. Raises LocalProtocolError for anchors that cannot be read.

    ``certificate`` fetches a certificate; see ``Fetch``. What it raises is a verdict of 436.
    ``anchors``: PEM of the authorities who may certify signers, such as those of the STI policy
    administrator.
    ``clock``: seconds since 1970.
    """

    def __init__(self, certificate: Fetch, anchors: bytes, *, clock: Callable[[], float] = time.time) -> None:
        from sipstack.stir.es256 import Authorities

        self._fetch = certificate
        self._authorities = Authorities(anchors)
        self._clock = clock
        self._replays = Replays()

    async def verify(
        self, request: Request, description: bytes = b"", *, asserted: Sequence[NameAddr] = ()
    ) -> Verdict:
        """The verdict on ``request``: the first valid signature counts, else the first that is not.

        ``description``: its session description. ``asserted``: addresses of P-Asserted-Identity by a trusted
        peer, who may be the caller in place of From.
        """
        found = request.headers.readable("Identity")
        known = [each for each in found if each.extension in EXTENSIONS][:MAXIMUM_IDENTITIES]
        refusals = []
        for identity in known:
            try:
                return await self._verify(identity, request, description, asserted)
            except _Refused as refused:
                refusals.append(refused)
        if not refusals:
            unreadable = "Identity" in request.headers and not found
            refusals = [
                _Refused(438, "the Identity cannot be read") if unreadable else _Refused(428, "not signed")
            ]
        url = known[0].info if known else ""
        return Verdict(refusals[0].status, printable(refusals[0].explanation), certificate_url=url)

    async def _verify(
        self, identity: Identity, request: Request, description: bytes, asserted: Sequence[NameAddr]
    ) -> Verdict:
        """What costs nothing is looked at first: a stranger decides what we fetch and calculate."""
        try:
            signed_keys = fingerprints(description)
            passport = self._passport(identity, request, signed_keys)
            self._check_time(passport, request)
            _check_parties(passport, request, asserted)
        except ParseError as error:
            raise _Refused(438, str(error)) from None
        if passport.keys is not None and passport.keys != signed_keys:
            raise _Refused(438, "the fingerprints of the session description are others than the signed ones")
        certificate = self._trusted(await self._certificate(identity.info), passport.caller)
        if not certificate.has_signed(passport.signed, passport.signature):
            raise _Refused(438, "the signature is not that of this certificate for this call")
        self._check_new(passport, request)
        return Verdict(
            200,
            "signed",
            str(passport.caller),
            tuple([str(each) for each in passport.called]),
            passport.attestation,
            passport.origin,
            identity.info,
        )

    # -- the token and the request -------------------------------------------------------------------------

    def _passport(self, identity: Identity, request: Request, keys: tuple[tuple[str, str], ...]) -> Passport:
        """What the Identity says, or, in the compact form, what it must have said. Raises ParseError."""
        if identity.algorithm not in ("ES256", None):
            raise ParseError("the algorithm is not ES256")
        passport = (
            _made_up(identity, request, keys) if identity.is_compact else Passport.parse(identity.token)
        )
        if passport.extension != identity.extension:
            raise ParseError("the Identity and its token name different extensions")
        if passport.certificate_url != identity.info:
            raise ParseError("the Identity and its token name different certificates")
        return passport

    def _check_time(self, passport: Passport, request: Request) -> None:
        """Both that was signed and that which is told: neither of the past nor of the future (step 4)."""
        now = self._clock()
        date = request.headers.typed("Date")
        told = passport.issued if date is None else date.moment.timestamp()
        if abs(now - passport.issued) > FRESH or abs(now - told) > FRESH:
            raise _Refused(403, f"signed at {passport.issued}, dated {told:.0f}, and now it is {now:.0f}")

    def _check_new(self, passport: Passport, request: Request) -> None:
        from sipstack.stir.es256 import canonical

        call = f"{request.call_id} {request.from_.tag}"
        signature = canonical(passport.signature)
        if not self._replays.is_new(signature, call, self._clock(), passport.issued + FRESH):
            raise _Refused(438, "the same signature came with another call")

    # -- the certificate -----------------------------------------------------------------------------------

    async def _certificate(self, url: str) -> bytes:
        plain = url.isascii() and len(url) <= MAXIMUM_URL and not set(url) & set("@?#")
        if url[:8].lower() != "https://" or not plain:  # ATIS-1000074 §5.3.1 wants it as plain as that
            raise _Refused(436, "the certificate is not at a plain https: URL")
        try:
            return await self._fetch(url)
        except Exception as error:
            raise _Refused(436, f"the certificate cannot be had: {type(error).__name__}: {error}") from error

    def _trusted(self, pem: bytes, caller: Party) -> SignerCertificate:
        try:
            certificate = self._authorities.signer(pem, datetime.fromtimestamp(self._clock(), UTC))
            if _speaks_for(certificate, caller):
                return certificate
        except ParseError as error:
            raise _Refused(437, str(error)) from None
        raise _Refused(437, f"the certificate is not for {caller}")


def _made_up(identity: Identity, request: Request, keys: tuple[tuple[str, str], ...]) -> Passport:
    """The claims that a signer of this request makes (RFC 8224 §4.1). Raises ParseError."""
    date = request.headers.typed("Date")
    if date is None:
        raise ParseError("the compact form needs a Date")
    if identity.extension is not None:
        raise ParseError(f"{identity.extension} is sent in the full form")
    caller, called = Party.of(request.from_.uri), Party.of(request.to.uri)
    passport = Passport(caller, (called,), int(date.moment.timestamp()), identity.info, keys=keys or None)
    signature = decode(identity.token[2:], "the signature")
    return attrs.evolve(passport, signed=passport.to_sign(), signature=signature)


def _check_parties(passport: Passport, request: Request, asserted: Sequence[NameAddr]) -> None:
    """Steps 2 and 5: the caller in From, or whom a trusted peer asserts; the callee in To."""
    if not any(passport.caller.is_at(each.uri) for each in (request.from_, *asserted)):
        raise ParseError("it was signed for another caller")
    if not any(each.is_at(request.to.uri) for each in passport.called):
        raise ParseError("it was signed for a call to somebody else")


def _speaks_for(certificate: SignerCertificate, caller: Party) -> bool:
    """RFC 8226 §9 for a number, RFC 8224 §7.2 for a URI. Raises ParseError."""
    if caller.kind == "tn":
        return certificate.speaks_for_number(caller.value)
    uri = parse_uri(caller.value)
    return isinstance(uri, SipUri) and certificate.speaks_for_domain(uri.host)
