"""``python -m interop.bench capacity``: the simulation, and the page that is made of it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from interop.bench import progress
from interop.bench.capacity import page
from interop.bench.capacity.costs import CHECKED_IN, Costs
from interop.bench.capacity.plan import Plan
from interop.bench.capacity.table import NODES, after_a_death, at_rest, rows

ABOUT = """\
A cluster is so many nodes (processes of ours, a core each) that share one Redis behind one Kamailio. For each
number of nodes: how many calls it carries, which part breaks first, and what follows when a node dies: its
calls are taken over when their peers ask for something, or by nodes that look for them.

  python -m interop.bench capacity                          the tables of sipstack/CAPACITY.md
  python -m interop.bench capacity --nodes 3 --calls 200000 what your cluster does with your calls
  python -m interop.bench capacity --hold 3600 --expires 300
  python -m interop.bench capacity --neighbour              the proxy gives a dead node's calls to one other
  python -m interop.bench capacity --measure my.toml        the unit costs of your machine: some six minutes,
                                                            with sipp, redis-server and kamailio
  python -m interop.bench capacity --costs my.toml          the simulation with them

The costs that are checked in are those of one small machine, in interop/bench/capacity/costs.toml.
"""


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    given = _parser().parse_args(arguments)
    if given.measure is not None:
        return _measure(given.measure)
    try:
        costs = Costs.read(given.costs)
    except (OSError, ValueError, TypeError) as error:
        sys.stderr.write(f"{given.costs}: no table of costs: {error}\n")
        return 2
    if given.page:
        page.write(costs)
        return 0
    plan = Plan(
        nodes=1,
        calls=given.calls,
        hold=given.hold,
        expires=given.expires,
        proxy_cores=given.proxy_cores,
        waits=given.wait,
        spreads=not given.neighbour,
    )
    found = rows(costs, plan, given.nodes, given.seed)
    sys.stdout.write("\n".join([*at_rest(found), "", *after_a_death(found), ""]))
    return 0


def _measure(path: Path) -> int:
    from interop.bench.capacity.measure import measure

    with tempfile.TemporaryDirectory() as folder:
        try:
            costs = measure(Path(folder))
        except (RuntimeError, OSError) as error:
            sys.stderr.write(f"not measured: {error}\n")
            return 2
    progress.clear()
    costs.write(path)
    return 0


def _numbers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError("a cluster has one node at least")
    return numbers


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m interop.bench capacity",
        description="How many calls a cluster carries, and what happens when one of its nodes dies.",
        epilog=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--nodes", type=_numbers, default=NODES, metavar="N,N", help="sizes of the cluster (1,2,5,...,100)")
    add("--calls", type=_positive, default=0.0, help="calls that are up (as many as it carries)")
    add("--hold", type=_positive, default=180.0, help="seconds that a call lasts on average (180)")
    add("--expires", type=_positive, default=1800.0, help="Session-Expires, in seconds (1800)")
    add("--proxy-cores", type=_positive, default=4.0, metavar="N", help="cores of the proxy (4)")
    add("--wait", action="store_true", help="a write waits for a replica of Redis (WAIT 1)")
    add("--neighbour", action="store_true", help="the proxy gives all that a dead node had to one other node")
    add("--seed", type=int, default=1, help="another one draws other calls (1)")
    add("--costs", type=Path, default=CHECKED_IN, metavar="FILE", help="unit costs (those checked in)")
    add("--measure", type=Path, metavar="FILE", help="measure the unit costs, and write them")
    add("--page", action="store_true", help="write the tables into sipstack/CAPACITY.md")
    return parser
