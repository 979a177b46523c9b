"""What the simulation of a node's death is made of: queues, orphans, and its figures."""

from __future__ import annotations

import attrs

from interop.bench.capacity.plan import Operations

LEAST = 0.02
"""Share of its time that a part which is overloaded has for each thing that comes."""


@attrs.define
class Queue:
    """A part of the cluster. ``free`` is the share of its time that the storm has; ``speed`` its cores."""

    free: float
    speed: float = 1.0
    until: float = 0.0

    def serve(self, now: float, seconds: float) -> float:
        """When it is done with what comes now."""
        self.until = max(self.until, now) + seconds / (self.speed * max(self.free, LEAST))
        return self.until

    def serve_in_time(self, now: float, seconds: float, patience: float) -> float | None:
        """The same; None for what would wait longer than it has time: it is given up, and never done."""
        return None if self.until > now + patience else self.serve(now, seconds)


@attrs.define
class Orphan:
    """A call of the dead node. ``ends``, ``expires``: when its peer hangs up, or has had no refresh."""

    shard: int
    heir: int
    """The node to which the proxy gives its requests."""
    ends: float
    refresh: float
    expires: float
    owner: int | None = None
    over: bool = False
    loading: bool = False


@attrs.define
class Storm:
    """The figures. Times are seconds since the node died; numbers are calls, requests, operations."""

    orphans: int = 0
    by_request: int = 0
    by_search: int = 0
    hung_up: int = 0
    """Of those that were taken over by request: it was a BYE."""
    lost: int = 0
    """Their session timer ended before they had an owner again."""
    settled: float = 0.0
    """When the last one had an owner, or was over."""
    half: float = 0.0
    refused: int = 0
    """Requests that were answered with 503."""
    raced: int = 0
    """Take-overs that another node was faster in."""
    moved: int = 0
    """Calls that were taken over by search, and once more by the node to which the proxy gave a request."""
    waits: list[float] = attrs.field(factory=list, repr=False)
    """How long requests took to be answered, in order of time."""
    asked: Operations = attrs.field(factory=Operations)

    @property
    def slowest(self) -> float:
        """99 of 100 requests were answered sooner."""
        waits = sorted(self.waits)
        return waits[int(len(waits) * 0.99)] if waits else 0.0
