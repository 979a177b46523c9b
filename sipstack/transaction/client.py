"""The non-INVITE client transaction (RFC 3261 §17.1.2).

TRYING -- 1xx --> PROCEEDING -- 2xx-6xx --> COMPLETED -- K --> TERMINATED
   |  E: again, slower and slower; in Proceeding every T2
   \\--- F: timeout, in both
"""

from __future__ import annotations

from typing import Any

from sipstack.errors import TransactionTimeout, TransportError
from sipstack.message import Request, Response
from sipstack.transaction.effects import NOTHING, Deliver, Effects, Fail, Send
from sipstack.transaction.flow import Flow
from sipstack.transaction.machine import ClientUser, State, Transaction
from sipstack.transaction.timers import Timers


class ClientTransaction(Transaction):
    """Sends one request other than INVITE and ACK."""

    __slots__ = ("_data", "method", "user")

    def __init__(self, key: Any, flow: Flow, timers: Timers, request: Request, user: ClientUser) -> None:
        super().__init__(key, flow, timers, State.TRYING)
        self.method = request.method
        self.user = user
        self._data: bytes = bytes(request)

    def start(self, now: float) -> Effects:
        """Send the request."""
        self.expires_at = now + self.timers.timeout  # Timer F
        if not self.flow.reliable:
            self.interval = self.timers.t1
            self.retransmit_at = now + self.interval  # Timer E
        return (Send(self._data),)

    def receive(self, response: Response, now: float) -> Effects:
        """A response with this transaction's branch."""
        if self.state is not State.TRYING and self.state is not State.PROCEEDING:
            return NOTHING
        if response.status < 200:
            self.state = State.PROCEEDING  # E and F go on
        else:
            self._data = b""
            self.linger(State.COMPLETED, now, self.timers.t4)  # Timer K
        return (Deliver(response),)

    def retransmit(self, now: float) -> Effects:
        t2 = self.timers.t2
        self.interval = t2 if self.state is State.PROCEEDING else min(2 * self.interval, t2)
        self.retransmit_at = now + self.interval
        return (Send(self._data),)

    def expired(self, now: float) -> Effects:
        unanswered = self.state is not State.COMPLETED
        self.enter(State.TERMINATED)
        return (Fail(TransactionTimeout(f"no response to {self.method}")),) if unanswered else NOTHING

    def transport_failed(self, error: TransportError, now: float) -> Effects:
        """§17.1.4: the user is told and the transaction is gone, unless the answer is already here."""
        if self.state is State.COMPLETED or self.state is State.TERMINATED:
            return NOTHING
        self.enter(State.TERMINATED)
        return (Fail(error),)
