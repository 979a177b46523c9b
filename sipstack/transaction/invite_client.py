"""The INVITE client transaction (RFC 3261 §17.1.1 as changed by RFC 6026 §7.2).

CALLING -- 1xx --> PROCEEDING -- 2xx --> ACCEPTED -- M --> TERMINATED
   |  A: again          |             (every 2xx goes to the usage, which ACKs it)
   |  B: timeout     3xx-6xx: ACK
   \\---- 3xx-6xx ------+--> COMPLETED -- D --> TERMINATED
                             (repeated: ACK again)
"""

from __future__ import annotations

from typing import Any

from sipstack.errors import TransactionTimeout, TransportError
from sipstack.message import Request, Response
from sipstack.transaction.effects import NOTHING, Deliver, Effects, Fail, Send
from sipstack.transaction.flow import Flow
from sipstack.transaction.machine import ClientUser, State, Transaction
from sipstack.transaction.requests import ack_for
from sipstack.transaction.timers import NEVER, Timers


class InviteClientTransaction(Transaction):
    """Sends one INVITE and acknowledges its refusal."""

    __slots__ = ("_ack", "_data", "given_up", "request", "user")

    def __init__(self, key: Any, flow: Flow, timers: Timers, request: Request, user: ClientUser) -> None:
        super().__init__(key, flow, timers, State.CALLING)
        self.request: Request | None = request  # until a final response makes it superfluous
        self.user = user
        self._data: bytes = bytes(request)
        self._ack: bytes = b""
        self.given_up = False

    def start(self, now: float) -> Effects:
        """Send the request."""
        self.expires_at = now + self.timers.timeout  # Timer B
        if not self.flow.reliable:
            self.interval = self.timers.t1
            self.retransmit_at = now + self.interval  # Timer A
        return (Send(self._data),)

    def receive(self, response: Response, now: float) -> Effects:
        """A response with this transaction's branch."""
        status = response.status
        match self.state:
            case State.CALLING | State.PROCEEDING:
                if status < 200:
                    if self.state is State.CALLING:
                        # Timer B ends here: a phone may ring for as long as it likes (§17.1.1.2)
                        self.enter(State.PROCEEDING, now + self.timers.timeout if self.given_up else NEVER)
                    return (Deliver(response),)
                assert self.request is not None
                request, self.request, self._data = self.request, None, b""
                if status < 300:
                    self.enter(State.ACCEPTED, now + self.timers.timeout)  # Timer M
                    return (Deliver(response),)
                self._ack = bytes(ack_for(request, response))
                self.linger(State.COMPLETED, now, self.timers.d)  # Timer D
                return (Send(self._ack), Deliver(response))
            case State.ACCEPTED if 200 <= status < 300:  # repeated, or from another branch of a fork
                return (Deliver(response),)
            case State.COMPLETED if status >= 300:
                return (Send(self._ack),)
            case _:
                return NOTHING

    def give_up(self, now: float) -> None:
        """Nobody waits any more: without a final response the transaction ends 64*T1 later (§9.1)."""
        if self.state is State.PROCEEDING and not self.given_up:
            self.expires_at = now + self.timers.timeout
        self.given_up = True

    def retransmit(self, now: float) -> Effects:
        self.interval *= 2
        self.retransmit_at = now + self.interval
        return (Send(self._data),)

    def expired(self, now: float) -> Effects:
        unanswered = self.state is State.CALLING or self.state is State.PROCEEDING
        self.enter(State.TERMINATED)
        return (Fail(TransactionTimeout("no response to INVITE")),) if unanswered else NOTHING

    def transport_failed(self, error: TransportError, now: float) -> Effects:
        """§17.1.4: the user is told and the transaction is gone. In Proceeding nothing of ours is under way,
        and only the loss of a connection counts: the response was to come over it.
        """
        if self.state is not State.CALLING and not (self.state is State.PROCEEDING and self.flow.reliable):
            return NOTHING
        self.enter(State.TERMINATED, NEVER)
        return (Fail(error),)
