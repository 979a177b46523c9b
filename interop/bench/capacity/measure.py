"""Measures the unit costs on this machine, with the real programs: some five minutes."""

from __future__ import annotations

import asyncio
import datetime
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from interop.bench import progress
from interop.bench.capacity.costs import STORES, Costs, OfNode, OfProxy
from interop.bench.capacity.measure_redis import heirs, of_redis, sqlite_octets
from interop.bench.machine import cpu_seconds
from interop.bench.server import Server, python
from interop.bench.uas_load import CLIENT_CORE, SERVER_CORE
from interop.cluster.cluster import Front, Node
from interop.ports import HOST
from interop.redis.server import Redis, wait_until
from interop.sipp.process import Sipp

RATE, PROXY_RATE = 200, 800
SECONDS = 4.0
TRIES = 3
REFRESHES = 5
"""In the scenario ``uac_refreshes_fast``."""
HELD = 5000


@attrs.frozen
class Spent:
    """Microseconds of CPU for one of what was done: of the node, of Redis, of the proxy."""

    node: float
    redis: float = 0.0
    proxy: float = 0.0

    def less(self, other: Spent, parts: int = 1) -> Spent:
        """What one of so many parts costs that this has more than ``other``."""
        mine, others = attrs.astuple(self), attrs.astuple(other)
        return Spent(*[max(one - two, 0.0) / parts for one, two in zip(mine, others, strict=True)])


Clock = Callable[[], Spent]
"""CPU so far, in seconds."""


def measure(folder: Path) -> Costs:
    """Raises RuntimeError when a call failed."""
    calls: dict[str, Spent] = {}
    refreshes: dict[str, Spent] = {}
    for kind in STORES:
        with _node(folder, kind) as (target, clock, _):
            calls[kind] = _cheapest(f"a call, {kind}", "uac_calls", target, folder, clock)
            if kind != "sealed":  # which tells its peer of each new state by a request of its own
                refreshed = _cheapest(f"a refresh, {kind}", "uac_refreshes_fast", target, folder, clock)
                refreshes[kind] = refreshed.less(calls[kind], REFRESHES)
    octets = {kind: _resident(folder, kind) for kind in ("none", "redis")}
    proxy, refresh = _proxy(folder)
    progress.show("take-overs, and what Redis spends for them")
    heir = heirs()
    return Costs(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        machine=f"{platform.system()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        node=OfNode(
            call={kind: each.node for kind, each in calls.items()},
            refresh={kind: each.node for kind, each in refreshes.items()},
            takeover=heir.takeover,
            orphan=heir.orphan,
            octets=octets,
        ),
        redis=of_redis(calls["redis"].redis),
        proxy=OfProxy(proxy.proxy, refresh.proxy),
        sqlite_octets=asyncio.run(sqlite_octets(folder)),
    )


@contextmanager
def _node(folder: Path, kind: str) -> Iterator[tuple[str, Clock, Server]]:
    with ExitStack() as stack:
        options = {"none": [], "sqlite": [f"--sessions=sqlite:{folder / 'calls.db'}"]}
        chosen = options.get(kind, [f"--sessions={kind}"])
        redis: Redis | None = None
        if kind == "redis":
            redis = Redis(folder)
            stack.callback(redis.end)
            redis.start()
            chosen = [f"--sessions=redis:{redis.url}"]
        recipe = python(f"node-{kind}", "interop.bench.uas", "handler", "{port}", *chosen)
        server = stack.enter_context(Server(recipe, folder, SERVER_CORE))

        def clock() -> Spent:
            spent = 0.0 if redis is None or redis.process is None else cpu_seconds(redis.process.pid)
            return Spent(server.cpu_seconds, spent)

        yield server.target, clock, server


def _cheapest(what: str, scenario: str, target: str, folder: Path, clock: Clock, rate: float = RATE) -> Spent:
    """Of some runs, after one that does not count: other programs make a run dearer, and none cheaper."""
    if scenario == "uac_refreshes_fast":
        rate /= 4
    runs = []
    for _ in range(1 + TRIES):
        progress.show(what)
        before = clock()
        calls = round(rate * SECONDS)
        with Sipp(
            *(scenario, "-r", str(rate)),
            folder=folder,
            target=target,
            calls=calls,
            core=CLIENT_CORE,
            limit=4 * SECONDS,
            trace=False,
        ) as sipp:
            result = sipp.wait()
        if result.status != 0:
            raise RuntimeError(f"{what}: {result.problems}")
        runs.append(_each(clock(), before, calls))
    runs = runs[1:]
    return Spent(*[min(parts) for parts in zip(*map(attrs.astuple, runs), strict=True)])


def _each(after: Spent, before: Spent, number: int) -> Spent:
    pairs = zip(attrs.astuple(after), attrs.astuple(before), strict=True)
    return Spent(*[1e6 * (one - two) / number for one, two in pairs])


def _resident(folder: Path, kind: str) -> float:
    """Octets of memory that a call takes which is up."""
    progress.show(f"memory of {HELD} calls, {kind}")
    with _node(folder, kind) as (target, clock, server):
        _cheapest("warming up", "uac_calls", target, folder, clock)
        before = server.resident_bytes
        options = ("-d", "600000", "-r", "400", "-l", str(HELD))
        with Sipp("uac", *options, folder=folder, target=target, calls=HELD, trace=False) as sipp:
            wait_until("calls that stay", lambda: sipp.statistics.open >= HELD, HELD / 400 + 20)
            return (server.resident_bytes - before) / HELD


def _proxy(folder: Path) -> tuple[Spent, Spent]:
    """A call and a refresh through Kamailio."""
    recipe = python("behind", "interop.bench.capacity.behind", "{port}")
    with Server(recipe, folder, None) as server, ExitStack() as stack:
        front = Front(folder, [Node(folder, "behind", "", "", port=server.port)], megabytes=512)
        stack.callback(front.stop)
        front.start()
        assert front.process is not None
        group = front.process.pid

        def clock() -> Spent:
            return Spent(0.0, 0.0, sum(cpu_seconds(pid) for pid in _group(group)))

        target = f"{HOST}:{front.port}"
        call = _cheapest("a call through the proxy", "uac_calls", target, folder, clock, PROXY_RATE)
        refreshed = _cheapest("a refresh through it", "uac_refreshes_fast", target, folder, clock, PROXY_RATE)
    return call, refreshed.less(call, REFRESHES)


def _group(leader: int) -> list[int]:
    """The processes of a process group."""
    found = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in found if _group_of(pid) == leader]


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0
