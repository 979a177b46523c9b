"""A UAS without sockets: the pure core, fed with the messages of sipp's own scenario; it answers at once."""

from __future__ import annotations

import random

from interop.bench.floor import ANSWER
from sipstack.core.configuration import Configuration
from sipstack.core.core import Core
from sipstack.core.events import InvitationReceived
from sipstack.core.outputs import Transmit, Transport
from sipstack.dialog.identity import Identity
from sipstack.identifiers import Identifiers
from sipstack.transaction.flow import Flow

_REQUEST = (
    "{method} sip:service@127.0.0.1:5060 SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bK-{number}-{cseq}-{method}\r\n"
    "From: sipp <sip:sipp@127.0.0.1:5061>;tag={number}SIPpTag00\r\n"
    "To: service <sip:service@127.0.0.1:5060>{tag}\r\n"
    "Call-ID: {number}-1@127.0.0.1\r\n"
    "CSeq: {cseq} {method}\r\n"
    "Contact: sip:sipp@127.0.0.1:5061\r\n"
    "Max-Forwards: 70\r\n"
    "Subject: Performance Test\r\n"
)
_INVITE = (
    _REQUEST + f"Content-Type: application/sdp\r\nContent-Length: {len(ANSWER)}\r\n\r\n{ANSWER.decode()}"
)
_EMPTY = _REQUEST + "Content-Length: 0\r\n\r\n"


class CoreServer:
    """Takes calls, identified by a number, at a time of its own that goes on by a millisecond a call."""

    def __init__(self) -> None:
        configuration = Configuration(Identity("<sip:bench@127.0.0.1>"))
        self._core = Core(configuration, Identifiers(random.Random(1)))
        self._core.speak(Transport("UDP"))
        self._flow = Flow("UDP", ("127.0.0.1", 5060), ("127.0.0.1", 5061))
        self._now = 0.0

    def answer(self, number: int) -> str:
        """A call comes, is answered and acknowledged; gives the tag that stands for our side."""
        self._now += 0.001
        self._receive(_INVITE.format(method="INVITE", number=number, cseq=1, tag=""))
        event = self._core.events.popleft()
        if not isinstance(event, InvitationReceived):
            raise TypeError(f"not an invitation: {event}")
        event.invitation.accept(ANSWER, self._now)
        tag = _tag(self._sent())
        self._receive(_EMPTY.format(method="ACK", number=number, cseq=1, tag=tag))
        return tag

    def hang_up(self, number: int, tag: str) -> None:
        """The caller's BYE comes and is answered."""
        self._receive(_EMPTY.format(method="BYE", number=number, cseq=2, tag=tag))
        if not self._sent().startswith(b"SIP/2.0 200 "):
            raise ValueError("the BYE was refused")
        self._core.events.clear()
        if self._now >= self._core.deadline:
            self._core.timeout(self._now)

    def _receive(self, request: str) -> None:
        self._core.receive(self._flow, request.encode(), self._now)

    def _sent(self) -> bytes:
        """The last octets that the core wants sent; all are taken."""
        output = self._core.outputs.pop()
        self._core.outputs.clear()
        if not isinstance(output, Transmit):
            raise TypeError(f"nothing to send: {output}")
        return output.data


def _tag(response: bytes) -> str:
    """The To field's tag parameter, as it is to be echoed."""
    start = response.index(b"\r\nTo:")
    end = response.index(b"\r\n", start + 2)
    return response[response.index(b";tag=", start) : end].decode()


def calls(server: CoreServer, first: int, count: int) -> None:
    """Calls one after the other, each answered, acknowledged and ended."""
    for number in range(first, first + count):
        server.hang_up(number, server.answer(number))
