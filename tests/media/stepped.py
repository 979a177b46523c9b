"""Time that a test moves by hand, and a transport that only notes what is sent."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from sipstack.media.peer_address import Address
from sipstack.media.transport import Failed, Receive
from sipstack.rtp.packet import RtpPacket


class SteppedTimer:
    """One entry of the loop's diary."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class SteppedLoop:
    """The part of an event loop that the media clock uses. ``pass_time`` runs timers, ``stall`` does not."""

    def __init__(self) -> None:
        self.now = 0.0
        self.errors: list[dict[str, Any]] = []
        self._timers: list[tuple[float, int, SteppedTimer]] = []
        self._count = 0

    @property
    def pending(self) -> int:
        """Timers that would still run."""
        return sum(1 for _, _, timer in self._timers if timer.callback)

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object]) -> SteppedTimer:
        timer = SteppedTimer(callback)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, timer))
        return timer

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def pass_time(self, seconds: float) -> None:
        """Run the timers of the next ``seconds``, each at its own time, or now when that is past."""
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end + 1e-9:
            when, _, timer = heapq.heappop(self._timers)
            self.now = max(self.now, when)
            if timer.callback:
                timer.callback()
        self.now = end

    def stall(self, seconds: float) -> None:
        """Time passes and nothing runs."""
        self.now += seconds


class Notebook:
    """A transport that goes nowhere: ``rtp`` and ``rtcp`` hold what was sent, with its destination."""

    port = 40000
    rtcp_port = 40001
    send_errors = 0

    def __init__(self) -> None:
        self.rtp: list[tuple[bytes, Address]] = []
        self.rtcp: list[tuple[bytes, Address]] = []

    def start(self, rtp: Receive, rtcp: Receive, failed: Failed) -> None:
        """Nothing ever arrives by itself."""

    def send_rtp(self, data: bytes, destination: Address) -> None:
        self.rtp.append((data, destination))

    def send_rtcp(self, data: bytes, destination: Address) -> None:
        self.rtcp.append((data, destination))

    def close(self) -> None:
        """There is nothing to close."""

    def packets(self) -> list[RtpPacket]:
        """The RTP sent so far; forgets it."""
        sent, self.rtp = self.rtp, []
        return [RtpPacket.parse(data) for data, _ in sent]
