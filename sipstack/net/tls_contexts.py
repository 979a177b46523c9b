"""The contexts of both sides of TLS, made of files, and made again when these change."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path

from sipstack.errors import TransportError
from sipstack.log import TRANSPORT
from sipstack.net.tls_settings import Tls

LOOK_INTERVAL = 1.0
"""Seconds between two looks at the files."""

Stamp = tuple[tuple[str, int], ...]


class TlsContexts:
    """Gives the context for each handshake."""

    def __init__(self, tls: Tls, clock: Callable[[], float] = time.monotonic) -> None:
        self.tls = tls
        self._server = _Kept(tls, _server, clock)
        self._client = _Kept(tls, _client, clock)

    def server(self) -> ssl.SSLContext:
        """Raises TransportError that says what is missing or wrong."""
        return self.tls.server or self._server.context()

    def client(self) -> ssl.SSLContext:
        """Raises TransportError that says what is wrong."""
        return self.tls.client or self._client.context()


class _Kept:
    """One context, as long as its files stay the same."""

    def __init__(self, tls: Tls, make: Callable[[Tls], ssl.SSLContext], clock: Callable[[], float]) -> None:
        self._tls = tls
        self._make = make
        self._clock = clock
        self._context: ssl.SSLContext | None = None
        self._stamp: Stamp = ()
        self._look_at = 0.0

    def context(self) -> ssl.SSLContext:
        now = self._clock()
        if self._context is None or now >= self._look_at:
            self._look_at = now + LOOK_INTERVAL
            self._look()
        assert self._context is not None
        return self._context

    def _look(self) -> None:
        stamp = _stamp(self._tls)
        if self._context is not None and stamp == self._stamp:
            return
        try:
            self._context = self._make(self._tls)
        except TransportError as error:
            if self._context is None:
                raise
            TRANSPORT.warning("the new certificate is not taken, the old one stays: %s", error)
        else:
            if self._stamp:
                TRANSPORT.info("the certificate is read again")
        self._stamp = stamp


def _stamp(tls: Tls) -> Stamp:
    """When each file was written."""
    files = [tls.certificate, tls.key, tls.authority, tls.client_authority]
    return tuple((str(file), _written(Path(file))) for file in files if file is not None)


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _server(tls: Tls) -> ssl.SSLContext:
    if tls.certificate is None:
        raise TransportError("to listen on TLS takes a certificate: give certificate= and key= (PEM files)")
    context = _context(ssl.PROTOCOL_TLS_SERVER)
    _load_certificate(context, tls)
    if tls.require_client or tls.client_authority is not None:
        _trust(context, tls.client_authority or tls.authority)
        context.verify_mode = ssl.CERT_REQUIRED if tls.require_client else ssl.CERT_OPTIONAL
    return context


def _client(tls: Tls) -> ssl.SSLContext:
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # RFC 5922 asks for more than that, and it is checked after the handshake
    if tls.verify:
        _trust(context, tls.authority)
    else:
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate is not None:
        _load_certificate(context, tls)
    return context


def _context(side: int) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _load_certificate(context: ssl.SSLContext, tls: Tls) -> None:
    assert tls.certificate is not None
    secret = tls.password.reveal() if tls.password is not None else ""  # never asked for on a terminal
    try:
        context.load_cert_chain(tls.certificate, tls.key, secret)
    except ssl.SSLError as error:
        why = (error.reason or str(error)).replace("_", " ").lower()
        key = "" if tls.key is None else f" and {tls.key}"
        raise TransportError(f"{tls.certificate}{key} are no certificate with its key: {why}") from None
    except OSError as error:
        files = " or ".join(str(file) for file in (tls.certificate, tls.key) if file is not None)
        raise TransportError(f"the certificate cannot be read: {files}: {error.strerror}") from error


def _trust(context: ssl.SSLContext, authority: object) -> None:
    if authority is None:
        context.load_default_certs()
        return
    path = Path(str(authority))
    try:
        if path.is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        why = (error.reason or str(error)).replace("_", " ").lower()
        raise TransportError(f"{path} has no certificate of an authority: {why}") from None
    except OSError as error:
        raise TransportError(f"{path}: the authority cannot be read: {error.strerror}") from error
