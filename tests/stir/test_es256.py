"""Certificates of strangers: whatever is in them, they are refused in one way."""

from __future__ import annotations

import base64
import random
import warnings
from datetime import UTC, datetime

import pytest
from cryptography import x509

from sipstack.errors import ParseError
from sipstack.stir.es256 import ORDER, Authorities, SignerCertificate, SigningKey, canonical
from tests.stir.carrier import NOW, Authority, new_key, numbers, one, pem_of, provider

AT = datetime.fromtimestamp(NOW, UTC)


def pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def test_a_certificate_with_any_octets_changed_is_refused_with_a_parse_error() -> None:
    """Its reader raises half a dozen kinds of exceptions, of which some derive from nothing but Exception."""
    authority = Authority()
    domains = [x509.DNSName("a.test"), x509.UniformResourceIdentifier("sip:a.test")]
    entries = [provider(), one("1"), numbers("100", 5)]
    der = base64.b64decode(
        b"".join(authority.certified(new_key(), entries, domains=domains).splitlines()[1:-1])
    )
    authorities, dice = Authorities(authority.certificate), random.Random(7)
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of serial numbers that are not positive
        for _ in range(4000):
            changed = bytearray(der)
            for _ in range(dice.randint(1, 3)):
                changed[dice.randrange(len(der))] = dice.randrange(256)
            try:
                authorities.signer(pem(bytes(changed)), AT)
            except ParseError:
                refused += 1
    assert refused > 3900  # the others have got the octet that they had


def test_a_certificate_that_is_read_may_still_say_odd_things() -> None:
    """Of one that its authority has signed: an authority errs, too."""
    authority = Authority()
    der = base64.b64decode(b"".join(authority.certified(new_key(), [provider()]).splitlines()[1:-1]))
    dice, read = random.Random(7), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(4000):
            changed = bytearray(der)
            changed[dice.randrange(len(der))] = dice.randrange(256)
            try:
                certificate = SignerCertificate(x509.load_der_x509_certificate(bytes(changed)))
            except (ParseError, ValueError, x509.InvalidVersion):
                continue
            read += 1
            assert not certificate.has_signed(b"text", b"\x01" * 64)
            assert not certificate.speaks_for_domain("a.test")
            try:
                certificate.speaks_for_number("1")
            except ParseError:
                continue
    assert read > 100


@pytest.mark.parametrize("signature", [b"", b"\x00" * 64, b"\xff" * 64, b"\x01" * 63, b"\x01" * 65])
def test_what_is_no_signature(signature: bytes) -> None:
    key = new_key()
    certificate = Authority().certified(key, [provider()])
    signer = SignerCertificate(x509.load_pem_x509_certificate(certificate))
    assert signer.has_signed(b"text", SigningKey(pem_of(key)).sign(b"text"))
    assert not signer.has_signed(b"text", signature)


def test_both_signatures_of_one_text_are_one() -> None:
    signature = SigningKey(pem_of(new_key())).sign(b"text")
    twin = signature[:32] + (ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    assert twin != signature
    assert canonical(twin) == canonical(signature)
    assert canonical(signature) in (twin, signature)
