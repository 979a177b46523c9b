"""Calls placed through the public API and answered from templates in the same process.

The real figure is measured over sockets (`uac`); here no other program takes part, so
instructions can be counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from interop.bench.floor import ANSWER
from interop.bench.no_media import NoMedia
from sipstack import UserAgent
from sipstack.core.dns_records import Answer, Query
from sipstack.core.outputs import Address, Flow, Target, Transport
from sipstack.net.network import Endpoint, EndpointUser, Listen

TOGETHER = 20
_RINGING = b"SIP/2.0 180 Ringing\r\n%b;tag=placed\r\n%b\r\n%b\r\nContent-Length: 0\r\n\r\n"
_ACCEPTED = (
    b"SIP/2.0 200 OK\r\n%%b;tag=placed\r\n%%b\r\n%%b\r\nContact: <sip:127.0.0.1>\r\n"
    b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)
)
_ENDED = b"SIP/2.0 200 OK\r\n%b\r\n%b\r\n%b\r\nContent-Length: 0\r\n\r\n"


def answers(request: bytes) -> list[bytes]:
    """The responses to one request of ours, whose lines stand as `Draft.write` puts them."""
    method, _, rest = request.partition(b" ")
    if method == b"ACK":
        return []
    _, via, _, from_, to, call_id, cseq, _ = rest.split(b"\r\n", 7)
    parts = (b"\r\n".join((via, from_, to)), call_id, cseq)
    return [_RINGING % parts, _ACCEPTED % parts] if method == b"INVITE" else [_ENDED % parts]


class Answering:
    """A network with one host that answers all calls, and our endpoint in it."""

    transport = Transport("UDP")
    transports: Collection[str] = ("udp",)

    def __init__(self) -> None:
        self.local: Address = ("127.0.0.1", 5070)
        self._loop = asyncio.get_running_loop()

    async def listen(self, listen: Listen, user: EndpointUser) -> Endpoint:
        self._receive = user.received
        return self

    def diallers(self, spoken: Collection[str], user: EndpointUser) -> list[Endpoint]:
        return []

    async def resolve(self, query: Query) -> Answer:
        raise AssertionError("the target is an address")

    def open(self, target: Target) -> Flow:
        return self.flow_to(target.address)

    def close_flow(self, flow: Flow) -> None:
        """Nothing: there is no connection."""

    def flow_to(self, remote: Address) -> Flow:
        return Flow("UDP", self.local, remote, endpoint=self)

    def send(self, flow: Flow, data: bytes) -> None:
        for response in answers(data):
            self._loop.call_soon(self._receive, flow, response)

    def close(self) -> None:
        """There is nothing to close."""

    async def wait_closed(self) -> None:
        """There is nothing to wait for."""


async def _place(agent: UserAgent) -> None:
    async with agent.call("sip:service@127.0.0.1"):
        pass


async def place(count: int) -> None:
    """Places ``count`` calls, `TOGETHER` at a time."""
    no_media = NoMedia()
    async with UserAgent(
        "sip:bench@127.0.0.1", network=Answering(), seed=1, media=lambda host: no_media
    ) as agent:
        for first in range(0, count, TOGETHER):
            together = min(TOGETHER, count - first)
            await asyncio.gather(*(_place(agent) for _ in range(together)))
