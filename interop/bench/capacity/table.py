"""The two tables of the page: what a cluster carries, and what follows when one of its nodes dies."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from interop.bench import progress
from interop.bench.capacity.costs import Costs
from interop.bench.capacity.parts import Storm
from interop.bench.capacity.plan import AtRest, Needed, Plan, carried
from interop.bench.capacity.storm import Simulation

NODES = 1, 2, 5, 10, 20, 50, 100
LIMIT = 0.7
"""Share of a part that is in use at the most, when a node has died: beyond it queues grow."""
GRAIN = 10
SHORT = {"node CPU": "node CPU", "node memory": "node mem.", "Redis CPU": "Redis CPU"} | {
    "Redis memory": "Redis mem.",
    "proxy CPU": "proxy CPU",
}


@attrs.frozen
class Row:
    """One size of a cluster with all the calls that it carries."""

    plan: Plan
    used: AtRest
    """By those that are left when one node has died."""
    storm: Storm | None
    """None with one node: nobody is left."""


def rows(costs: Costs, plan: Plan, nodes: Sequence[int] = NODES, seed: int = 1) -> list[Row]:
    """``plan`` with each number of nodes; its ``calls``, unless 0, take the place of all that it carries."""
    found = []
    for number in nodes:
        progress.show(f"{number} nodes")
        sized = attrs.evolve(plan, nodes=number)
        if not plan.calls:
            sized = carried(sized, costs, LIMIT)
        storm = Simulation(sized, costs, seed, GRAIN).run() if number > 1 else None
        found.append(Row(sized, AtRest.of(sized, costs, max(1, number - 1)), storm))
    progress.clear()
    return found


def at_rest(found: Sequence[Row]) -> list[str]:
    """Markdown: how many calls, and how much of each part is in use then."""
    lines = _head("nodes", "calls up", "calls/s", *SHORT.values(), "breaks first")
    for row in found:
        shares = [f"{share:.0%}" for share in row.used.used.values()]
        counts = str(row.plan.nodes), f"{_about(row.plan.calls):,}", f"{row.plan.arrivals:,.0f}"
        lines.append(_line(*counts, *shares, row.used.first))
    return lines


def after_a_death(found: Sequence[Row]) -> list[str]:
    """Markdown: who takes the calls over, how long that takes, and what the peers hear meanwhile."""
    names = ("by request", "by search", "raced", "half after", "all after", "p99 of answers", "503", "lost")
    lines = _head("nodes", "orphans", *names)
    for row in found:
        storm = row.storm
        if storm is not None:
            numbers = [
                f"{each:,}" for each in (storm.orphans, storm.by_request, storm.by_search, storm.raced)
            ]
            times = [f"{storm.half:.0f} s", f"{storm.settled:.0f} s", f"{storm.slowest:.1f} s"]
            lines.append(
                _line(str(row.plan.nodes), *numbers, *times, f"{storm.refused:,}", f"{storm.lost:,}")
            )
    return lines


def what_if(variants: Sequence[tuple[str, Row]]) -> list[str]:
    """Markdown: the same cluster, and other calls, or another proxy, or another Redis."""
    lines = _head(
        "what", "calls up", "breaks first", "half after", "all after", "p99 of answers", "503", "lost"
    )
    for name, row in variants:
        storm = row.storm
        assert storm is not None
        figures = [f"{storm.half:.0f} s", f"{storm.settled:.0f} s", f"{storm.slowest:.1f} s"]
        figures += [f"{storm.refused:,}", f"{storm.lost:,}"]
        lines.append(_line(name, f"{_about(row.plan.calls):,}", row.used.first, *figures))
    return lines


def needs(found: Sequence[Needed]) -> list[str]:
    """Markdown: how many cells of how many nodes."""
    lines = _head("calls up", "calls/s", "cells (a Redis each)", "nodes in each", "nodes", "proxy cores")
    for each in found:
        plan = each.plan
        calls, arrivals = plan.calls * each.cells, plan.arrivals * each.cells
        counts = each.cells, plan.nodes, each.cells * plan.nodes, each.proxy_cores
        lines.append(_line(f"{calls:,.0f}", f"{arrivals:,.0f}", *map(str, counts)))
    return lines


def _about(calls: float) -> int:
    """To three figures, and not more than there are."""
    step = int(f"1{'0' * max(0, len(str(int(calls))) - 3)}")
    return int(calls) // step * step


def _head(*names: str) -> list[str]:
    return [_line(*names), "|" + " ---: |" * len(names)]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
