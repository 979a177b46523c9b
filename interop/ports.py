"""Free ports of the loopback interface, and the addresses that the machine has beside it."""

from __future__ import annotations

import random
import socket

import ifaddr

HOST = "127.0.0.1"
PORTS = range(12000, 20000)
"""Below those of Asterisk's media and those that Linux gives to whoever connects: free until bound."""

_given: set[int] = set()


def free_port() -> int:
    """A port that is free for UDP and TCP right now, and that this process was not given before."""
    for _ in range(100):
        port = random.choice(PORTS)
        if port not in _given and _free(port):
            _given.add(port)
            return port
    raise OSError("no port is free for UDP and TCP")


def free_ports(number: int) -> list[int]:
    """That many, all different."""
    return [free_port() for _ in range(number)]


def addresses() -> list[str]:
    """The IPv4 addresses of this machine but those of the loopback interface."""
    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)]
    return [address for address in found if not address.startswith("127.")]


def accepts(port: int, host: str = HOST) -> bool:
    """Whether somebody takes TCP connections at the port."""
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _free(port: int) -> bool:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        try:
            stream.bind((HOST, port))
            datagrams.bind((HOST, port))
        except OSError:
            return False
    return True
