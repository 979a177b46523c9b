"""Certificates for tests are taken, or refused, by those who check them for real."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sipstack.stir.es256 import Authorities
from sipstack.testing.certificates import HOUR, Certificate, CertificateAuthority

AUTHORITY = CertificateAuthority()


def handshake(folder: Path, certificate: Certificate, name: str) -> ssl.SSLObject:
    """Both ends of a TLS handshake in memory; raises what the client raises."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(*certificate.write(folder, "server"))
    client_context = ssl.create_default_context(cafile=str(AUTHORITY.write(folder)))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client


@pytest.mark.parametrize("name", ["pbx.example.com", "127.0.0.1"])
def test_a_certificate_of_the_authority_is_taken(tmp_path: Path, name: str) -> None:
    issued = AUTHORITY.issue("pbx.example.com", "127.0.0.1", "sip:example.com")
    client = handshake(tmp_path, issued, name)
    names = client.getpeercert()["subjectAltName"]  # type: ignore[index]
    assert ("URI", "sip:example.com") in names


def test_a_provider_of_numbers_signs_calls() -> None:
    """Its TNAuthList is read by who verifies signatures, and is no hindrance to TLS."""
    issued = AUTHORITY.issue("provider.test", provider="709J")
    verifier = Authorities(AUTHORITY.certificate)
    certificate = verifier.signer(issued.certificate, datetime.now(UTC))
    assert certificate.speaks_for_number("12155551212")
    assert certificate.speaks_for_domain("provider.test")
    plain = verifier.signer(AUTHORITY.issue("provider.test").certificate, datetime.now(UTC))
    assert not plain.speaks_for_number("12155551212")


def test_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(tmp_path, AUTHORITY.issue("pbx.example.org"), "pbx.example.com")


def test_one_that_has_expired_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="has expired"):
        handshake(tmp_path, AUTHORITY.issue("pbx.example.com", ends=-HOUR), "pbx.example.com")


def test_that_of_another_authority_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer|self-signed"):
        handshake(tmp_path, CertificateAuthority("x").issue("pbx.example.com"), "pbx.example.com")
