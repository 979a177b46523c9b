"""Keys, signatures and certificates of STIR, by ``cryptography``: this is the only file that imports it.

ES256 alone (RFC 8225 §8): ECDSA on P-256 with SHA-256, its signatures 64 octets (RFC 7518 §3.4).
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.stir.number_list import covers

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
    from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError
except ImportError as error:
    raise LocalProtocolError("STIR needs cryptography: pip install 'sipstack[stir]'") from error

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256: the signatures (r, s) and (r, ORDER - s) are good for the same text."""

MAXIMUM_PEM = 65_536
"""Octets of a chain: beyond that none is read."""

MAXIMUM_CHAIN = 6

E = TypeVar("E", bound=x509.ExtensionType)

_TN_AUTH_LIST = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")
_ES256 = ec.ECDSA(hashes.SHA256())
# What cryptography raises on a certificate that breaks the rules: not all of it derives from ValueError.
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


class SigningKey:
    """A private key on P-256, in PEM without a password. Raises LocalProtocolError for any other."""

    __slots__ = ("_key",)

    def __init__(self, pem: bytes) -> None:
        try:
            key = serialization.load_pem_private_key(pem, None)
        except _UNREADABLE:
            key = None
        # no "from": the error of a reader may quote what it has read
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise LocalProtocolError("the key for STIR is one on P-256, in PEM without a password")
        self._key = key

    def sign(self, text: bytes) -> bytes:
        """The signature, 64 octets."""
        r, s = decode_dss_signature(self._key.sign(text, _ES256))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Authorities:
    """The certificates of those who may certify signers, in PEM. Raises LocalProtocolError for none."""

    __slots__ = ("_store",)

    def __init__(self, pem: bytes) -> None:
        try:
            self._store = Store(x509.load_pem_x509_certificates(pem))
        except _UNREADABLE:
            raise LocalProtocolError("anchors= are the certificates of authorities, in PEM") from None

    def signer(self, pem: bytes, at: datetime) -> SignerCertificate:
        """The first certificate of a chain that leads to one of us, valid ``at`` that time. Raises ParseError
        that says what is wrong.
        """
        if len(pem) > MAXIMUM_PEM:
            raise ParseError("the certificate is too long")
        try:
            first, *others = x509.load_pem_x509_certificates(pem)
        except _UNREADABLE:
            raise ParseError("the certificate is not PEM") from None
        if len(others) >= MAXIMUM_CHAIN:
            raise ParseError("the chain of certificates is too long")
        policy = PolicyBuilder().store(self._store).time(at).max_chain_depth(MAXIMUM_CHAIN)
        policy = policy.extension_policies(
            ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all()
        )
        try:
            policy.build_client_verifier().verify(first, others)
        except (VerificationError, *_UNREADABLE) as error:
            raise ParseError(f"the certificate is not to be trusted: {str(error)[:200]}") from None
        return SignerCertificate(first)


class SignerCertificate:
    """The certificate of who signs. Raises ParseError when its key is not on P-256, or not for signing."""

    __slots__ = ("_certificate", "_key")

    def __init__(self, certificate: x509.Certificate) -> None:
        try:
            key = certificate.public_key()
            usage = _extension(certificate, x509.KeyUsage)  # reads all of them
        except _UNREADABLE:
            raise ParseError("the certificate cannot be read") from None
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ParseError("the key of the certificate is not on P-256")
        if usage is not None and not usage.digital_signature:
            raise ParseError("the key of the certificate is not for signatures")
        self._certificate = certificate
        self._key = key

    def has_signed(self, text: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is one of ``text`` by this key."""
        if len(signature) != 64:
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            self._key.verify(encode_dss_signature(r, s), text, _ES256)
        except InvalidSignature:
            return False
        return True

    def speaks_for_number(self, number: str) -> bool:
        """Whether its TNAuthList has the number, or a provider (RFC 8226 §9). Raises ParseError."""
        try:
            extension = self._certificate.extensions.get_extension_for_oid(_TN_AUTH_LIST).value
        except x509.ExtensionNotFound:
            return False
        return isinstance(extension, x509.UnrecognizedExtension) and covers(extension.value, number)

    def speaks_for_domain(self, domain: str) -> bool:
        """Whether its subjectAltName has the domain: as a name, or in a SIP URI (RFC 5922 §7.1)."""
        names = _extension(self._certificate, x509.SubjectAlternativeName)
        if names is None:
            return False
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        hosts = [uri[4:] for uri in uris if uri.lower().startswith("sip:") and "@" not in uri]
        hosts += names.get_values_for_type(x509.DNSName)
        return domain.lower() in [host.lower() for host in hosts]


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def canonical(signature: bytes) -> bytes:
    """The one of the two equal signatures that has the smaller number: who has one can make the other."""
    s = int.from_bytes(signature[32:], "big")
    return signature[:32] + min(s, ORDER - s).to_bytes(32, "big")
