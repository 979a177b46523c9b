"""A node that is told to leave, with calls up: they go on at the other one, and new ones go there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from interop.cluster.cluster import running
from interop.sipp.process import Sipp

CALLS = 40


@pytest.mark.parametrize("kind", ["redis", "sealed"])
def test_calls_of_a_node_that_leaves_are_answered_by_the_other(kind: str, tmp_path: Path) -> None:
    with running(kind, nodes=2, started=2) as cluster:
        sipp = Sipp(
            "uac_stays",
            *("-r", "10", "-s", "service", "-d", "3000"),
            folder=tmp_path,
            target=cluster.target,
            calls=2 * CALLS,
            limit=60.0,
            trace=False,
        )
        with sipp:
            time.sleep(4.0)  # calls at both nodes, some in each state
            cluster.nodes[0].drain()
            assert "drained, 0 left" in cluster.nodes[0].said
            result = sipp.wait()
        totals = result.statistics
        assert (result.status, totals.failed) == (0, 0), f"{result.errors}\n{cluster.logs()}"
        assert totals.successful == 2 * CALLS
