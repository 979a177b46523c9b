"""The ports of a host, and the errors of the system that has them."""

from __future__ import annotations

import errno
import ipaddress
import os
from collections.abc import Container

from sipstack.transaction.flow import Address

FIRST_PORT = 49152
LAST_PORT = 65535


def taking(host: str, port: int, taken: Container[Address]) -> Address:
    """The address that a socket takes which asks for this port; port 0 is the first free one.

    Raises OSError as ``bind`` does: EADDRNOTAVAIL for a wildcard (a simulated host has one address),
    EADDRINUSE.
    """
    if ipaddress.ip_address(host).is_unspecified:
        raise system_error(errno.EADDRNOTAVAIL)
    ports = [port] if port else range(FIRST_PORT, LAST_PORT + 1)
    free = next(((host, number) for number in ports if (host, number) not in taken), None)
    if free is None:
        raise system_error(errno.EADDRINUSE)
    return free


def system_error(code: int) -> OSError:
    """The exception for an errno: ConnectionRefusedError, ConnectionResetError, TimeoutError and so on."""
    return OSError(code, os.strerror(code))
