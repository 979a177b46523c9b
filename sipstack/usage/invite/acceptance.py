"""A 2xx to INVITE, repeated by the usage until its ACK comes (RFC 3261 §13.3.1.4).

The transaction does not do it: the ACK comes end to end, in a transaction of its own. Flows that are reliable
hop by hop need it as well.
"""

from __future__ import annotations

from typing import Protocol

from sipstack.dialog.services import CoreServices
from sipstack.errors import SipError
from sipstack.transaction.flow import Flow
from sipstack.transaction.timers import NEVER


class Unacknowledged(Protocol):
    """Told when 64*T1 have passed without an ACK."""

    def not_acknowledged(self, now: float) -> None: ...

    def lost(self, error: SipError, now: float) -> None: ...


class Acceptance:
    """Waits for the ACK of the INVITE with CSeq number ``cseq``."""

    __slots__ = (
        "_data",
        "_expires_at",
        "_flow",
        "_core",
        "_interval",
        "_retransmit_at",
        "_user",
        "cseq",
        "scheduled",
    )

    def __init__(
        self, core: CoreServices, user: Unacknowledged, cseq: int, flow: Flow, data: bytes, now: float
    ) -> None:
        timers = core.timers
        self.cseq = cseq
        self.scheduled = NEVER
        self._core = core
        self._user: Unacknowledged | None = user
        self._flow = flow
        self._data = data
        self._interval = timers.t1
        self._retransmit_at = now + timers.t1
        self._expires_at = now + timers.timeout

    @property
    def deadline(self) -> float:
        return min(self._retransmit_at, self._expires_at)

    def acknowledged(self) -> None:
        """The ACK is here: nothing is left to wait for, and the session need not live as long as our entry
        among the deadlines.
        """
        self._retransmit_at = self._expires_at = NEVER
        self._data = b""
        self._user = None

    def timeout(self, now: float) -> None:
        """Repeat the 2xx at T1, 2*T1, 4*T1 … T2, T2; give up after 64*T1."""
        if now >= self._expires_at:
            user = self._user
            self.acknowledged()
            if user is not None:
                user.not_acknowledged(now)
        elif now >= self._retransmit_at:
            self._core.transmit(self._flow, self._data)
            self._interval = min(2 * self._interval, self._core.timers.t2)
            self._retransmit_at = now + self._interval
            self._core.schedule(self)

    def faulted(self, error: SipError, now: float) -> None:
        user = self._user
        self.acknowledged()
        if user is not None:
            user.lost(error, now)
