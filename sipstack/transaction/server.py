"""The non-INVITE server transaction (RFC 3261 §17.2.2).

request --> TRYING -- 1xx --> PROCEEDING -- 2xx-6xx --> COMPLETED -- J --> TERMINATED
               \\---------- 2xx-6xx --------------------/
"""

from __future__ import annotations

from typing import Any

from sipstack.errors import LocalProtocolError, TransportError
from sipstack.transaction.effects import NOTHING, Effects, Fail, Send
from sipstack.transaction.flow import Flow
from sipstack.transaction.machine import State, Transaction
from sipstack.transaction.timers import Timers


class ServerTransaction(Transaction):
    """Answers one request other than INVITE and ACK."""

    __slots__ = ("last", "merge_key")

    def __init__(self, key: Any, flow: Flow, timers: Timers) -> None:
        super().__init__(key, flow, timers, State.TRYING)
        self.last: bytes | None = None
        self.merge_key: Any = None

    def receive(self, now: float) -> Effects:
        """The request came again: repeat the latest response, if there is one (§17.2.2)."""
        return NOTHING if self.last is None or self.state is State.TERMINATED else (Send(self.last),)

    def respond(self, status: int, data: bytes, now: float) -> Effects:
        """The user answers with ``status``; ``data`` is the serialised response."""
        if self.state is State.COMPLETED or self.state is State.TERMINATED:
            raise LocalProtocolError(f"{status} after the final response")
        self.last = data
        if status < 200:
            self.state = State.PROCEEDING
        else:
            self.linger(State.COMPLETED, now, self.timers.timeout)  # Timer J
        return (Send(data),)

    def expired(self, now: float) -> Effects:
        self.enter(State.TERMINATED)
        return NOTHING

    def transport_failed(self, error: TransportError, now: float) -> Effects:
        """RFC 6026 §8.8: the user is told, the state stays."""
        return (Fail(error),)
