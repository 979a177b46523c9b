"""Why a connection came to nothing, or ended, in words a user understands."""

from __future__ import annotations

import os
import ssl

from sipstack.core.outputs import Address

OLD = {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_SSL_VERSION", "NO_PROTOCOLS_AVAILABLE"}
NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
NO_TLS |= {"PACKET_LENGTH_TOO_LONG", "INVALID_VERSION_NUMBER"}
WANTS_CERTIFICATE = {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_HANDSHAKE_FAILURE"}
OUR_CERTIFICATE = {
    "TLSV1_ALERT_UNKNOWN_CA": "it knows not the authority that signed it",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it has expired",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it is bad",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it is not accepted",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it is of a kind that is not supported",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it is revoked",
}
EXPIRED, NOT_YET, SELF_SIGNED, PRIVATE_AUTHORITY = 10, 9, 18, 19
UNKNOWN_AUTHORITY = (2, 20, 21)
"""Codes of X509_verify_cert_error_string."""


def authority(address: Address) -> str:
    """``host:port`` as text."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reason_of(error: BaseException | None) -> str:
    """Why a connection ended, without the name of its peer."""
    if error is None:
        return "the connection is closed"
    if isinstance(error, ssl.SSLError):
        return tls_reason(error, "the peer")
    if isinstance(error, TimeoutError) and error.errno is None:
        return "the peer did not answer in time"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def tls_reason(error: BaseException, name: str, port: int = 0) -> str:
    """Why the handshake with ``name`` failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_reason(error, name)
    if isinstance(error, ssl.SSLError):
        return _protocol_reason(error.reason or str(error), name, port)
    if isinstance(error, TimeoutError | ConnectionAbortedError):  # so asyncio tells its limit of time
        return f"{name} did not end the handshake of TLS in time: does it speak TLS there?"
    return f"{name} broke off the handshake of TLS: {reason_of(error)}"


def _certificate_reason(error: ssl.SSLCertVerificationError, name: str) -> str:
    about, code = f"the certificate of {name}", error.verify_code
    if code == EXPIRED:
        return f"{about} has expired"
    if code == NOT_YET:
        return f"{about} is not valid yet (is our clock right?)"
    if code == SELF_SIGNED:
        return f"{about} is self-signed (give it as the authority to trust it)"
    if code == PRIVATE_AUTHORITY or code in UNKNOWN_AUTHORITY:
        return f"{about} is signed by an unknown authority (give its certificate as the authority)"
    return f"{about} is refused: {error.verify_message}"


def _protocol_reason(reason: str, name: str, port: int) -> str:
    if reason in NO_TLS:
        return f"{name} speaks no TLS on port {port}" if port else f"{name} speaks no TLS"
    if reason in OLD:
        return f"{name} speaks no TLS of version 1.2 or newer"
    if reason in WANTS_CERTIFICATE:
        return f"{name} wants a certificate of ours"
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return f"{name} has given no certificate of its own"
    if reason in OUR_CERTIFICATE:
        return f"{name} refuses our certificate: {OUR_CERTIFICATE[reason]}"
    return f"{name} broke off TLS: {reason.replace('_', ' ').lower()}"
