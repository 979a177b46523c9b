"""Free ports of the loopback interface, and the addresses that the machine has beside it."""

from __future__ import annotations

import socket

import ifaddr

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that is free for UDP and TCP right now."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
            stream.bind((HOST, 0))
            port = int(stream.getsockname()[1])
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
                try:
                    datagrams.bind((HOST, port))
                except OSError:
                    continue
                return port
    raise OSError("no port is free for UDP and TCP")


def free_ports(number: int) -> list[int]:
    """That many, all different."""
    found: set[int] = set()
    while len(found) < number:
        found.add(free_port())
    return list(found)


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
