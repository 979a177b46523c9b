"""Endpoints of streams on loopback, and what their users are told, to be waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sipstack.core.outputs import Flow, Target
from sipstack.errors import TransportError
from sipstack.net.host import DIALLERS, HostNetwork
from sipstack.net.network import Endpoint, Listen
from sipstack.net.settings import DEFAULTS, Settings
from sipstack.net.stream_endpoint import StreamEndpoint

PATIENCE = 10.0
REQUEST = (
    b"OPTIONS sip:b SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b>\r\n"
    b"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
)
MESSAGE = REQUEST + b"Content-Length: 4\r\n\r\nbody"


class Told:
    """An EndpointUser that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[tuple[Flow, bytes]] = []
        self.there: list[tuple[Target, Flow]] = []
        self.refusals: list[tuple[Target, str]] = []
        self.visitors: list[Flow] = []
        self.failures: list[tuple[Flow, str]] = []
        self.pongs: list[Flow] = []
        self._news = asyncio.Event()

    def received(self, flow: Flow, data: bytes) -> None:
        self.messages.append((flow, data))
        self._news.set()

    def opened(self, target: Target, flow: Flow) -> None:
        self.there.append((target, flow))
        self._news.set()

    def refused(self, target: Target, error: TransportError) -> None:
        self.refusals.append((target, str(error)))
        self._news.set()

    def accepted(self, flow: Flow) -> None:
        self.visitors.append(flow)
        self._news.set()

    def failed(self, flow: Flow, error: TransportError) -> None:
        self.failures.append((flow, str(error)))
        self._news.set()

    def moved(self, endpoint: Endpoint, reason: str) -> None:
        raise AssertionError(f"another address: {reason}")

    def ponged(self, flow: Flow) -> None:
        self.pongs.append(flow)
        self._news.set()

    async def wait(
        self,
        *,
        messages: int = 0,
        there: int = 0,
        refusals: int = 0,
        visitors: int = 0,
        failures: int = 0,
        pongs: int = 0,
    ) -> None:
        """Until it was told so many of each."""
        async with asyncio.timeout(PATIENCE):
            while (
                len(self.messages) < messages
                or len(self.there) < there
                or len(self.refusals) < refusals
                or len(self.visitors) < visitors
                or len(self.failures) < failures
                or len(self.pongs) < pongs
            ):
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def listening(
    text: str = "tcp:127.0.0.1:0", settings: Settings = DEFAULTS
) -> AsyncIterator[tuple[StreamEndpoint, Told]]:
    """A listening endpoint, closed at the end."""
    told = Told()
    network = HostNetwork(settings)
    endpoint = await network.listen(Listen.parse(text, network.transports), told)
    assert isinstance(endpoint, StreamEndpoint)
    try:
        yield endpoint, told
    finally:
        endpoint.close()
        await endpoint.wait_closed()


@asynccontextmanager
async def dialling(
    transport: str = "tcp", settings: Settings = DEFAULTS
) -> AsyncIterator[tuple[StreamEndpoint, Told]]:
    """An endpoint that only opens connections, closed at the end."""
    told = Told()
    endpoint = DIALLERS[transport](told, settings)
    assert isinstance(endpoint, StreamEndpoint)
    try:
        yield endpoint, told
    finally:
        endpoint.close()
        await endpoint.wait_closed()
