"""RTP and RTCP over a pair of UDP ports (RFC 3550 §11)."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterator
from typing import Protocol

from sipstack.errors import TransportError
from sipstack.icmp import ask_for_errors, take_errors
from sipstack.log import MEDIA
from sipstack.media.peer_address import Address
from sipstack.readers import Reader, ReceiveFrom

LARGEST = 2048
"""Octets of a datagram that are read: an Ethernet frame and more."""
ATTEMPTS = 64
"""Ephemeral ports tried until one has a free neighbour."""

Receive = Callable[[bytes, Address, float], None]
"""Called with a datagram, its source and the loop's time."""
Failed = Callable[[TransportError], None]
"""Called once, when nothing can be received any more."""

PASSING = frozenset(
    {
        # Some systems report on reading that an earlier packet was not delivered (ICMP).
        *(errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH),
        *(errno.ENOPROTOOPT, errno.EOPNOTSUPP, errno.EMSGSIZE, errno.EPROTO, errno.EACCES),
        *(errno.ENOBUFS, errno.ENOMEM),
    }
)
"""Errors of reading after which the socket is as good as before."""

ERRORS = 16
"""Queued errors taken at once: more are taken the next time."""


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


Bind = Callable[[str, tuple[int, int], Callable[[float, float], float]], RtpTransport]
"""Opens a transport: the local address, the ports to choose from, and a source of numbers to choose with."""


class UdpTransport:
    """A pair of ports: an even one for RTP, the next for RTCP."""

    def __init__(self, rtp: socket.socket, rtcp: socket.socket) -> None:
        self._rtp = rtp
        self._rtcp = rtcp
        self._readers: list[Reader] = []
        self.port: int = rtp.getsockname()[1]
        self.rtcp_port: int = rtcp.getsockname()[1]
        self.send_errors = 0
        self._told = False

    @classmethod
    def bind(
        cls, host: str, ports: tuple[int, int], uniform: Callable[[float, float], float]
    ) -> UdpTransport:
        """A pair on the local address ``host``, within ``ports`` (first, last) or, for (0, 0), anywhere.

        Raises TransportError when the address is not ours or no pair is free.
        """
        try:
            family, _, _, _, address = socket.getaddrinfo(
                host, 0, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
            )[0]
        except OSError as error:
            raise TransportError(f"{host!r} is not an IP address") from error
        refusal: OSError | None = None
        for port in _candidates(ports, uniform):
            try:
                return cls(*_bind_pair(family, address, port))
            except OSError as error:
                refusal = error
        why = refusal or f"none in {ports}"
        raise TransportError(f"no pair of RTP ports on {host}: {why}") from refusal

    def start(self, rtp: Receive, rtcp: Receive, failed: Failed) -> None:
        time = asyncio.get_running_loop().time
        self._readers = [
            Reader(self._rtp, LARGEST, self._read, self._rtp, rtp, failed, time),
            Reader(self._rtcp, LARGEST, self._read, self._rtcp, rtcp, failed, time),
        ]

    def send_rtp(self, data: bytes, destination: Address) -> None:
        self._send(self._rtp, data, destination)

    def send_rtcp(self, data: bytes, destination: Address) -> None:
        self._send(self._rtcp, data, destination)

    def _send(self, sock: socket.socket, data: bytes, destination: Address) -> None:
        try:
            sock.sendto(data, destination)
        except OSError as error:
            # An ICMP error for an earlier packet surfaces here: it is counted, and this one still goes out.
            if self._take_errors(sock):
                try:
                    sock.sendto(data, destination)
                except OSError as again:
                    self._count(again)
            else:
                self._count(error)

    def _count(self, error: OSError) -> None:
        self.send_errors += 1
        if not self._told:
            self._told = True
            MEDIA.warning("media from port %s does not arrive: %s", self.port, error.strerror or error)

    def _take_errors(self, sock: socket.socket) -> bool:
        """Take what ICMP has reported, and tell whether there was something. It is counted and written to the
        log, and no more: anybody can forge it.
        """
        numbers = [number for number, _ in take_errors(sock, ERRORS)]
        for number in numbers:
            self._count(OSError(number, os.strerror(number)))
        return bool(numbers)

    def close(self) -> None:
        if self._readers:
            for reader in self._readers:
                reader.close()
        else:
            self._rtp.close()
            self._rtcp.close()

    def _stop(self) -> None:
        for reader in self._readers:
            reader.stop()

    def _read(
        self,
        receive_from: ReceiveFrom,
        sock: socket.socket,
        receive: Receive,
        failed: Failed,
        time: Callable[[], float],
    ) -> None:
        # One datagram a turn. When more wait the loop calls again, after all others had their turn: a flood
        # starves nobody, and asking for more would be a failing system call for nearly every packet.
        try:
            data, source = receive_from(LARGEST)
        except (BlockingIOError, InterruptedError):
            self._take_errors(sock)  # what else could have woken us
            return
        except OSError as error:
            if self._take_errors(sock):
                return
            if error.errno in PASSING:
                self._count(error)
            else:  # it would fail again in each turn of the loop
                self._stop()
                failed(TransportError(f"media cannot be received any more: {error}"))
            return
        receive(data, source, time())


def _candidates(ports: tuple[int, int], uniform: Callable[[float, float], float]) -> Iterator[int]:
    """Even ports to try, 0 for any. They begin anywhere in the range, far from the last call's stragglers."""
    first, last = ports
    if not first:
        return iter([0] * ATTEMPTS)
    pairs = range(first + first % 2, last, 2)
    start = int(uniform(0, len(pairs)))
    return iter([*pairs[start:], *pairs[:start]])


def _bind_pair(family: int, address: Address, port: int) -> tuple[socket.socket, socket.socket]:
    """The sockets of ``port`` and the next one; for 0, of whatever port is given and its neighbour."""
    sockets = [_bind(family, address, port)]
    try:
        bound: int = sockets[0].getsockname()[1]
        sockets.append(_bind(family, address, bound ^ 1))
    except OSError:
        sockets[0].close()
        raise
    even, odd = sorted(sockets, key=lambda sock: sock.getsockname()[1] % 2)
    return even, odd


def _bind(family: int, address: Address, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        ask_for_errors(sock)  # without them a peer that is gone is found by its silence
        sock.bind((address[0], port, *address[2:]))
    except OSError:
        sock.close()
        raise
    return sock
