"""SRTP and SRTCP (RFC 3711, RFC 7714) by libsrtp: what a key protects, and a transport around another one.

Needs the ``media`` extra; this is the only file that imports pylibsrtp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sipstack.errors import MediaError
from sipstack.log import MEDIA
from sipstack.media.peer_address import Address
from sipstack.media.transport import Failed, Receive, RtpTransport
from sipstack.media.wrapped import WrappedTransport
from sipstack.rtp.sorting import is_dtls, is_stun

try:
    from pylibsrtp import Error, Policy, Session
except ImportError as error:
    raise MediaError("SRTP needs pylibsrtp: pip install 'sipstack[media]'") from error

PROFILES: Mapping[str, int] = MappingProxyType(
    {
        "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
        "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
        "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
        "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    }
)
"""The suites, by their names in SDP."""

SOURCES = 64
"""SSRCs that one key may come from: libsrtp remembers each of them for good."""

SUSPECT = 10
"""Packets with a wrong key until the log tells of it: some phones send a report before they have keys, and a
stray packet is not worth a word."""

Refused = Callable[[bool], None]
"""Called for each packet that is refused, with whether it was a repeated one."""

_FAILURES = (Error, ValueError)  # the second for what is too long for libsrtp's buffer


class Sending:
    """One key of ours. Of each key there must be one at the most, ever: a second one would use the same key
    stream for other packets, and so give both away.
    """

    __slots__ = ("rtcp", "rtp", "suite")

    def __init__(self, suite: str, key: bytes) -> None:
        session = Session(Policy(key, Policy.SSRC_ANY_OUTBOUND, 0, PROFILES[suite]))
        self.suite = suite
        self.rtp: Callable[[bytes], bytes] = session.protect
        self.rtcp: Callable[[bytes], bytes] = session.protect_rtcp

    def __repr__(self) -> str:
        return f"<Sending {self.suite}>"


class Receiving:
    """One key of the peer's, with the roll-over counter and the window of each source (RFC 3711 §3.3).

    ``lifetime`` is the number of packets that the peer wanted to send with it: that it sends more is told in
    the log, once, and they are taken all the same.
    """

    __slots__ = ("_left", "_session", "_sources", "suite")

    def __init__(self, suite: str, key: bytes, lifetime: int | None = None) -> None:
        self._session = Session(Policy(key, Policy.SSRC_ANY_INBOUND, 0, PROFILES[suite]))
        self._left = lifetime or 0  # 0 is never counted down to
        self._sources: set[bytes] = set()
        self.suite = suite

    def __repr__(self) -> str:
        return f"<Receiving {self.suite}>"

    def rtp(self, data: bytes) -> bytes:
        """The packet without its protection. Raises what ``is_repeated`` tells about."""
        packet = self._session.unprotect(data)
        if data[8:12] not in self._sources:
            self._meet(data[8:12])
        self._left -= 1
        if not self._left:
            MEDIA.warning("the peer goes on with a key whose lifetime is over; it should send a new one")
        return packet

    def rtcp(self, data: bytes) -> bytes:
        """The same of SRTCP."""
        packet = self._session.unprotect_rtcp(data)
        if data[4:8] not in self._sources:
            self._meet(data[4:8])
        return packet

    def _meet(self, ssrc: bytes) -> None:
        if len(self._sources) >= SOURCES:
            self._session.remove_stream(int.from_bytes(ssrc, "big"))
            raise ValueError("too many sources")
        self._sources.add(ssrc)


def is_repeated(error: Exception) -> bool:
    """Whether a packet was refused as one that has come before, or is too old to know that."""
    return "replay" in str(error)


class Srtp:
    """What protects a stream now, in both directions. Nothing goes in or out before ``use`` or ``go_plain``.

    ``refused`` is called for each packet that is not let in.
    """

    __slots__ = ("_former", "_is_plain", "_refused", "_unproved", "receiving", "sending")

    def __init__(self, refused: Refused) -> None:
        self.sending: Sending | None = None
        self.receiving: Receiving | None = None
        self._former: Receiving | None = None  # until the first packet with the new key
        self._is_plain = False
        self._refused = refused
        self._unproved = 0  # since the peer's key came

    @property
    def suite(self) -> str | None:
        """The suite in force; None while nothing is protected."""
        return self.sending.suite if self.sending is not None else None

    def use(self, sending: Sending, receiving: Receiving) -> None:
        """Protect with the one, and let in what the other has protected. What is on the way with the key
        before is let in until the first packet comes with the new one.
        """
        if receiving is not self.receiving:
            self.receiving, self._former = receiving, self.receiving
            self._unproved = 0
        self.sending = sending
        self._is_plain = False

    def go_plain(self) -> None:
        """Protect nothing, and let in what is not protected."""
        self.sending = self.receiving = self._former = None
        self._is_plain = True

    def protected(self, data: bytes, *, rtcp: bool) -> bytes | None:
        """The packet as it may go out; None when it may not. Raises what ``Session.protect`` raises."""
        sending = self.sending
        if sending is None or not data:  # an empty one is a keep-alive
            return data if self._is_plain or not data else None
        return sending.rtcp(data) if rtcp else sending.rtp(data)

    def opened(self, data: bytes, source: Address, *, rtcp: bool) -> bytes | None:
        """What came, without its protection; None when it is refused."""
        receiving = self.receiving
        if receiving is None:
            return data if self._is_plain else None
        if not data:
            return data
        try:
            packet = receiving.rtcp(data) if rtcp else receiving.rtp(data)
        except _FAILURES as error:
            if is_stun(data) or is_dtls(data):  # nobody takes these for RTP
                return data
            former = self._former
            if former is not None:
                try:
                    return former.rtcp(data) if rtcp else former.rtp(data)
                except _FAILURES:
                    pass
            self._refuse(is_repeated(error), source)
            return None
        if self._former is not None:
            self._former = None
        return packet

    def _refuse(self, repeated: bool, source: Address) -> None:
        self._refused(repeated)
        if repeated:
            return
        self._unproved += 1
        if self._unproved == SUSPECT:
            MEDIA.warning(
                "packets from %s are refused: they are not protected with the key that was agreed on", source
            )


class SrtpTransport(WrappedTransport):
    """Hands everything on, protected on its way out and without its protection on its way in."""

    def __init__(self, transport: RtpTransport, srtp: Srtp) -> None:
        super().__init__(transport)
        self._srtp = srtp
        self._errors = 0

    @property
    def send_errors(self) -> int:
        return self._errors + self._transport.send_errors

    def start(self, rtp: Receive, rtcp: Receive, failed: Failed) -> None:
        opened = self._srtp.opened

        def rtp_received(data: bytes, source: Address, now: float) -> None:
            packet = opened(data, source, rtcp=False)
            if packet is not None:
                rtp(packet, source, now)

        def rtcp_received(data: bytes, source: Address, now: float) -> None:
            packet = opened(data, source, rtcp=True)
            if packet is not None:
                rtcp(packet, source, now)

        self._transport.start(rtp_received, rtcp_received, failed)

    def send_rtp(self, data: bytes, destination: Address) -> None:
        try:
            packet = self._srtp.protected(data, rtcp=False)
        except _FAILURES as error:
            self._count(error)
            return
        if packet is not None:
            self._transport.send_rtp(packet, destination)

    def send_rtcp(self, data: bytes, destination: Address) -> None:
        try:
            packet = self._srtp.protected(data, rtcp=True)
        except _FAILURES as error:
            self._count(error)
            return
        if packet is not None:
            self._transport.send_rtcp(packet, destination)

    def _count(self, error: Exception) -> None:
        self._errors += 1
        if self._errors == 1:
            MEDIA.warning("media from port %s cannot be protected, so it is not sent: %s", self.port, error)
