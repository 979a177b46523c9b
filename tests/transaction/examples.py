"""The flows and messages that the tests of the machines use, and ways to drive a machine."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs

from sipstack.errors import SipError
from sipstack.message import Request, Response
from sipstack.transaction.effects import Effects
from sipstack.transaction.flow import Flow
from sipstack.transaction.machine import State, Transaction
from sipstack.transaction.timers import Timers

UDP = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.2", 5060))
TCP = Flow("TCP", ("192.0.2.1", 5060), ("192.0.2.2", 5060), reliable=True)
TIMERS = Timers()


def request(method: str, branch: str = "z9hG4bK1", **changes: str) -> Request:
    """A request of alice's; ``changes`` are header fields by name, with _ for -; "" leaves the field out."""
    fields = {
        "Via": f"SIP/2.0/UDP 192.0.2.1:5060;rport;branch={branch}",
        "Max-Forwards": "70",
        "From": "<sip:alice@example.com>;tag=a1",
        "To": "<sip:bob@example.com>",
        "Call-ID": "call-1",
        "CSeq": f"1 {method}",
        "Contact": "<sip:alice@192.0.2.1:5060>",
    }
    fields |= {name.replace("_", "-"): value for name, value in changes.items()}
    return Request(method, "sip:bob@192.0.2.2", [(name, value) for name, value in fields.items() if value])


def response(to: Request, status: int, to_tag: str = "b1") -> Response:
    """Bob's response."""
    return to.response(status, to_tag=to_tag)


@attrs.define
class User:
    """A transaction user that takes notes, and may act on what it hears."""

    heard: list[object] = attrs.Factory(list)
    act: Callable[[], None] = lambda: None

    def response_received(self, response: Response, now: float) -> None:
        self.heard.append((now, response.status))
        self.act()

    def request_failed(self, error: SipError, now: float) -> None:
        self.heard.append((now, type(error).__name__))
        self.act()


@attrs.frozen
class Situation:
    """A machine's state and its two running timers."""

    state: State
    retransmit_at: float = math.inf
    expires_at: float = math.inf

    @classmethod
    def of(cls, machine: Transaction) -> Situation:
        return cls(machine.state, machine.retransmit_at, machine.expires_at)


def left_alone(machine: Transaction, start: float = 0.0) -> list[tuple[float, Effects]]:
    """Runs all timers to their end; when each fired, in seconds after ``start``, and what it did."""
    fired = []
    while (now := machine.deadline) < math.inf:
        fired.append((round(now - start, 6), machine.timeout(now)))
        assert machine.deadline > now, "a deadline in the past"
        assert len(fired) < 1000, "a timer that never ends"
    return fired
