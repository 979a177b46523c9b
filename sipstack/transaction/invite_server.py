"""The INVITE server transaction (RFC 3261 §17.2.1 as changed by RFC 6026 §7.1).

   INVITE
     |  100 after 200 ms of silence
PROCEEDING ----- 2xx ----> ACCEPTED -- L --> TERMINATED
     |                  (the usage repeats the 2xx)
  3xx-6xx
     |
 COMPLETED -- ACK --> CONFIRMED -- I --> TERMINATED
     |  G: again
     H: TERMINATED, the user is told
"""

from __future__ import annotations

from typing import Any, Protocol

from sipstack.errors import LocalProtocolError, TransactionTimeout, TransportError
from sipstack.message import Request
from sipstack.transaction.effects import NOTHING, Effects, Fail, Send
from sipstack.transaction.flow import Flow
from sipstack.transaction.machine import State, Transaction
from sipstack.transaction.timers import NEVER, Timers


class Cancellable(Protocol):
    """The user of an INVITE server transaction."""

    def cancelled(self, reason: str, now: float) -> None:
        """CANCEL has come, and is answered (RFC 3261 §9.2)."""


class InviteServerTransaction(Transaction):
    """Answers one INVITE."""

    __slots__ = ("last", "merge_key", "request", "session_id", "tag", "user")

    def __init__(self, key: Any, flow: Flow, timers: Timers, request: Request, now: float) -> None:
        super().__init__(key, flow, timers, State.PROCEEDING)
        self.request: Request | None = request  # until a response makes it superfluous
        self.last: bytes | None = None
        self.merge_key: Any = None
        self.tag = ""
        """The To tag of our responses, which the response to a CANCEL repeats (§9.2); "" before there is
        one.
        """
        self.session_id = ""
        """The Session-ID of our responses, which that to a CANCEL repeats (RFC 7989 §6)."""
        self.user: Cancellable | None = None
        """The transaction user until its final response."""
        self.retransmit_at = now + timers.trying_after

    def receive(self, now: float) -> Effects:
        """The INVITE came again."""
        match self.state:
            # "If a request retransmission is received while in the "Proceeding" state, the most recent
            # provisional response that was received from the TU MUST be passed to the transport layer"
            case State.PROCEEDING | State.COMPLETED:
                return NOTHING if self.last is None else (Send(self.last),)
            case _:  # RFC 6026 §7.1: absorbed in Accepted, the usage repeats its 2xx; §17.2.1: in Confirmed
                return NOTHING

    def respond(self, status: int, data: bytes, now: float) -> Effects:
        """The user answers with ``status``; ``data`` is the serialised response."""
        match self.state:
            case State.PROCEEDING:
                if status >= 200:
                    self.user = None  # it refers to us in turn
                return self._respond_in_proceeding(status, data, now)
            case State.ACCEPTED if 200 <= status < 300:  # RFC 6026: any number of 2xx may follow
                return (Send(data),)
            case _:
                raise LocalProtocolError(f"{status} after the final response")

    def _respond_in_proceeding(self, status: int, data: bytes, now: float) -> Effects:
        self.request = None
        if status < 200:
            self.last = data
            self.retransmit_at = NEVER
        elif status < 300:
            # RFC 6026: Timer L is 64*T1 for reliable flows as well: it waits for the peer's ACK, not for ours
            self.enter(State.ACCEPTED, now + self.timers.timeout)
            self.last = None
        else:
            self.enter(State.COMPLETED, now + self.timers.timeout)  # Timer H
            self.last = data
            if not self.flow.reliable:
                self.interval = self.timers.t1
                self.retransmit_at = now + self.interval  # Timer G
        return (Send(data),)

    def acknowledge(self, now: float) -> bool:
        """An ACK with this transaction's branch. True when it is for the user: it acknowledges a 2xx."""
        if self.state is State.COMPLETED:
            self.last = None
            self.linger(State.CONFIRMED, now, self.timers.t4)  # Timer I
        return self.state is State.ACCEPTED

    def retransmit(self, now: float) -> Effects:
        if self.state is State.PROCEEDING:
            assert self.request is not None
            self.retransmit_at = NEVER
            self.last = bytes(self.request.response(100))
            self.request = None
        else:
            self.interval = min(2 * self.interval, self.timers.t2)
            self.retransmit_at = now + self.interval
        assert self.last is not None
        return (Send(self.last),)

    def expired(self, now: float) -> Effects:
        unacknowledged = self.state is State.COMPLETED
        self.enter(State.TERMINATED)
        return (Fail(TransactionTimeout("no ACK for our final response")),) if unacknowledged else NOTHING

    def transport_failed(self, error: TransportError, now: float) -> Effects:
        """RFC 6026 §8.8: the user is told, the state stays: the peer may still repeat its request."""
        return (Fail(error),)
