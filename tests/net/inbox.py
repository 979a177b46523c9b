"""What a UDP endpoint received and what failed, to be waited for. Real sockets, so real time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sipstack.core.outputs import Address, Flow, Target
from sipstack.errors import TransportError
from sipstack.net.network import Endpoint
from sipstack.net.udp import UdpEndpoint

PATIENCE = 10.0
LOOPBACK: Address = ("127.0.0.1", 0)


class Inbox:
    """Takes the calls of an endpoint."""

    def __init__(self) -> None:
        self.received: list[tuple[Flow, bytes]] = []
        self.failures: list[tuple[Flow, str]] = []
        self._news = asyncio.Event()

    @property
    def data(self) -> list[bytes]:
        return [data for _, data in self.received]

    def receive(self, flow: Flow, data: bytes) -> None:
        self.received.append((flow, data))
        self._news.set()

    def fail(self, flow: Flow, error: TransportError) -> None:
        self.failures.append((flow, str(error)))
        self._news.set()

    async def wait(self, *, received: int = 0, failures: int = 0) -> None:
        """Until there are so many."""
        async with asyncio.timeout(PATIENCE):
            while len(self.received) < received or len(self.failures) < failures:
                self._news.clear()
                await self._news.wait()


class User:
    """An EndpointUser that puts everything into an inbox."""

    def __init__(self, inbox: Inbox) -> None:
        self.received = inbox.receive
        self.failed = inbox.fail

    def opened(self, target: Target, flow: Flow) -> None:
        raise AssertionError(f"a connection to {target}")

    def refused(self, target: Target, error: TransportError) -> None:
        raise AssertionError(f"no connection to {target}: {error}")

    def accepted(self, flow: Flow) -> None:
        raise AssertionError(f"a connection: {flow}")

    def moved(self, endpoint: Endpoint, reason: str) -> None:
        raise AssertionError(f"another address: {reason}")

    def ponged(self, flow: Flow) -> None:
        raise AssertionError(f"a pong: {flow}")


@contextmanager
def listening(address: Address = LOOPBACK, **more: Any) -> Iterator[tuple[UdpEndpoint, Inbox]]:
    """An endpoint and its inbox, closed at the end."""
    inbox = Inbox()
    endpoint = UdpEndpoint(asyncio.get_running_loop(), address, inbox.receive, inbox.fail, **more)
    try:
        yield endpoint, inbox
    finally:
        endpoint.close()
