"""What the four transaction machines have in common: a state, a flow and at most two running timers.

In every state of RFC 3261 §17 at most one timer retransmits (A, E, G) and at most one ends the state (B, D,
F, H, I, J, K, L, M). So deadlines are two numbers, entering a state sets both, and no stale timer can fire.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, Protocol

from sipstack.errors import SipError
from sipstack.message import Response
from sipstack.transaction.effects import NOTHING, Effects
from sipstack.transaction.flow import Flow
from sipstack.transaction.timers import NEVER, Timers


class State(Enum):
    """The states of all four machines, by their names in RFC 3261 §17 and RFC 6026 §7."""

    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()


class ClientUser(Protocol):
    """The transaction user of a client transaction (RFC 3261 §8.1)."""

    def response_received(self, response: Response, now: float) -> None: ...

    def request_failed(self, error: SipError, now: float) -> None: ...


class Nobody:
    """The user of a client transaction that lingers: what it still hears is a repetition."""

    __slots__ = ()

    def response_received(self, response: Response, now: float) -> None: ...

    def request_failed(self, error: SipError, now: float) -> None: ...


NOBODY: ClientUser = Nobody()


class Transaction:
    """Base of the machines. ``deadline`` is when ``timeout`` wants to be called."""

    __slots__ = ("expires_at", "flow", "interval", "key", "retransmit_at", "scheduled", "state", "timers")

    def __init__(self, key: Any, flow: Flow, timers: Timers, state: State) -> None:
        self.key = key
        self.flow = flow
        self.timers = timers
        self.state = state
        self.interval = 0.0
        self.retransmit_at = NEVER
        self.expires_at = NEVER
        self.scheduled = NEVER

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.name} {self.key}>"

    @property
    def deadline(self) -> float:
        """When the next timer fires, in the time of ``now``; NEVER when none runs."""
        retransmit_at, expires_at = self.retransmit_at, self.expires_at
        return retransmit_at if retransmit_at < expires_at else expires_at

    def enter(self, state: State, expires_at: float = NEVER) -> None:
        """Change to ``state``: whatever ran in the old one stops."""
        self.state = state
        self.retransmit_at = NEVER
        self.expires_at = expires_at

    def linger(self, state: State, now: float, seconds: float) -> None:
        """Enter ``state`` for ``seconds`` (none on a reliable flow: terminate at once)."""
        if self.flow.reliable:
            self.enter(State.TERMINATED)
        else:
            self.enter(state, now + seconds)

    def timeout(self, now: float) -> Effects:
        """``now`` has reached the deadline: retransmit, or leave the state."""
        if now >= self.expires_at:
            return self.expired(now)
        if now >= self.retransmit_at:
            return self.retransmit(now)
        return NOTHING

    def expired(self, now: float) -> Effects:
        raise NotImplementedError

    def retransmit(self, now: float) -> Effects:
        raise NotImplementedError
