"""The look-ups under way: bounded, each query asked once, and answered from memory while it holds."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence

from sipstack.core.dns_records import NO_NAME, Answer, Query
from sipstack.core.lookups import MAXIMUM_QUESTIONS, MAXIMUM_WAITING, Lookups
from sipstack.core.outputs import Output, Question, Resolve, Target, Transport
from sipstack.identifiers import Identifiers

ADDRESS = Answer(("192.0.2.1",), 60.0)
SPOKEN = {"UDP": Transport("UDP", families=("A",))}


class Waiting:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def resolved(self, targets: Sequence[Target], now: float, reason: str = "") -> None:
        self.told.append(reason or targets[0].address[0])


class Bench:
    """Looks up hosts with a port, of which only the address is asked."""

    def __init__(self) -> None:
        self.outputs: deque[Output] = deque()
        self.lookups = Lookups(self.outputs, Identifiers(random.Random(1)))

    def look_up(self, host: str, now: float = 0.0) -> Waiting:
        waiting = Waiting()
        self.lookups.resolve(Question("UDP", host, 5060, has_port=True), SPOKEN, waiting, now)
        return waiting


def query(host: str) -> Query:
    return Query(host, "A")


# --- too many ---


def test_one_name_too_many_is_refused_and_the_others_are_found() -> None:
    bench = Bench()
    waiting = [bench.look_up(f"h{number}.test") for number in range(MAXIMUM_QUESTIONS)]
    assert bench.look_up("late.test").told == ["too many names are being looked up; try again later"]
    assert len(bench.outputs) == MAXIMUM_QUESTIONS
    bench.lookups.resolved(query("h0.test"), ADDRESS, 1.0)
    assert waiting[0].told == ["192.0.2.1"]
    late = bench.look_up("late.test", 1.0)
    bench.lookups.resolved(query("late.test"), ADDRESS, 1.0)
    assert late.told == ["192.0.2.1"]


def test_one_request_too_many_for_a_name_is_refused() -> None:
    bench = Bench()
    waiting = [bench.look_up("pbx.test") for _ in range(MAXIMUM_WAITING)]
    assert bench.look_up("pbx.test").told == ["too many requests wait for this name"]
    assert list(bench.outputs) == [Resolve(query("pbx.test"))]
    bench.lookups.resolved(query("pbx.test"), ADDRESS, 1.0)
    assert all(each.told == ["192.0.2.1"] for each in waiting)
    assert bench.lookups.waiting() == []


# --- answers out of turn ---


def test_an_answer_that_nobody_waits_for_is_remembered() -> None:
    bench = Bench()
    bench.lookups.resolved(query("pbx.test"), ADDRESS, 0.0)
    assert bench.look_up("pbx.test", 1.0).told == ["192.0.2.1"]
    assert not bench.outputs


def test_an_answer_that_comes_twice_tells_once() -> None:
    bench = Bench()
    waiting = bench.look_up("pbx.test")
    for _ in range(2):
        bench.lookups.resolved(query("pbx.test"), ADDRESS, 0.0)
    assert waiting.told == ["192.0.2.1"]


# --- what is known costs no question ---


def test_an_answer_is_asked_for_again_when_its_time_is_over() -> None:
    bench = Bench()
    bench.look_up("pbx.test")
    bench.lookups.resolved(query("pbx.test"), ADDRESS, 0.0)
    bench.outputs.clear()
    assert bench.look_up("PBX.test", 59.9).told == ["192.0.2.1"]
    assert not bench.outputs
    assert bench.look_up("pbx.test", 60.0).told == []
    assert list(bench.outputs) == [Resolve(query("pbx.test"))]


def test_that_there_is_no_such_name_is_remembered_too() -> None:
    bench = Bench()
    bench.look_up("pbx.test")
    bench.lookups.resolved(query("pbx.test"), Answer(ttl=7.0, problem=NO_NAME), 0.0)
    bench.outputs.clear()
    assert bench.look_up("pbx.test", 6.9).told == [NO_NAME]
    assert not bench.outputs
    assert bench.look_up("pbx.test", 7.0).told == []


def test_two_ports_of_a_host_share_one_query() -> None:
    bench = Bench()
    first, second = bench.look_up("pbx.test"), Waiting()
    bench.lookups.resolve(Question("UDP", "pbx.test", 5070, has_port=True), SPOKEN, second, 0.0)
    assert list(bench.outputs) == [Resolve(query("pbx.test"))]
    bench.lookups.resolved(query("pbx.test"), ADDRESS, 0.0)
    assert first.told == second.told == ["192.0.2.1"]
