"""Free ports for RTP."""

from __future__ import annotations

import contextlib
import random
import socket

from interop.ports import HOST

RTP_PORTS = range(20000, 30000)  # below the ports that the system assigns itself


def free_range(length: int) -> range:
    """That many free ports in a row, the first one even."""
    for _ in range(100):
        first = 2 * random.randrange(RTP_PORTS.start // 2, (RTP_PORTS.stop - length) // 2)
        found = range(first, first + length)
        if all(map(_is_free, found)):
            return found
    raise OSError(f"no {length} free ports in a row")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, contextlib.suppress(OSError):
        one.bind((HOST, port))
        return True
    return False
