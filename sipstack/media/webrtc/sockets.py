"""The sockets of a DTLS-SRTP stream: STUN, DTLS and SRTP in one stream of datagrams (RFC 7983)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sipstack.media.peer_address import Address
from sipstack.media.transport import Failed, Receive
from sipstack.media.webrtc.dtls import Association
from sipstack.media.webrtc.ice import IceAgent, IceSocket

STUN = range(4)
DTLS = range(20, 64)
RTP = range(128, 192)
RTCP = range(192, 224)
"""First octets of a datagram (RFC 7983 §7); second ones of RTCP (RFC 5761 §4)."""

EARLY = 8
"""Records of DTLS that are kept for an association to come: the peer's may be here before its answer."""


class Associations:
    """The keys of a stream: for RTP, and for RTCP where that has a port of its own (RFC 5764 §4.1)."""

    def __init__(self, rtp: Association, rtcp: Association) -> None:
        self.rtp = rtp
        self.rtcp = rtcp

    @property
    def both(self) -> tuple[Association, ...]:
        return (self.rtp,) if self.rtcp is self.rtp else (self.rtp, self.rtcp)

    def close(self) -> None:
        for each in self.both:
            each.close()


class Sockets:
    """The sockets that a description of ours names, and the way of the packets over them.

    The first is the default, which a peer without ICE sends to. ``agent`` is None where we do without. What
    comes is told to ``rtp`` and ``rtcp`` with ``source`` as its source: it has been proved to be the peer's.
    """

    def __init__(self, sockets: Sequence[IceSocket]) -> None:
        self.sockets = tuple(sockets)
        self.agent: IceAgent | None = None
        self.destination: Address | None = None
        self.rtcp_destination: Address | None = None
        """Where a peer without ICE is."""
        self.keys: Associations | None = None
        self.coming: Associations | None = None
        """Those whose handshake is under way."""
        self.source: Address | None = None
        self.rtp: Receive | None = None
        self.rtcp: Receive | None = None
        self._early: list[tuple[bool, bytes]] = []

    @property
    def main(self) -> IceSocket:
        return self.sockets[0]

    @property
    def send_errors(self) -> int:
        return sum(each.transport.send_errors for each in self.sockets)

    def start(self, failed: Failed) -> None:
        """Begin to read."""
        for each in self.sockets:
            each.transport.start(partial(self._receive, each), self._receive_rtcp, failed)

    def send(self, data: bytes) -> None:
        """One packet to the peer, at once."""
        if self.destination is not None:
            self.main.transport.send_rtp(data, self.destination)
        elif self.agent is not None:
            self.agent.send(data)

    def send_rtcp(self, data: bytes) -> None:
        """One packet from the RTCP port to the peer's."""
        if self.rtcp_destination is not None:
            self.main.transport.send_rtcp(data, self.rtcp_destination)

    def await_keys(self, keys: Associations) -> None:
        """The next records of DTLS are theirs, and no more of those that were awaited before."""
        if self.coming is not None:
            self.coming.close()
        self.coming = keys
        for over_rtcp, record in self._early:
            (keys.rtcp if over_rtcp else keys.rtp).receive(record)
        self._early.clear()

    def take_relayed(self, data: bytes, now: float) -> None:
        """What came over a relay."""
        if data:
            self._sort(data, None, now)

    def close(self) -> None:
        """Send and receive no more."""
        if self.agent is not None:
            self.agent.close()
        self.rtp = self.rtcp = None
        for each in self.sockets:
            each.transport.close()

    def _receive(self, socket: IceSocket, data: bytes, source: Address, now: float) -> None:
        if data and data[0] in STUN:
            socket.receive(data, source)
        elif data:
            self._sort(data, source, now)

    def _sort(self, data: bytes, source: Address | None, now: float) -> None:
        if data[0] in RTP:
            if self.keys is not None and len(data) > 1:
                self._take_srtp(self.keys.rtp, data, source, now)
        elif data[0] in DTLS:
            self._take_dtls(data, source)

    def _take_srtp(self, keys: Association, data: bytes, source: Address | None, now: float) -> None:
        is_rtcp = data[1] in RTCP
        plain = keys.unprotect_rtcp(data) if is_rtcp else keys.unprotect(data)
        receive = self.rtcp if is_rtcp else self.rtp
        if plain is None or receive is None:
            return
        if self.destination is not None and source != self.destination:
            self.destination = source  # it is behind a NAT, or has moved: nobody else has its keys
        if self.source is not None:
            receive(plain, self.source, now)

    def _take_dtls(self, record: bytes, source: Address | None) -> None:
        keys = self.coming or self.keys
        if keys is None:
            self._keep(False, record)
            return
        if self.coming is not None and self.destination is not None:
            self.destination = source
        keys.rtp.receive(record)

    def _receive_rtcp(self, data: bytes, source: Address, now: float) -> None:
        """At the RTCP port, which has an association of its own."""
        keys = self.coming or self.keys
        if len(data) < 2 or self.destination is None:
            return
        if data[0] in DTLS:
            if keys is None:
                self._keep(True, data)
            else:
                keys.rtcp.receive(data)
        elif data[0] in RTP and self.keys is not None and (plain := self.keys.rtcp.unprotect_rtcp(data)):
            self.rtcp_destination = source
            if self.rtcp is not None and self.source is not None:
                self.rtcp(plain, self.source, now)

    def _keep(self, over_rtcp: bool, record: bytes) -> None:
        if len(self._early) < EARLY:
            self._early.append((over_rtcp, record))
