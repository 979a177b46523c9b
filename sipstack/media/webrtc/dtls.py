"""DTLS-SRTP (RFC 5763, RFC 5764) by aiortc: the handshake, and the keys that come of it.

Needs the ``media`` extra. What is private in aiortc is used in this file alone, and
``tests/media/webrtc/test_private_parts.py`` watches it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, cast

from sipstack.errors import MediaError, TransportError
from sipstack.log import MEDIA
from sipstack.sdp import Fingerprint

try:
    import pylibsrtp
    from aiortc import (
        RTCCertificate,
        RTCDtlsFingerprint,
        RTCDtlsParameters,
        RTCDtlsTransport,
        RTCIceTransport,
    )
    from aiortc.rtcdtlstransport import X509_DIGEST_ALGORITHMS
except ImportError as error:
    raise MediaError("DTLS-SRTP needs aiortc: pip install 'sipstack[media]'") from error

PATIENCE = 10.0
"""Seconds that a handshake may take."""
WAITING = 64
"""Records that wait to be read at most: a handshake has fewer."""
CERTIFICATE_LIFETIME = 7 * 86400
"""Seconds after which a process makes itself another certificate. Each is valid for 30 days."""
ALGORITHMS = frozenset(X509_DIGEST_ALGORITHMS)
"""The hash functions by which we know a certificate again: sha-256 and more."""

CIPHERS = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES+SHA1"
"""As browsers have them, all with forward secrecy: for certificates on curves (RFC 8827 §6.5), and of RSA."""


class Certificate(RTCCertificate):
    """aiortc's own talks to nobody whose certificate is of RSA, as that of many phones and servers is."""

    def _create_ssl_context(self, srtp_profiles: list[Any]) -> Any:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(CIPHERS)
        return context


@lru_cache(maxsize=2)
def _certificate(_: int) -> RTCCertificate:
    return Certificate.generateCertificate()


def certificate() -> RTCCertificate:
    """Ours, one for the whole process: making one costs as much as many handshakes."""
    return _certificate(int(time.time() // CERTIFICATE_LIFETIME))


def certificate_of_its_own() -> RTCCertificate:
    """For a call whose peer may know the other one from an association that is lost (RFC 8842 §3.2)."""
    return Certificate.generateCertificate()


def fingerprints(certificate: RTCCertificate) -> tuple[Fingerprint, ...]:
    """What descriptions say of it: sha-256, which everybody knows."""
    found = certificate.getFingerprints()
    return tuple([Fingerprint(each.algorithm, each.value) for each in found if each.algorithm == "sha-256"])


class _Records:
    """The datagrams of one association, as aiortc's ICE transport would carry them."""

    state = "completed"

    def __init__(self, association: Association) -> None:
        self.role = "controlled" if association.client else "controlling"
        self._association = association
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING)

    def put(self, record: bytes) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._waiting.put_nowait(record)

    async def _recv(self) -> bytes:
        return await self._waiting.get()

    async def _send(self, data: bytes) -> None:
        self._association.send(data)


class Association:
    """One DTLS association, and the SRTP keys of both ways.

    ``send`` takes the records that go out, and may be replaced: an association outlives the sockets that it
    began on. ``client`` opens it (a=setup:active). ``ended`` is called when the peer closes it.
    """

    def __init__(
        self,
        certificate: RTCCertificate,
        peer: Sequence[Fingerprint],
        *,
        client: bool,
        send: Callable[[bytes], None],
        ended: Callable[[], None],
    ) -> None:
        self.peer = frozenset(peer)
        self.client = client
        self.send = send
        self._ended = ended
        self._records = _Records(self)
        self._dtls = RTCDtlsTransport(cast(RTCIceTransport, self._records), [certificate])
        self._dtls._set_role("client" if client else "server")
        self._rx: pylibsrtp.Session | None = None
        self._tx: pylibsrtp.Session | None = None
        self.profile: str | None = None
        """What protects the packets, such as ``SRTP_AEAD_AES_256_GCM``; None before the handshake is over."""
        self.refused = 0
        """Packets that were not the peer's: forged, or sent twice."""

    def __repr__(self) -> str:
        return f"<Association {'client' if self.client else 'server'} {self.profile}>"

    async def connect(self) -> None:
        """The handshake. Raises TransportError when it fails, or finds somebody else than we were told of."""
        wanted = [RTCDtlsFingerprint(each.algorithm, each.value) for each in self.peer]
        try:
            async with asyncio.timeout(PATIENCE):
                await self._dtls.start(RTCDtlsParameters(wanted))
        except TimeoutError:
            raise TransportError("the peer does not answer the DTLS handshake of its media") from None
        except Exception as error:  # what aiortc did not think of
            raise TransportError(f"{self._failure()}: {error}") from error
        if self._dtls.state != "connected":
            raise TransportError(self._failure())
        self._rx, self._tx = self._dtls._rx_srtp, self._dtls._tx_srtp
        self.profile = _selected(self._dtls).decode()
        self._dtls.on("statechange", self._changed)

    @property
    def is_closed(self) -> bool:
        """Whether the peer has closed it."""
        return self._dtls.state in ("closed", "failed")

    def receive(self, record: bytes) -> None:
        """One datagram of DTLS."""
        self._records.put(record)

    def protect(self, data: bytes) -> bytes | None:
        """RTP as it goes out; None before there are keys."""
        return None if self._tx is None else self._protected(self._tx.protect, data)

    def protect_rtcp(self, data: bytes) -> bytes | None:
        return None if self._tx is None else self._protected(self._tx.protect_rtcp, data)

    def unprotect(self, data: bytes) -> bytes | None:
        """RTP as it was before the peer protected it; None for what is not the peer's, and before there are
        keys.
        """
        return None if self._rx is None else self._protected(self._rx.unprotect, data)

    def unprotect_rtcp(self, data: bytes) -> bytes | None:
        return None if self._rx is None else self._protected(self._rx.unprotect_rtcp, data)

    def _protected(self, change: Callable[[bytes], bytes], data: bytes) -> bytes | None:
        try:
            return change(data)
        except (pylibsrtp.Error, ValueError) as error:  # ValueError: it is too long
            self.refused += 1
            if self.refused == 1:
                MEDIA.debug("SRTP: a packet of %s octets is refused: %s", len(data), error)
            return None

    def close(self) -> None:
        """Tell the peer, and forget the keys."""
        self._rx = self._tx = None
        self._dtls.remove_all_listeners()
        with contextlib.suppress(StopIteration):  # it never waits
            self._dtls.stop().send(None)

    def _failure(self) -> str:
        if not self._dtls.encrypted:
            return "the DTLS handshake of the media failed"
        if not _selected(self._dtls):
            return "the peer knows no protection of media (SRTP) that we know"
        return (
            "the media is not the peer's: its certificate is not the one of its description (a=fingerprint)"
        )

    def _changed(self) -> None:
        if self.is_closed:
            self._ended()


def _selected(dtls: RTCDtlsTransport) -> bytes:
    connection = dtls._ssl
    return b"" if connection is None else connection.get_selected_srtp_profile()


def known(peer: Iterable[Fingerprint]) -> tuple[Fingerprint, ...]:
    """Those of a description that we can compare a certificate with."""
    return tuple([each for each in peer if each.algorithm in ALGORITHMS])
