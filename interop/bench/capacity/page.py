"""The page ``sipstack/CAPACITY.md``: its words are written by hand, its tables by the simulation."""

from __future__ import annotations

from pathlib import Path

import attrs

from interop.bench.capacity import table
from interop.bench.capacity.costs import Costs
from interop.bench.capacity.plan import Plan, needed

PAGE = Path(__file__).parents[3] / "sipstack" / "CAPACITY.md"
PLAN = Plan(nodes=10, calls=0)
END = "<!-- end -->"
CALLS = 10_000, 100_000, 1_000_000, 10_000_000


def tables(costs: Costs) -> dict[str, list[str]]:
    """By the name that its place in the page has."""
    sizes = table.rows(costs, PLAN)
    return {
        "costs": _costs(costs),
        "carried": table.at_rest(sizes),
        "death": table.after_a_death(sizes),
        "variants": table.what_if(_variants(costs)),
        "needed": table.needs(
            [needed(attrs.evolve(PLAN, calls=calls), costs, table.LIMIT) for calls in CALLS]
        ),
    }


def _variants(costs: Costs) -> list[tuple[str, table.Row]]:
    kinds = {
        "as above": PLAN,
        "the proxy gives a dead node's calls to its neighbour": attrs.evolve(PLAN, spreads=False),
        "a write waits for a replica (`WAIT 1`)": attrs.evolve(PLAN, waits=True),
        "calls of 30 minutes": attrs.evolve(PLAN, hold=1800.0),
        "calls of 30 minutes, `Session-Expires: 300`": attrs.evolve(PLAN, hold=1800.0, expires=300.0),
        "the same, and the peers refresh": attrs.evolve(PLAN, hold=1800.0, expires=300.0, ours=0.0),
    }
    return [(name, table.rows(costs, plan, [plan.nodes])[0]) for name, plan in kinds.items()]


def _costs(costs: Costs) -> list[str]:
    node, redis, proxy = costs.node, costs.redis, costs.proxy
    lines = ["| what | the node | Redis | Kamailio |", "| :--- | ---: | ---: | ---: |"]
    calls = [("a call (INVITE to BYE), kept in Redis", node.call["redis"], redis.call, proxy.call)]
    calls += [("a refresh (UPDATE)", node.refresh["redis"], redis.refresh, proxy.refresh)]
    for what, *parts in calls:
        lines.append(f"| {what} | {' | '.join(f'{part:.0f} µs' for part in parts)} |")
    lines += [
        f"| a take-over by a request | {node.takeover:.0f} µs | {redis.takeover:.0f} µs | |",
        f"| a take-over by search | {node.orphan:.0f} µs | {redis.takeover + redis.read:.0f} µs | |",
        f"| a take-over that another node was faster in | | {redis.read + redis.refused:.0f} µs | |",
        f"| a call, where Redis has only 200 of them in a second | | {redis.lonely:.0f} µs | |",
        f"| a look for dead nodes that finds none | | {redis.look:.0f} µs | |",
        f"| 1,000 names of what a dead one has | | {redis.page:.0f} µs | |",
        f"| octets on the way to Redis for a call | | {redis.sent:,.0f} | |",
        f"| memory of a call that is up | {node.octets['redis']:,.0f} octets"
        f" ({node.octets['none']:,.0f} without a store) | {redis.octets:,.0f} octets | |",
        f"| disk of a call that is up, in SQLite | {costs.sqlite_octets:,.0f} octets | | |",
    ]
    others = (("none", "not kept"), ("memory", "in memory"), ("sealed", "sealed"), ("sqlite", "in SQLite"))
    lines += [f"| a call, {name} | {node.call[kind]:.0f} µs | | |" for kind, name in others]
    return lines


def filled(text: str, found: dict[str, list[str]]) -> str:
    """``text`` with the tables in their places. Raises ValueError where one has none."""
    for name, lines in found.items():
        begin = f"<!-- {name} -->\n"
        before, _, rest = text.partition(begin)
        _, end, after = rest.partition(END)
        if text.count(begin) != 1 or not end:
            raise ValueError(f"the page has no place for {name}")
        text = "\n".join([before + begin.rstrip(), *lines, end + after])
    return text


def write(costs: Costs) -> None:
    """Put the tables into the page."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), tables(costs)), encoding="utf-8")
