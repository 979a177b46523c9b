"""What follows the death of one node: its calls are taken over by requests, and by those who look for them.

Discrete events in virtual time. Each part is a queue that serves one after another; what it has to do anyway
leaves it the rest of its time. One orphan of the simulation stands for ``grain`` calls, which come together.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from functools import partial

from interop.bench.capacity.costs import Costs
from interop.bench.capacity.parts import Orphan, Queue, Storm
from interop.bench.capacity.plan import MICRO, REFRESH, TAKEOVER, AtRest, Operations, Plan
from sipstack.core.takeover import MOST as MOST_LOADING
from sipstack.store.redis import LEASE
from sipstack.store.redis_pipeline import PATIENCE
from sipstack.store.redis_scripts import SHARDS
from sipstack.ua.orphans import INTERVAL, MOST, SPREAD
from sipstack.ua.resuming import AT_A_TIME

NOTICED = 2.0
"""Seconds after which the proxy knows that a node is dead: a probe each second, and one without an answer."""
NEXT_NODE = 1.0
"""Seconds until a request to the dead node goes to the next one."""
AGAIN = 10.0
"""Seconds until a peer that got 503 comes again: it is told so (Retry-After)."""
END = Operations(forgets=1)
GRACE = 32.0
"""Seconds, or a third of the timer, by which a peer gives up before its session timer ends (RFC 4028 §10)."""


class Simulation:
    """One death, of a node with its part of the calls."""

    def __init__(self, plan: Plan, costs: Costs, seed: int = 1, grain: int = 1) -> None:
        if plan.nodes < 2:
            raise ValueError("nobody is left when the only node dies")
        self._plan = plan
        self._costs = costs
        self._draw = random.Random(seed)
        self._grain = grain
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._number = 0
        living = plan.nodes - 1
        used = AtRest.of(plan, costs, living).used
        self._nodes = [Queue(1 - used["node CPU"]) for _ in range(living)]
        if not plan.spreads:
            before = AtRest.of(plan, costs).used["node CPU"]
            self._nodes = [Queue(1 - before * (2 if node == 0 else 1)) for node in range(living)]
        self._takeover = costs.redis.takeover * (costs.redis.waited if plan.waits else 1.0)
        self._redis = Queue(1 - used["Redis CPU"])
        self._proxy = Queue(1 - used["proxy CPU"], plan.proxy_cores)
        self._order = [self._draw.sample(range(SHARDS), SHARDS) for _ in range(living)]
        self._planned: list[set[int]] = [set() for _ in range(living)]
        self._loading = [0] * living
        self._orphans = [self._orphan() for _ in range(round(plan.calls / plan.nodes / grain))]
        self._shards: list[list[int]] = [[] for _ in range(SHARDS)]
        for number, orphan in sorted(enumerate(self._orphans), key=lambda each: each[1].expires):
            self._shards[orphan.shard].append(number)
        self._open = len(self._orphans)
        self.storm = Storm(orphans=self._open * grain)

    def _orphan(self) -> Orphan:
        plan, draw = self._plan, self._draw
        due = draw.uniform(0.0, plan.expires / 2)  # until its refresh
        ours = draw.random() < plan.ours
        return Orphan(
            shard=draw.randrange(SHARDS),
            heir=draw.randrange(len(self._nodes)) if plan.spreads else 0,
            ends=draw.expovariate(1 / plan.hold),
            refresh=float("inf") if ours else due,
            expires=due + plan.expires / 2 - min(GRACE, plan.expires / 3),
        )

    # -- time ----------------------------------------------------------------------------------------------

    def run(self) -> Storm:
        """Until each call has an owner again, or is over."""
        for number, orphan in enumerate(self._orphans):
            asks = min(orphan.ends, orphan.refresh)
            if asks < orphan.expires:
                self._at(asks, partial(self._asks, number, False))
            self._at(orphan.expires, partial(self._expires, number))
        lease = self._draw.uniform(0.8 * LEASE, LEASE)
        for node in range(len(self._nodes)):
            self._at(lease + self._draw.uniform(0.0, INTERVAL[1]), partial(self._looks, node))
        while self._events and self._open:
            now, _, event = heapq.heappop(self._events)
            event(now)
        return self.storm

    def _at(self, time: float, event: Callable[[float], None]) -> None:
        self._number += 1
        heapq.heappush(self._events, (time, self._number, event))

    # -- a request of the peer -----------------------------------------------------------------------------

    def _asks(self, number: int, again: bool, now: float) -> None:
        """The usual work has it already, unless it comes ``again``."""
        if self._orphans[number].over:
            return
        done = self._proxy.serve(now, again * self._grain * self._costs.proxy.refresh * MICRO)
        if now < NOTICED:  # it is sent to the dead node first
            done += NEXT_NODE
        self._at(done, partial(self._arrives, number, again, now))

    def _arrives(self, number: int, again: bool, began: float, now: float) -> None:
        """At a node, which has the call or asks for it."""
        orphan, costs, grain = self._orphans[number], self._costs, self._grain
        if orphan.over:
            return
        spends, node = again * costs.node.refresh["redis"], orphan.heir
        if orphan.owner == node:
            self._answered(orphan, began, self._nodes[node].serve(now, grain * spends * MICRO))
        elif self._loading[node] >= MOST_LOADING:
            self._refused(number, now)
        else:
            self._loading[node] += grain
            done = self._nodes[node].serve(now, grain * (spends + costs.node.takeover) * MICRO)
            self._at(done, partial(self._loads, number, began))

    def _loads(self, number: int, began: float, now: float) -> None:
        done = self._redis.serve_in_time(now, self._grain * self._takeover * MICRO, PATIENCE)
        self._at(now + PATIENCE if done is None else done, partial(self._loaded, number, began, done))

    def _loaded(self, number: int, began: float, done: float | None, now: float) -> None:
        orphan, storm, grain = self._orphans[number], self.storm, self._grain
        self._loading[orphan.heir] -= grain
        if orphan.over:
            return
        if done is None:
            self._refused(number, now)
            return
        storm.asked = storm.asked.plus(TAKEOVER.times(grain))
        if orphan.owner is None:
            storm.by_request += grain
            self._settled(now)
        else:
            storm.moved += grain
        orphan.owner = orphan.heir
        self._answered(orphan, began, now)

    def _answered(self, orphan: Orphan, began: float, now: float) -> None:
        storm, grain = self.storm, self._grain
        storm.waits.append(now - began)
        asked = REFRESH
        if began >= orphan.ends:
            orphan.over, asked = True, END
            storm.hung_up += grain
        storm.asked = storm.asked.plus(asked.times(grain))

    def _refused(self, number: int, now: float) -> None:
        self.storm.refused += self._grain
        self._at(now + AGAIN, partial(self._asks, number, True))

    # -- the search of the nodes ---------------------------------------------------------------------------

    def _looks(self, node: int, now: float) -> None:
        costs, planned = self._costs.redis, self._planned[node]
        found = self._found(node) if len(planned) * self._grain < MOST else []
        done = self._redis.serve(now, (costs.look + len(found) * self._grain / 1000 * costs.page) * MICRO)
        room = MOST // self._grain - len(planned)
        self._at(done, partial(self._reads, [each for each in found if each not in planned][:room], node))

    def _reads(self, found: list[int], node: int, now: float) -> None:
        """Some at a time. The next look comes some time after the last of them."""
        if not found:
            self._at(now + self._draw.uniform(*INTERVAL), partial(self._looks, node))
            return
        some = max(1, AT_A_TIME // self._grain)
        done = now
        for number in found[:some]:
            self._planned[node].add(number)
            done = self._redis.serve(now, self._grain * self._costs.redis.read * MICRO)
            left = self._orphans[number].expires + 2 * GRACE - now
            delay = self._draw.uniform(0.0, max(0.0, min(SPREAD, left / 4)))
            self._at(now + delay, partial(self._claims, number, node))
        self._at(done, partial(self._reads, found[some:], node))

    def _found(self, node: int) -> list[int]:
        """What it finds: one shard after another, in an order of its own."""
        found: list[int] = []
        most = max(1, MOST // self._grain)
        for shard in self._order[node]:
            left = [each for each in self._shards[shard] if self._is_orphan(self._orphans[each])]
            self._shards[shard] = left
            found += left
            if len(found) >= most:
                return found[:most]
        return found

    def _is_orphan(self, orphan: Orphan) -> bool:
        return orphan.owner is None and not orphan.over

    def _claims(self, number: int, node: int, now: float) -> None:
        self._planned[node].discard(number)
        orphan, costs, grain = self._orphans[number], self._costs, self._grain
        if not self._is_orphan(orphan):
            self.storm.raced += grain
            self._redis.serve(now, grain * costs.redis.refused * MICRO)
            return
        done = self._nodes[node].serve(now, grain * costs.node.orphan * MICRO)
        self._at(done, partial(self._takes, number, node))

    def _takes(self, number: int, node: int, now: float) -> None:
        done = self._redis.serve_in_time(now, self._grain * self._takeover * MICRO, PATIENCE)
        if done is not None:
            self._at(done, partial(self._taken, number, node))

    def _taken(self, number: int, node: int, now: float) -> None:
        orphan, grain = self._orphans[number], self._grain
        if not self._is_orphan(orphan):
            self.storm.raced += grain
            return
        self.storm.by_search += grain
        self.storm.asked = self.storm.asked.plus(TAKEOVER.times(grain))
        orphan.owner = node
        self._settled(now)

    # -- the end -------------------------------------------------------------------------------------------

    def _expires(self, number: int, now: float) -> None:
        orphan = self._orphans[number]
        if self._is_orphan(orphan):
            orphan.over = True
            self.storm.lost += self._grain
            self._settled(now)

    def _settled(self, now: float) -> None:
        self._open -= 1
        storm = self.storm
        storm.settled = now
        if not storm.half and self._open <= len(self._orphans) // 2:
            storm.half = now
