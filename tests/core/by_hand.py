"""A core that speaks several transports, and a test that is its driver."""

from __future__ import annotations

import random
from typing import Any

from sipstack.core.configuration import Configuration
from sipstack.core.core import Core
from sipstack.core.events import Event, Routed
from sipstack.core.outputs import Flow, Open, Output, Target, Transmit, Transport
from sipstack.dialog.identity import Identity
from sipstack.errors import TransportError
from sipstack.identifiers import Identifiers
from sipstack.message import Request, Response, parse
from sipstack.testing.agent import ANSWER, OFFER
from sipstack.usage.invite.outgoing import OutgoingInviteUsage

HERE = "192.0.2.1"
UDP = Transport("UDP")
TCP = Transport("TCP", reliable=True)
TLS = Transport("TLS", reliable=True, secure=True, default_port=5061)
REFUSED = TransportError("connection refused")


def flow(transport: Transport, remote: tuple[str, int], connection: int = 1) -> Flow:
    """A flow from here to ``remote``."""
    number = connection if transport.reliable else 0
    port = transport.default_port
    return Flow(transport.name, (HERE, port), remote, transport.reliable, transport.secure, number)


class ByHand:
    """What the core puts out since the last look is ``outputs()``; its requests are kept."""

    def __init__(self, *transports: Transport, proxy: str | None = None, **configuration: Any) -> None:
        identity = Identity("<sip:alice@example.com>", "alice", proxy=proxy)
        self.core = Core(Configuration(identity, **configuration), Identifiers(random.Random(1)))
        for transport in transports or (UDP, TCP, TLS):
            self.core.speak(transport)
        self.events: list[Event] = []
        self.sent: list[tuple[Flow, Request | Response]] = []

    def outputs(self) -> list[Output]:
        """Everything that the core wants of its driver but the way of datagrams, which is there at once."""
        core, found = self.core, list[Output]()
        while core.outputs or core.events:
            while core.events:
                event = core.events.popleft()
                self.events.append(event)
                if isinstance(event, Routed):
                    event.outgoing.offer(OFFER, 0.0)
            while core.outputs:
                output = core.outputs.popleft()
                if isinstance(output, Open) and output.target.transport == "UDP":
                    core.flow_opened(output.target, flow(UDP, output.target.address), 0.0)
                    continue
                found.append(output)
                if isinstance(output, Transmit):
                    self.sent.append((output.flow, parse(output.data)))
        return found

    def asked(self) -> list[Target]:
        """The connections that the core wants opened."""
        return [output.target for output in self.outputs() if isinstance(output, Open)]

    def went(self) -> list[str]:
        """What went out since the last look: the transport, the port, and the request or status."""
        before = len(self.sent)
        self.outputs()
        return [
            f"{way.transport} {way.remote[1]} {message.start_line}" for way, message in self.sent[before:]
        ]

    @property
    def last(self) -> tuple[Flow, Request | Response]:
        """What went out last, and where."""
        self.outputs()
        return self.sent[-1]

    @property
    def request(self) -> Request:
        """The last request that went out."""
        self.outputs()
        return next(message for _, message in reversed(self.sent) if isinstance(message, Request))

    def call(self, target: str) -> OutgoingInviteUsage:
        usage = self.core.outgoing(target)
        usage.start(0.0)
        return usage

    def answer(self, way: Flow, status: int, contact: str = "", *fields: tuple[str, str]) -> None:
        """Answer the last request, over ``way``."""
        headers = [*fields, *([("Contact", f"<{contact}>")] if contact else [])]
        body = b""
        if self.request.method == "INVITE" and status < 300:
            headers, body = [*headers, ("Content-Type", "application/sdp")], ANSWER
        response = self.request.response(status, to_tag="b", headers=headers, body=body)
        self.core.receive(way, bytes(response), 0.0)

    def timeout(self, now: float) -> None:
        """It is ``now``."""
        self.core.timeout(now)
