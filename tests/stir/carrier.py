"""Authorities, carriers and their certificates, as STIR has them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from sipstack.message import Headers, NameAddr, Passport, Request
from sipstack.message.headers import HeaderFields
from sipstack.stir import Signer, Verifier

NOW = 1_800_000_000.0
URL = "https://certificates.carrier.test/ours.pem"
CALLER = "sip:+12155551212@carrier.test"
CALLEE = "sip:+13035551212@other.test"
HOUR = datetime.timedelta(hours=1)

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def tagged(tag: int, content: bytes) -> bytes:
    """DER: a tag, its length, its content."""
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def provider(code: str = "709J") -> bytes:
    return tagged(0xA0, tagged(0x16, code.encode()))


def numbers(start: str, count: int) -> bytes:
    octets = count.to_bytes(4, "big")
    return tagged(0xA1, tagged(0x30, tagged(0x16, start.encode()) + tagged(0x02, octets)))


def one(number: str) -> bytes:
    return tagged(0xA2, tagged(0x16, number.encode()))


def number_list(*entries: bytes) -> bytes:
    return tagged(0x30, b"".join(entries))


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem_of(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


class Authority:
    """Certifies signers; its own certificate is the anchor."""

    def __init__(self, name: str = "authority", parent: Authority | None = None) -> None:
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = new_key()
        self.certificate = (parent or self).certified(self._key, [], subject=self._name, is_authority=True)

    def certified(
        self,
        key: Key,
        entries: Sequence[bytes] = (),
        *,
        domains: Sequence[x509.GeneralName] = (),
        begins: datetime.timedelta = -HOUR,
        ends: datetime.timedelta = HOUR,
        subject: x509.Name | None = None,
        is_authority: bool = False,
        signs: bool = True,
        extension: bytes | None = None,
    ) -> bytes:
        """PEM of a certificate of ``key``; ``entries`` are those of its TNAuthList."""
        now = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
        carrier = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "SHAKEN 709J")])
        builder = x509.CertificateBuilder().subject_name(subject or carrier).issuer_name(self._name)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now + begins).not_valid_after(now + ends)
        builder = builder.add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        builder = builder.add_extension(_usage(signs, is_authority), critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        if is_authority:
            own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
            builder = builder.add_extension(own, critical=False)
        else:
            authority = x509.AuthorityKeyIdentifier(identifier.digest, None, None)
            builder = builder.add_extension(authority, critical=False)
        if entries or extension is not None:
            value = number_list(*entries) if extension is None else extension
            oid = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")
            builder = builder.add_extension(x509.UnrecognizedExtension(oid, value), critical=False)
        if domains:
            builder = builder.add_extension(x509.SubjectAlternativeName(domains), critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)


def _usage(signs: bool, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


class Carrier:
    """Has a key and a certificate for all numbers of a provider, signs, and gives the certificate out."""

    def __init__(self, authority: Authority, certificate: bytes | None = None) -> None:
        self.key = new_key()
        self.certificate = certificate or authority.certified(self.key, [provider()])
        self.authority = authority
        self.now = NOW
        self.fetched: list[str] = []

    def signer(self, attestation: str | None = "A", *, url: str = URL, compact: bool = False) -> Signer:
        return Signer(pem_of(self.key), url, attestation, compact=compact, clock=lambda: self.now)

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        return self.certificate

    def verifier(self) -> Verifier:
        return Verifier(self.fetch, self.authority.certificate, clock=lambda: self.now)

    def signed(self, passport: Passport) -> str:
        """The token of claims that no Signer would sign."""
        from sipstack.stir.es256 import SigningKey

        return passport.token(SigningKey(pem_of(self.key)).sign(passport.to_sign()))


def invite(
    fields: HeaderFields = (),
    *,
    caller: str = CALLER,
    called: str = CALLEE,
    call_id: str = "1",
) -> Request:
    headers = {
        "Via": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
        "From": f"{NameAddr.parse(f'<{caller}>')};tag=1",
        "To": f"<{called}>",
        "Call-ID": call_id,
        "CSeq": "1 INVITE",
    }
    return Request("INVITE", called, Headers([*headers.items(), *fields]))
