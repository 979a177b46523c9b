"""A network for media in memory: seeded, with delay, jitter, loss and duplicates, in the loop's time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from sipstack.media.peer_address import Address
from sipstack.media.transport import Failed, Receive

Datagram = tuple[float, Address, Address, bytes]
"""When, from, to, what."""


class Wire:
    """``AudioSession(host, bind=wire.bind)`` attaches a session to it. ``sent`` has all RTP, in order."""

    def __init__(
        self,
        *,
        seed: int = 1,
        delay: float = 0.0,
        jitter: float = 0.0,
        loss: float = 0.0,
        duplicates: float = 0.0,
    ) -> None:
        self.ports: dict[Address, Receive] = {}
        self.sent: list[Datagram] = []
        self._random = random.Random(seed)
        self._delay, self._jitter = delay, jitter
        self._loss, self._duplicates = loss, duplicates
        self._next_port = 4000

    def bind(
        self, host: str, ports: tuple[int, int], uniform: Callable[[float, float], float]
    ) -> WireTransport:
        self._next_port += 2
        return WireTransport(self, host, self._next_port)

    def send(self, source: Address, destination: Address, data: bytes) -> None:
        """Deliver it some time, once, twice or never."""
        loop = asyncio.get_running_loop()
        if destination[1] % 2 == 0:
            self.sent.append((loop.time(), source, destination, data))
        for _ in range(2 if self._random.random() < self._duplicates else 1):
            if self._random.random() >= self._loss:
                delay = self._delay + (self._random.expovariate(1 / self._jitter) if self._jitter else 0.0)
                loop.call_later(delay, self._deliver, source, destination, data)

    def _deliver(self, source: Address, destination: Address, data: bytes) -> None:
        if receive := self.ports.get(destination):
            receive(data, source, asyncio.get_running_loop().time())


class WireTransport:
    """One session's end of the wire."""

    send_errors = 0

    def __init__(self, wire: Wire, host: str, port: int) -> None:
        self.port, self.rtcp_port = port, port + 1
        self._wire = wire
        self._host = host

    def start(self, rtp: Receive, rtcp: Receive, failed: Failed) -> None:
        self._wire.ports |= {(self._host, self.port): rtp, (self._host, self.rtcp_port): rtcp}

    def send_rtp(self, data: bytes, destination: Address) -> None:
        self._wire.send((self._host, self.port), destination, data)

    def send_rtcp(self, data: bytes, destination: Address) -> None:
        self._wire.send((self._host, self.rtcp_port), destination, data)

    def close(self) -> None:
        for port in (self.port, self.rtcp_port):
            self._wire.ports.pop((self._host, port), None)
