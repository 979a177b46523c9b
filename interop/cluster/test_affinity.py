"""A call stays with the node that has it: the proxy sends what comes in it there, or another node does.

The callers are a plain SIPp. Each changes its call and hangs up, all after the last call is up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from interop.cluster.cluster import Cluster, running
from interop.cluster.kill import MARGIN, check
from interop.cluster.node import ANSWERED, TOOK_OVER
from interop.sipp.process import Result, Sipp

CALLS = 100
RATE = 50.0


@attrs.frozen
class Done:
    """``answered``, ``taken_over``: calls, of each node."""

    result: Result
    answered: list[int]
    taken_over: list[int]

    @property
    def lost(self) -> int:
        return CALLS - self.result.statistics.successful


def calls(
    folder: Path,
    manner: str,
    *,
    passing: bool = False,
    then: Callable[[Cluster], None] = lambda cluster: None,
) -> Done:
    """``then`` happens when all calls are up."""
    with running(started=2, manner=manner, passing=passing) as cluster:
        stay = CALLS / RATE + MARGIN
        sipp = Sipp(
            "uac_stays",
            *("-r", str(RATE), "-l", str(CALLS), "-s", "service", "-d", str(round(stay * 1000))),
            folder=folder,
            target=cluster.target,
            calls=CALLS,
            limit=2 * stay + 60.0,
            trace=False,
        )
        with sipp:
            time.sleep(stay - MARGIN / 2)
            then(cluster)
            result = sipp.wait()
            check(cluster, result)
        said = [node.said for node in cluster.nodes]
        return Done(result, [each.count(ANSWERED) for each in said], [each.count(TOOK_OVER) for each in said])


def is_dealt(done: Done) -> bool:
    """Whether each node had a good part of the calls."""
    return min(done.answered) > CALLS // 4 and sum(done.answered) == CALLS


def kill(cluster: Cluster) -> None:
    cluster.nodes[0].kill()


def drain(cluster: Cluster) -> None:
    cluster.nodes[0].drain()


# The proxy knows who has a call by the node in its Contact.


def test_kamailio_finds_the_node_that_has_a_call(tmp_path: Path) -> None:
    done = calls(tmp_path, "BY_NODE")
    assert (done.lost, done.taken_over) == (0, [0, 0])
    assert is_dealt(done)


def test_kamailio_gives_the_calls_of_a_dead_node_to_the_other(tmp_path: Path) -> None:
    done = calls(tmp_path, "BY_NODE", then=kill)
    assert is_dealt(done)
    assert done.lost == 0
    assert done.taken_over == [0, done.answered[0]]


# The proxy knows nothing.


def test_nodes_that_do_not_pass_on_take_calls_from_one_another(tmp_path: Path) -> None:
    done = calls(tmp_path, "AT_RANDOM")
    assert is_dealt(done)
    assert sum(done.taken_over) > CALLS // 4


def test_nodes_pass_on_what_is_not_theirs(tmp_path: Path) -> None:
    done = calls(tmp_path, "AT_RANDOM", passing=True)
    assert (done.lost, done.taken_over) == (0, [0, 0])
    assert is_dealt(done)


@pytest.mark.parametrize("end", [kill, drain])
def test_a_node_answers_for_one_that_is_gone(tmp_path: Path, end: Callable[[Cluster], None]) -> None:
    done = calls(tmp_path, "AT_RANDOM", passing=True, then=end)
    assert is_dealt(done)
    assert done.lost == 0
    assert done.taken_over == [0, done.answered[0]]
