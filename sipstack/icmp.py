"""What ICMP tells of datagrams that did not arrive. Linux queues it for the socket; others tell nothing."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import Any

IP_RECVERR = 11  # Python has no names for these
IPV6_RECVERR = 25
MSG_ERRQUEUE = 0x2000
ERRORS = ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR))


def ask_for_errors(sock: socket.socket) -> None:
    """Have the kernel queue ICMP errors for this UDP socket, where it can."""
    level, option = ERRORS[sock.family == socket.AF_INET6]
    with contextlib.suppress(OSError):
        sock.setsockopt(level, option, 1)


def take_errors(sock: socket.socket, most: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Take ``most`` errors at the most off the queue, where they would wake the reader again and again: the
    errno of each, and the address that the datagram was sent to. Anybody can forge one.
    """
    for _ in range(most):
        try:
            _, ancillary, _, address = sock.recvmsg(0, 512, MSG_ERRQUEUE)
        except OSError:
            return
        for level, kind, data in ancillary:
            if (level, kind) in ERRORS:
                yield struct.unpack_from("=I", data)[0], address
