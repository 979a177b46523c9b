"""One UDP port for RTP or RTCP, used by one call after another."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable

from sipstack.errors import TransportError
from sipstack.icmp import ask_for_errors, take_errors
from sipstack.media.peer_address import Address
from sipstack.readers import Reader, ReceiveFrom

LARGEST = 2048
"""Octets of a datagram that are read: an Ethernet frame and more."""

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

EXPEDITED = 46
"""The DSCP of voice (RFC 4594 §4.1): Expedited Forwarding."""

Receive = Callable[[bytes, Address, float], None]
"""Called with a datagram, its source and the loop's time."""
Failed = Callable[[TransportError], None]
"""Called when nothing can be received any more."""
Count = Callable[[OSError], None]
"""Called with each error of a packet that was sent."""


def mark(sock: socket.socket, dscp: int) -> None:
    """Have the packets of this socket treated so by routers (RFC 2474), where the system lets us."""
    with contextlib.suppress(OSError, AttributeError):
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)


def _drop(*_: object) -> None:
    """Nobody is there to take it."""


class UdpPort:
    """A socket, and whom its datagrams and errors are handed to, since ``use``."""

    __slots__ = (
        "_count",
        "_failed",
        "_is_stopped",
        "_reader",
        "_time",
        "number",
        "receive",
        "sendto",
        "socket",
    )

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.sendto = sock.sendto
        self.number: int = sock.getsockname()[1]
        self.receive: Receive = _drop
        """Gets what arrives; may be set while it does."""
        self._count: Count = _drop
        self._failed: Failed = _drop
        self._reader: Reader | None = None
        self._is_stopped = False

    @classmethod
    def bind(cls, family: int, address: Address, number: int, dscp: int) -> UdpPort:
        """The port ``number`` of this address, 0 for any. Raises OSError."""
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            ask_for_errors(sock)  # without them a peer that is gone is found by its silence
            if dscp:
                mark(sock, dscp)
            sock.bind((address[0], number, *address[2:]))
            return cls(sock)
        except OSError:
            sock.close()
            raise

    @property
    def is_read(self) -> bool:
        """Whether what arrives is handed on: not before ``use``, and not after ``stop``."""
        return self._reader is not None and not self._is_stopped

    def use(self, receive: Receive, count: Count, failed: Failed) -> None:
        """Hand what arrives to ``receive`` from here on, and tell errors."""
        self.receive, self._count, self._failed = receive, count, failed
        if self._reader is None:
            self._time = asyncio.get_running_loop().time
            self._reader = Reader(self.socket, LARGEST, self._read)

    def stop(self) -> None:
        """Read no more: it is broken."""
        self._is_stopped = True
        if self._reader is not None:
            self._reader.stop()

    def close(self) -> None:
        """Read no more and free the port. Calling it again does nothing."""
        self.receive = self._count = self._failed = _drop  # they know the stream
        if self._reader is not None:
            self._reader.close()
        else:
            self.socket.close()

    def take_errors(self, count: Count) -> bool:
        """Take what ICMP has reported, and tell whether there was something. It is counted, and no more:
        anybody can forge it.
        """
        numbers = [number for number, _ in take_errors(self.socket, ERRORS)]
        for number in numbers:
            count(OSError(number, os.strerror(number)))
        return bool(numbers)

    def _read(self, receive_from: ReceiveFrom) -> None:
        # One datagram a turn. When more wait the loop calls again, after all others had their turn: a flood
        # starves nobody, and asking for more would be a failing system call for nearly every packet.
        try:
            data, source = receive_from(LARGEST)
        except (BlockingIOError, InterruptedError):
            self.take_errors(self._count)  # what else could have woken us
            return
        except OSError as error:
            if self.take_errors(self._count):
                return
            if error.errno in PASSING:
                self._count(error)
            else:  # it would fail again in each turn of the loop
                self.stop()
                self._failed(TransportError(f"media cannot be received any more: {error}"))
            return
        self.receive(data, source, self._time())
