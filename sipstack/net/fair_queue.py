"""Datagrams that wait while more arrives than we can serve: a lane for each source, and equal time for each.

Nobody is slowed down as long as all are served; a source that is alone has all the time there is. Beyond that
each gets the same share of the time that its datagrams *cost*, so that who sends most, or the most expensive,
waits for itself alone. In each lane what ends or goes on comes before what is new: under load it is better to
finish calls than to begin more. Who abuses that goes before nobody but itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from sipstack.core.admission import source_of
from sipstack.core.outputs import Flow

LANE = 2048
"""Datagrams of each kind that wait for one source; more are lost, and repeated by who meant them."""
LANE_OCTETS = 4 * 1024 * 1024
"""Their octets."""
QUEUE_OCTETS = 16 * 1024 * 1024
"""The octets of all lanes, an overhead for each datagram among them."""
OVERHEAD = 256
GOING_ON = frozenset((b"ACK", b"BYE", b"SIP", b"CAN", b"PRA"))
"""How the start lines begin that belong to something under way: of responses, and of these methods."""
QUANTUM = 0.001
"""Seconds of service in each round."""
DEBT = 0.2
"""Seconds that a lane owes at the most for one expensive datagram."""


class Lane:
    """What waits for one source, its octets, and the seconds that it may take at once (below 0: a debt)."""

    __slots__ = ("credit", "first", "new", "octets")

    def __init__(self) -> None:
        self.first: deque[tuple[Flow, bytes]] = deque()
        self.new: deque[tuple[Flow, bytes]] = deque()
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
        return sum(len(lane.first) + len(lane.new) for lane in self._lanes.values())

    def clear(self) -> None:
        self._lanes.clear()
        self.octets = 0

    def put(self, flow: Flow, data: bytes) -> None:
        """Let a datagram wait, if its lane has room."""
        size = len(data) + OVERHEAD
        source = source_of(flow)
        lane = self._lanes.get(source) or Lane()
        waiting = lane.first if data[:3] in GOING_ON else lane.new
        full = len(waiting) >= LANE or lane.octets + size > LANE_OCTETS
        if full or self.octets + size > QUEUE_OCTETS:
            self.dropped += 1
            return
        self._lanes[source] = lane
        waiting.append((flow, data))
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
                while (waiting := lane.first or lane.new) and (lane.credit > 0 or not lanes):
                    flow, data = waiting.popleft()
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
                if lane.first or lane.new:
                    lanes[source] = lane
