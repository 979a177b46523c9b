"""A request too large for a datagram goes over a stream, where the target takes one (RFC 3261 §18.1.1)."""

from __future__ import annotations

from typing import Protocol

from sipstack.core.outputs import Target
from sipstack.core.router import Router
from sipstack.errors import SipError, TransportError
from sipstack.transaction.flow import Flow
from sipstack.transaction.timers import NEVER

PATIENCE = 2.0
"""Seconds that a connection may take to open, before the request goes out as a large datagram."""


class Switching(Protocol):
    """A request that may go either way."""

    def flow_found(self, flow: Flow, now: float) -> None:
        """It goes over this stream."""

    def stay(self, flow: Flow, now: float) -> None:
        """There is no stream: it goes over ``flow``, the datagram's."""


class StreamAttempt:
    """Looks for a stream to where the datagram of ``user`` would have gone. A target without one is
    remembered for a while, so that only the first request waits.
    """

    __slots__ = ("_flow", "_router", "_user", "deadline", "is_reused", "scheduled")

    def __init__(self, router: Router, flow: Flow, user: Switching) -> None:
        self._router = router
        self._flow = flow
        self._user: Switching | None = user
        self.deadline = self.scheduled = NEVER
        self.is_reused = False

    def __repr__(self) -> str:
        return f"<StreamAttempt to {self._flow.remote}>"

    @classmethod
    def begin(cls, router: Router, flow: Flow, user: Switching, now: float) -> bool:
        """Whether it is worth trying; then ``user`` hears of the outcome, perhaps at once."""
        target = stream_target(flow)
        if "TCP" not in router.transports or router.without_streams.avoids(target, now):
            return False
        attempt = cls(router, flow, user)
        attempt.deadline = now + PATIENCE
        router.find_flow(target, attempt, now)
        if attempt._user is not None:
            router.schedule(attempt)
        return True

    def flow_found(self, target: Target, flow: Flow, now: float) -> None:
        """The stream is there."""
        user, self._user, self.deadline = self._user, None, NEVER
        if user is not None:
            user.flow_found(flow, now)

    def flow_refused(self, target: Target, error: TransportError, now: float) -> None:
        """The target takes no stream."""
        user, self._user, self.deadline = self._user, None, NEVER
        if user is not None:
            self._router.without_streams.failed(target, now)
            user.stay(self._flow, now)

    def timeout(self, now: float) -> None:
        """Nor does one that does not answer."""
        self.flow_refused(stream_target(self._flow), TransportError("no answer"), now)

    def faulted(self, error: SipError, now: float) -> None:
        self.flow_refused(stream_target(self._flow), TransportError(str(error)), now)


def stream_target(flow: Flow) -> Target:
    """The stream to where the datagrams of ``flow`` go."""
    return Target("TCP", flow.remote)
