"""Datagrams that wait while more arrives than we can serve: a lane for each source, and equal time for each.

Nobody is slowed down as long as all are served; a source that is alone has all the time there is. Beyond that
each gets the same share of the time that its datagrams *cost*, so that who sends most, or the most expensive,
waits for itself alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from sipstack.core.admission import source_of
from sipstack.core.outputs import Flow

LANE = 4096
"""Datagrams that wait for one source; more are lost, and repeated by who meant them."""
LANE_OCTETS = 4 * 1024 * 1024
"""Their octets."""
QUEUE_OCTETS = 16 * 1024 * 1024
"""The octets of all lanes, an overhead for each datagram among them."""
OVERHEAD = 256
QUANTUM = 0.001
"""Seconds of service in each round."""
DEBT = 0.2
"""Seconds that a lane owes at the most for one expensive datagram."""


class Lane:
    """What waits for one source, its octets, and the seconds that it may take at once (below 0: a debt)."""

    __slots__ = ("credit", "octets", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[tuple[Flow, bytes]] = deque()
        self.octets = 0
        self.credit = 0.0


class FairQueue:
    """Serves lanes in turn, by time. ``clock`` gives seconds."""

    __slots__ = ("_lanes", "_clock", "dropped", "octets")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lanes: dict[str, Lane] = {}  # in the order of their turn
        self.octets = 0
        self.dropped = 0
        """Datagrams that were lost because a lane, or the whole queue, was full."""

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def __len__(self) -> int:
        return sum(len(lane.waiting) for lane in self._lanes.values())

    def clear(self) -> None:
        self._lanes.clear()
        self.octets = 0

    def put(self, flow: Flow, data: bytes) -> None:
        """Let a datagram wait, if its lane has room."""
        size = len(data) + OVERHEAD
        source = source_of(flow)
        lane = self._lanes.get(source)
        if lane is None:
            if self.octets + size > QUEUE_OCTETS:
                self.dropped += 1
                return
            lane = self._lanes[source] = Lane()
        elif (
            len(lane.waiting) >= LANE or lane.octets + size > LANE_OCTETS or self.octets + size > QUEUE_OCTETS
        ):
            self.dropped += 1
            return
        lane.waiting.append((flow, data))
        lane.octets += size
        self.octets += size

    def serve(self, receive: Callable[[Flow, bytes], None], until: float) -> None:
        """Hand out datagrams, lane by lane, until the clock says ``until``; one of them at least."""
        lanes, clock = self._lanes, self._clock
        now = clock()
        while lanes:
            source = next(iter(lanes))
            lane = lanes.pop(source)
            lane.credit += QUANTUM
            try:
                while lane.waiting and (lane.credit > 0 or not lanes):
                    flow, data = lane.waiting.popleft()
                    size = len(data) + OVERHEAD
                    lane.octets -= size
                    self.octets -= size
                    begun = now
                    try:
                        receive(flow, data)
                    finally:
                        now = clock()
                        lane.credit = max(lane.credit + begun - now, -DEBT)
                    if now >= until:
                        return
            finally:
                if lane.waiting:
                    lanes[source] = lane
