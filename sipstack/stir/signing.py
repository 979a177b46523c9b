"""Signing who calls (RFC 8224 §6.1, RFC 8588)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from sipstack.errors import LocalProtocolError
from sipstack.message import Date, Identity, Passport, Uri
from sipstack.message.headers import HeaderFields, header_value
from sipstack.message.passport import Party
from sipstack.stir.fingerprints import fingerprints


class Signer:
    """Signs our calls: ``ua.call(target, signer=signer)``. Raises LocalProtocolError for what it cannot use.

    ``key``: a private key on P-256, PEM without a password.
    ``certificate_url``: where others find the certificate of the key: an https: URL.
    ``attestation``: A: we know the caller, and that the number is his; B: we know the caller; C: the call
    came to us from elsewhere. None signs without SHAKEN, which is for the providers of numbers.
    ``origin``: whom the call comes from, as the signer tells customers apart: a UUID, by default one for each
    Signer.
    ``compact``: send the signature alone (RFC 8225 §7); not with an attestation.
    ``clock``: seconds since 1970.
    """

    def __init__(
        self,
        key: bytes,
        certificate_url: str,
        attestation: str | None = "A",
        *,
        origin: str | None = None,
        compact: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        from sipstack.stir.es256 import SigningKey

        self._key = SigningKey(key)
        if attestation not in ("A", "B", "C", None):
            raise LocalProtocolError(f"attestation is A, B, C or None, not {attestation!r}")
        if compact and attestation is not None:
            raise LocalProtocolError("an attestation is sent in full: leave out compact=, or give None")
        if (
            not certificate_url.startswith("https://")
            or not certificate_url.isascii()
            or (set(certificate_url) & set('<>" '))
        ):
            raise LocalProtocolError(f"certificate_url is an https: URL, not {certificate_url!r}")
        self._certificate_url = header_value(certificate_url)
        self._attestation = attestation
        self._origin = None if attestation is None else origin or str(uuid.uuid4())
        self._compact = compact
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Signer {self._certificate_url} attestation={self._attestation}>"

    def headers(self, caller: Uri, called: Uri, description: bytes = b"") -> HeaderFields:
        """Date and Identity of a request from ``caller`` to ``called``, which are in its From and To; with
        the fingerprints of its session ``description``. They are good for a minute.
        """
        issued = int(self._clock())
        numbers = self._attestation is not None
        keys = () if self._attestation else fingerprints(description)
        passport = Passport(
            Party.of(caller, all_digits=numbers),
            (Party.of(called, all_digits=numbers),),
            issued,
            self._certificate_url,
            None if self._attestation is None else "shaken",
            self._attestation,
            self._origin,
            keys or None,
        )
        signature = self._key.sign(passport.to_sign())
        token = passport.compact(signature) if self._compact else passport.token(signature)
        identity = Identity.of(token, self._certificate_url, passport.extension)
        return ("Date", Date(datetime.fromtimestamp(issued, UTC))), ("Identity", identity)
