"""UDP ports of this machine for scripted peers, before an application that runs as a process of its own."""

from __future__ import annotations

import asyncio
import socket

from sipstack.testing.simulated import Failed, Receive
from sipstack.transaction.flow import Address

LARGEST = 65_535


class Loopback:
    """Takes the place of a world for scripted peers: real sockets, the running event loop and its time.

    Not for virtual time, which does not wait for another process.
    """

    @property
    def now(self) -> float:
        """The time of the event loop in seconds."""
        return asyncio.get_running_loop().time()

    def catch_up(self) -> None:
        """The event loop does."""

    def listen(
        self, name: str, address: Address | None, receive: Receive, failed: Failed
    ) -> LoopbackEndpoint:
        """Open a port, a free one of 127.0.0.1 unless told. ``name`` is not published. Raises OSError."""
        return LoopbackEndpoint(address or ("127.0.0.1", 0), receive, failed)


class LoopbackEndpoint:
    """A UDP socket, read in the running event loop."""

    def __init__(self, address: Address, receive: Receive, failed: Failed) -> None:
        self._receive = receive
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.bind(address)
        except OSError:
            self._socket.close()
            raise
        self.local: Address = self._socket.getsockname()[:2]
        self._loop.add_reader(self._socket, self._readable)

    def send(self, data: bytes, remote: Address) -> None:
        """Send one datagram. Raises OSError."""
        self._socket.sendto(data, remote)

    def close(self) -> None:
        """Give the port back. May be called again."""
        if self._socket.fileno() != -1:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _readable(self) -> None:
        try:
            data, source = self._socket.recvfrom(LARGEST)
        except OSError:  # an ICMP error that an earlier datagram caused: whose, the system does not say
            return
        self._receive(data, source[:2])
