"""Connections without end: ``python -m interop.bench.attack_connect PORT ATTEMPTS``.

They come from one address, 127.0.0.2, and say nothing. The newest ``AT_ONCE`` stay open, those before are
reset. The attempts and the seconds are printed when all are made; the end of stdin ends the rest.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
import time
from collections import deque

from interop.bench.attack_flood import SOURCE
from interop.bench.pipes import HOST
from interop.bench.stream_uas import take_descriptors

AT_ONCE = 10_000
RESET = struct.pack("ii", 1, 0)
UNDER_WAY = (0, errno.EINPROGRESS)


def attempt(port: int) -> socket.socket:
    """One connection, made or under way. Raises OSError where none can be begun."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.bind((SOURCE, 0))
    status = sock.connect_ex((HOST, port))
    if status not in UNDER_WAY:
        sock.close()
        raise OSError(status, f"no connection to port {port} can be begun: {os.strerror(status)}")
    return sock


def flood(port: int, attempts: int) -> deque[socket.socket]:
    """Makes all of them; returns those that are open still. Raises OSError."""
    opened: deque[socket.socket] = deque()
    for _ in range(attempts):
        opened.append(attempt(port))
        if len(opened) > AT_ONCE:
            opened.popleft().close()
    return opened


def main(port: int, attempts: int) -> None:
    """Until stdin ends."""
    take_descriptors()
    begun = time.monotonic()
    opened = flood(port, attempts)
    sys.stdout.write(f"{attempts} {time.monotonic() - begun}\n")
    sys.stdout.flush()
    sys.stdin.read()
    for each in opened:
        each.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
