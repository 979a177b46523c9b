"""A cluster as it is planned, and what its parts spend while nothing goes wrong."""

from __future__ import annotations

import math

import attrs

from interop.bench.capacity.costs import Costs

MICRO = 1e-6
GIGA = 1e9


@attrs.frozen
class Operations:
    """What the store is asked: how often a record is written, forgotten, taken over."""

    puts: float = 0
    forgets: float = 0
    takeovers: float = 0

    @property
    def number(self) -> float:
        return self.puts + self.forgets + self.takeovers

    def times(self, factor: float) -> Operations:
        return Operations(*[factor * each for each in attrs.astuple(self)])

    def plus(self, other: Operations) -> Operations:
        pairs = zip(attrs.astuple(self), attrs.astuple(other), strict=True)
        return Operations(*[one + two for one, two in pairs])


CALL = Operations(puts=1, forgets=1)
REFRESH = Operations(puts=1)
TAKEOVER = Operations(puts=1, takeovers=1)
"""The owner writes the record once more, with the CSeq numbers that are its own now."""


@attrs.frozen
class Plan:
    """``nodes`` processes, each with a core of its own, share one Redis, behind one proxy. ``calls`` are up,
    ``hold`` seconds each on average (exponentially), with session timers of ``expires`` seconds, refreshed at
    the half: those of the share ``ours`` by the nodes, the others by their peers.

    ``redis_gigabytes``, ``node_gigabytes``, ``proxy_cores``: what there is. ``waits``: a write waits for a
    replica (WAIT 1). ``spreads``: the proxy deals what a dead node had to all others, not to its neighbour.
    """

    nodes: int
    calls: float
    hold: float = 180.0
    expires: float = 1800.0
    ours: float = 0.5
    node_gigabytes: float = 4.0
    redis_gigabytes: float = 16.0
    proxy_cores: float = 4.0
    waits: bool = False
    spreads: bool = True

    @property
    def arrivals(self) -> float:
        """Calls that begin in a second, and as many that end."""
        return self.calls / self.hold

    @property
    def refreshes(self) -> float:
        """In a second: a call has one at the half of ``expires``, if it lasts so long, and so on."""
        lasts = math.exp(-self.expires / 2 / self.hold)
        return self.arrivals * lasts / (1 - lasts)

    @property
    def operations(self) -> Operations:
        """Of the store, in a second."""
        return CALL.times(self.arrivals).plus(REFRESH.times(self.refreshes))


PARTS = ("node CPU", "node memory", "Redis CPU", "Redis memory", "proxy CPU")


@attrs.frozen
class AtRest:
    """The share of what there is that is in use, part by part; 1 is all of it. ``living``: nodes that carry
    the calls, all of them unless one has died.
    """

    used: dict[str, float]

    @classmethod
    def of(cls, plan: Plan, costs: Costs, living: int | None = None) -> AtRest:
        nodes = plan.nodes if living is None else living
        arrivals, refreshes = plan.arrivals, plan.refreshes
        node = arrivals * costs.node.call["redis"] + refreshes * costs.node.refresh["redis"]
        redis = arrivals * costs.redis.call + refreshes * costs.redis.refresh
        if plan.waits:
            redis *= costs.redis.waited
        looks = nodes / LOOK * costs.redis.look
        proxy = arrivals * costs.proxy.call + refreshes * costs.proxy.refresh
        used = (
            node * MICRO / nodes,
            plan.calls * costs.node.octets["redis"] / nodes / plan.node_gigabytes / GIGA,
            (redis + looks) * MICRO,
            plan.calls * costs.redis.octets / plan.redis_gigabytes / GIGA,
            proxy * MICRO / plan.proxy_cores,
        )
        return cls(dict(zip(PARTS, used, strict=True)))

    @property
    def first(self) -> str:
        """What breaks first."""
        return max(self.used, key=lambda name: self.used[name])

    @property
    def most(self) -> float:
        return self.used[self.first]


@attrs.frozen
class Needed:
    """Cells that carry so many calls: ``cells`` clusters of ``plan`` each, and cores of proxies for all."""

    cells: int
    plan: Plan
    proxy_cores: int


def needed(plan: Plan, costs: Costs, limit: float) -> Needed:
    """The fewest cells, and nodes in them, for ``plan.calls``, when no part but the proxies counts."""
    total = AtRest.of(attrs.evolve(plan, nodes=1, proxy_cores=1), costs).used["proxy CPU"]
    cells = 1
    while True:
        cell = attrs.evolve(plan, calls=plan.calls / cells, proxy_cores=float("inf"))
        nodes = 2
        while AtRest.of(cell, costs, nodes - 1).most > limit and nodes < MOST_NODES:
            nodes += 1
        if nodes < MOST_NODES:
            return Needed(cells, attrs.evolve(cell, nodes=nodes), math.ceil(total / limit))
        cells += 1


MOST_NODES = 200
LOOK = 10.0
"""Seconds between two looks of a node for dead ones, on average."""


def carried(plan: Plan, costs: Costs, limit: float) -> Plan:
    """The same cluster with as many calls up as it carries, when no part is used above ``limit``: also when
    one of its nodes has died.
    """
    living = max(1, plan.nodes - 1)
    low, high = 0.0, 1e9
    for _ in range(60):
        middle = (low + high) / 2
        fits = AtRest.of(attrs.evolve(plan, calls=middle), costs, living).most <= limit
        low, high = (middle, high) if fits else (low, middle)
    return attrs.evolve(plan, calls=float(int(low)))
