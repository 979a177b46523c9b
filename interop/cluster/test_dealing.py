"""What a dead node had goes to all others, and not to one of them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from interop.cluster.cluster import Cluster, dealt, running
from interop.redis.orphans import left
from interop.redis.server import wait_until
from interop.sipp.process import Sipp

CALLS = 300


def owned(cluster: Cluster) -> list[int]:
    """How many calls each node has."""
    assert cluster.redis is not None
    return [left(cluster.redis, node.name.encode()) for node in cluster.nodes]


def test_new_calls_are_dealt_to_all_nodes_that_are_left(tmp_path: Path) -> None:
    with running("redis", nodes=4, started=4) as cluster:
        cluster.nodes[1].kill()
        time.sleep(3.0)  # the proxy has heard of it
        options = ("-r", "100", "-l", str(CALLS), "-s", "service", "-d", "20000")
        with Sipp("uac_stays", *options, folder=tmp_path, target=cluster.target, calls=CALLS, trace=False):
            wait_until("all calls", lambda: sum(owned(cluster)) == CALLS)
            shares = owned(cluster)
        assert shares.pop(1) == 0
        assert max(shares) < CALLS * 0.45  # a third, and what chance may do; one neighbour would have a half


@pytest.mark.parametrize("nodes", [1, 2, 3, 6, 7])
def test_each_node_follows_each_other_one_once(nodes: int) -> None:
    entries = dealt(nodes)
    pairs = list(zip(entries, entries[1:] + entries[:1], strict=True))
    assert len(set(pairs)) == len(pairs) == max(1, nodes * (nodes - 1))
    assert set(entries) == set(range(nodes))
    assert nodes == 1 or all(one != other for one, other in pairs)
