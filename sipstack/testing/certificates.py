"""Certificates for tests: an authority of one's own, and what it signs. Needs the package ``cryptography``.

Keys are on P-256, so that one costs a millisecond. Nothing here is fit to protect anything.
"""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
_TN_AUTH_LIST = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")


@attrs.frozen
class Certificate:
    """A certificate with its key, both as PEM."""

    certificate: bytes
    key: bytes = attrs.field(repr=False)

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write ``name.crt`` and ``name.key`` to ``folder``; returns both paths."""
        paths = folder / f"{name}.crt", folder / f"{name}.key"
        paths[0].write_bytes(self.certificate)
        paths[1].write_bytes(self.key)
        return paths


class CertificateAuthority:
    """Signs certificates. Its own, ``certificate`` (PEM), is what peers have to trust."""

    def __init__(self, name: str = "sipstack test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        builder = _builder(self._name, self._name, self._key.public_key(), -HOUR, 30 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_KEY_USAGE_OF_AUTHORITY, critical=True)
        builder = builder.add_extension(self._identifier(), critical=False)
        self.certificate = _pem(builder.sign(self._key, hashes.SHA256()))

    def write(self, folder: Path) -> Path:
        """Write the authority's certificate to ``folder``; returns its path."""
        path = folder / "authority.crt"
        path.write_bytes(self.certificate)
        return path

    def issue(
        self,
        *names: str,
        common_name: str = "sipstack test",
        provider: str = "",
        begins: datetime.timedelta = -HOUR,
        ends: datetime.timedelta = 30 * DAY,
    ) -> Certificate:
        """A certificate for servers and clients.

        ``names``: its subjectAltName: a host name, an IP address, or a URI such as ``sip:example.com``.
        ``provider``: the code of a provider of telephone numbers, who signs calls (RFC 8226).
        ``begins`` and ``ends`` are counted from now: ``ends=-HOUR`` makes one that has expired.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common_name), self._name, key.public_key(), min(begins, ends - HOUR), ends)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        authority = x509.AuthorityKeyIdentifier(self._identifier().digest, None, None)
        builder = builder.add_extension(authority, critical=False)
        if names:
            alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        if provider:
            builder = builder.add_extension(_number_list(provider), critical=False)
        key_pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Certificate(_pem(builder.sign(self._key, hashes.SHA256())), key_pem)

    def _identifier(self) -> x509.SubjectKeyIdentifier:
        return x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())


_KEY_USAGE_OF_AUTHORITY = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    begins: datetime.timedelta,
    ends: datetime.timedelta,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now + begins).not_valid_after(now + ends)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.UniformResourceIdentifier(name) if ":" in name else x509.DNSName(name)


def _number_list(provider: str) -> x509.UnrecognizedExtension:
    """A TNAuthList of one provider's code (RFC 8226 §9)."""
    text = provider.encode("ascii")
    inner = b"\x16" + bytes([len(text)]) + text
    entry = b"\xa0" + bytes([len(inner)]) + inner
    return x509.UnrecognizedExtension(_TN_AUTH_LIST, b"\x30" + bytes([len(entry)]) + entry)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
