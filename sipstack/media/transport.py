"""RTP and RTCP over a pair of UDP ports (RFC 3550 §11), or both over one (RFC 5761)."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Protocol, runtime_checkable

from sipstack.errors import TransportError
from sipstack.log import MEDIA
from sipstack.media.peer_address import Address
from sipstack.media.udp_port import EXPEDITED, UdpPort
from sipstack.media.udp_port import Failed as Failed
from sipstack.media.udp_port import Receive as Receive
from sipstack.rtp.sorting import is_rtcp

ATTEMPTS = 64
"""Ephemeral ports tried until one has a free neighbour."""


class RtpTransport(Protocol):
    """Carries packets. Sending never waits and never raises."""

    @property
    def port(self) -> int:
        """Our RTP port."""

    @property
    def rtcp_port(self) -> int:
        """Our RTCP port."""

    @property
    def send_errors(self) -> int:
        """Packets that the network refused."""

    def start(self, rtp: Receive, rtcp: Receive, failed: Failed) -> None:
        """Hand what arrives to these, and tell when no more can arrive."""

    def send_rtp(self, data: bytes, destination: Address) -> None:
        """Send one RTP packet."""

    def send_rtcp(self, data: bytes, destination: Address) -> None:
        """Send one RTCP compound."""

    def close(self) -> None:
        """Receive no more and free the ports. Calling it again does nothing."""


@runtime_checkable
class PortSharing(RtpTransport, Protocol):
    """A transport that can carry RTP and RTCP over one port."""

    def share_port(self, shared: bool) -> None:
        """From here on both go over the RTP port (RFC 5761), or each over its own again. After ``start``."""


Uniform = Callable[[float, float], float]
"""A source of numbers between two others."""
Bind = Callable[[str, tuple[int, int], Uniform], RtpTransport]
"""Opens a transport: the local address, the ports to choose from, and a source of numbers to choose with."""
SendTo = Callable[[bytes, Address], int]
"""As ``sendto`` of a socket."""
Release = Callable[[UdpPort, UdpPort], None]
"""Called with the ports that a transport does not need any more."""


class UdpTransport:
    """A pair of ports: an even one for RTP, the next for RTCP."""

    __slots__ = (
        "_is_shared",
        "_is_told",
        "_receive",
        "_release",
        "_rtcp",
        "_rtp",
        "_to_rtcp",
        "_to_rtp",
        "port",
        "rtcp_port",
        "send_errors",
    )

    def __init__(self, rtp: UdpPort, rtcp: UdpPort, release: Release) -> None:
        self._rtp: UdpPort | None = rtp
        self._rtcp: UdpPort | None = rtcp
        self._to_rtp: SendTo = rtp.sendto
        self._to_rtcp: SendTo = rtcp.sendto
        self._release = release
        self._is_shared = self._is_told = False
        self.port = rtp.number
        self.rtcp_port = rtcp.number
        self.send_errors = 0

    @classmethod
    def bind(
        cls, host: str, ports: tuple[int, int], uniform: Uniform, *, dscp: int = EXPEDITED
    ) -> UdpTransport:
        """A pair on the local address ``host``, within ``ports`` (first, last) or, for (0, 0), anywhere.
        ``dscp`` is how routers are asked to treat our packets (RFC 2474).

        Raises TransportError when the address is not ours or no pair is free.
        """
        return cls(*bind_pair(host, ports, uniform, dscp), close_both)

    def start(self, rtp: Receive, rtcp: Receive, failed: Failed) -> None:
        if self._rtp is not None and self._rtcp is not None:
            self._receive = rtp, rtcp
            broken = partial(self._fail, failed)
            self._rtp.use(rtp, self._count, broken)
            self._rtcp.use(rtcp, self._count, broken)

    def share_port(self, shared: bool) -> None:
        if shared is self._is_shared or self._rtp is None or self._rtcp is None:
            return
        self._is_shared = shared
        take_rtp, take_rtcp = self._receive

        def sort(data: bytes, source: Address, now: float) -> None:
            (take_rtcp if is_rtcp(data) else take_rtp)(data, source, now)

        self._rtp.receive = sort if shared else take_rtp
        self._to_rtcp = self._rtp.sendto if shared else self._rtcp.sendto

    def send_rtp(self, data: bytes, destination: Address) -> None:
        try:
            self._to_rtp(data, destination)
        except OSError as error:
            self._send_again(self._rtp, data, destination, error)

    def send_rtcp(self, data: bytes, destination: Address) -> None:
        try:
            self._to_rtcp(data, destination)
        except OSError as error:
            self._send_again(self._rtp if self._is_shared else self._rtcp, data, destination, error)

    def _send_again(self, port: UdpPort | None, data: bytes, destination: Address, error: OSError) -> None:
        # An ICMP error for an earlier packet surfaces here: it is counted, and this one still goes out.
        if port is None or not port.take_errors(self._count):
            self._count(error)
            return
        try:
            port.sendto(data, destination)
        except OSError as again:
            self._count(again)

    def _count(self, error: OSError) -> None:
        self.send_errors += 1
        if not self._is_told:
            self._is_told = True
            MEDIA.warning("media from port %s does not arrive: %s", self.port, error.strerror or error)

    def _fail(self, failed: Failed, error: TransportError) -> None:
        for port in (self._rtp, self._rtcp):
            if port is not None:
                port.stop()
        failed(error)

    def close(self) -> None:
        rtp, rtcp, self._rtp, self._rtcp = self._rtp, self._rtcp, None, None
        if rtp is not None and rtcp is not None:
            self._to_rtp = self._to_rtcp = _refuse
            self._release(rtp, rtcp)


def _refuse(data: bytes, destination: Address) -> int:
    raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def close_both(rtp: UdpPort, rtcp: UdpPort) -> None:
    """Free a pair of ports."""
    rtp.close()
    rtcp.close()


def bind_pair(
    host: str, ports: tuple[int, int], uniform: Uniform, dscp: int = EXPEDITED
) -> tuple[UdpPort, UdpPort]:
    """An even port and the next one. Raises TransportError."""
    try:
        family, address = _socket_address(host)
    except OSError as error:
        raise TransportError(f"{host!r} is not an IP address") from error
    refusal: OSError | None = None
    for number in _candidates(ports, uniform):
        try:
            return _bind_pair(family, address, number, dscp)
        except OSError as error:
            refusal = error
    why = refusal or f"none in {ports}"
    raise TransportError(f"no pair of RTP ports on {host}: {why}") from refusal


@lru_cache(maxsize=16)  # a host has few addresses
def _socket_address(host: str) -> tuple[int, Address]:
    flags = socket.AI_NUMERICHOST
    family, _, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM, flags=flags)[0]
    return family, address


def _candidates(ports: tuple[int, int], uniform: Uniform) -> Iterator[int]:
    """Even ports to try, 0 for any. They begin anywhere in the range, far from the last call's stragglers."""
    first, last = ports
    if not first:
        return iter([0] * ATTEMPTS)
    pairs = range(first + first % 2, last, 2)
    start = int(uniform(0, len(pairs)))
    return iter([*pairs[start:], *pairs[:start]])


def _bind_pair(family: int, address: Address, number: int, dscp: int) -> tuple[UdpPort, UdpPort]:
    """The sockets of the port and the next one; for 0, of whatever port is given and its neighbour."""
    one = UdpPort.bind(family, address, number, dscp)
    try:
        other = UdpPort.bind(family, address, one.number ^ 1, dscp)
    except OSError:
        one.close()
        raise
    return (other, one) if one.number % 2 else (one, other)
