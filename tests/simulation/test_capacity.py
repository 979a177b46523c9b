"""How far a cluster goes: the simulation of the capacity page, run small, and held against the real code."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import attrs
import pytest

from interop.bench.capacity import command, page
from interop.bench.capacity.costs import Costs, OfNode, OfProxy, OfRedis
from interop.bench.capacity.parts import Storm
from interop.bench.capacity.plan import (
    CALL,
    REFRESH,
    TAKEOVER,
    AtRest,
    Operations,
    Plan,
    carried,
    needed,
)
from interop.bench.capacity.storm import Simulation
from sipstack.core.outputs import Forget, Load, Store
from sipstack.message import Response
from sipstack.testing.agent import OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.sessions import SharedStore
from sipstack.testing.world import World
from sipstack.usage.invite.session_timer import SessionTimer
from sipstack.usage.invite.timed_call import session_timer
from sipstack.usage.invite.update import update

COSTS = Costs(
    date="2026-11-27",
    machine="one that is made up",
    node=OfNode(
        call={"none": 800.0, "redis": 1200.0},
        refresh={"none": 200.0, "redis": 300.0},
        takeover=700.0,
        orphan=900.0,
        octets={"none": 8000.0, "redis": 10_000.0},
    ),
    redis=OfRedis(
        call=120.0,
        refresh=60.0,
        takeover=120.0,
        read=30.0,
        refused=30.0,
        page=400.0,
        look=700.0,
        waited=1.3,
        octets=1500.0,
        sent=2000.0,
        lonely=300.0,
    ),
    proxy=OfProxy(call=300.0, refresh=60.0),
    sqlite_octets=1000.0,
)
SMALL = Plan(nodes=4, calls=40_000)


def dearer(factor: float) -> Costs:
    """With a Redis on a slow machine."""
    redis = {name: each * factor for name, each in attrs.asdict(COSTS.redis).items() if name != "waited"}
    return attrs.evolve(COSTS, redis=attrs.evolve(COSTS.redis, **redis))


def storm(plan: Plan, costs: Costs = COSTS, seed: int = 1, grain: int = 5) -> Storm:
    return Simulation(plan, costs, seed, grain).run()


# --- at rest ---


def test_what_is_asked_in_a_second_follows_from_the_calls() -> None:
    """Whoever holds for 100 s on average reaches the 900th second in one of 8,103 cases."""
    plan = Plan(nodes=1, calls=100_000, hold=100.0)
    assert plan.arrivals == 1000
    assert plan.refreshes == pytest.approx(1000 / 8102, rel=1e-3)
    assert plan.operations.forgets == 1000
    assert plan.operations.puts == pytest.approx(1000 + plan.refreshes)


def test_a_cluster_carries_so_many_calls_that_one_of_its_nodes_may_die() -> None:
    plan = carried(Plan(nodes=3, calls=0), COSTS, 0.7)
    assert AtRest.of(plan, COSTS, 2).most == pytest.approx(0.7, rel=1e-4)
    assert AtRest.of(plan, COSTS).most < 0.5


@pytest.mark.parametrize(
    ("plan", "costs", "first"),
    [
        (Plan(nodes=2, calls=0), COSTS, "node CPU"),
        (Plan(nodes=2, calls=0), dearer(50.0), "Redis CPU"),
        (Plan(nodes=100, calls=0), COSTS, "Redis CPU"),
        (Plan(nodes=100, calls=0, proxy_cores=1.0), COSTS, "proxy CPU"),
        (Plan(nodes=2, calls=0, hold=7200.0), COSTS, "node memory"),
        (Plan(nodes=100, calls=0, hold=7200.0), COSTS, "Redis memory"),
    ],
)
def test_what_breaks_first_is_what_there_is_too_little_of(plan: Plan, costs: Costs, first: str) -> None:
    assert AtRest.of(carried(plan, costs, 0.7), costs, plan.nodes - 1).first == first


def test_more_calls_than_one_redis_carries_are_dealt_to_cells() -> None:
    few, many = (needed(Plan(nodes=1, calls=calls), COSTS, 0.7) for calls in (100_000, 10_000_000))
    assert (few.cells, few.plan.nodes) == (1, 2)
    assert many.cells > 5
    assert many.plan.calls * many.cells == pytest.approx(10_000_000)
    assert AtRest.of(many.plan, COSTS, many.plan.nodes - 1).most <= 0.7
    assert AtRest.of(many.plan, COSTS, many.plan.nodes - 2).most > 0.7


# --- a node dies ---


@pytest.mark.parametrize("nodes", [2, 3, 10])
@pytest.mark.parametrize("seed", range(3))
def test_no_call_is_lost_or_counted_twice(nodes: int, seed: int) -> None:
    found = storm(Plan(nodes=nodes, calls=5000.0 * nodes), seed=seed)
    assert found.orphans == 5000
    assert found.by_request + found.by_search + found.lost == found.orphans
    assert 0 < found.hung_up < found.orphans
    assert found.asked.takeovers == found.by_request + found.by_search + found.moved
    assert found.asked.forgets == found.hung_up


def test_every_call_has_an_owner_again_within_minutes() -> None:
    found = storm(SMALL)
    assert (found.lost, found.refused) == (0, 0)
    assert 10 < found.half < found.settled < 120
    assert min(found.by_request, found.by_search) > 0


def test_one_survivor_takes_over_a_hundred_thousand_calls_before_a_timer_of_half_an_hour_ends() -> None:
    """What made the search of a node go after 3,000 at a time, and not 100."""
    found = storm(Plan(nodes=2, calls=200_000, hold=1800.0, ours=1.0), grain=50)
    assert found.lost == 0
    assert found.by_search > found.by_request
    assert found.settled < 900


def test_with_timers_of_90_seconds_it_is_too_late_for_some() -> None:
    found = storm(Plan(nodes=2, calls=100_000, hold=1800.0, expires=90.0, ours=1.0), grain=50)
    assert found.lost > 1000


def test_more_nodes_are_never_slower_as_long_as_the_store_keeps_up() -> None:
    storms = [storm(Plan(nodes=nodes, calls=10_000.0 * nodes), seed=7) for nodes in (2, 4, 8, 16)]
    for fewer, more in pairwise(storms):
        assert more.settled <= fewer.settled * 1.05  # the last one has a random delay
    assert storms[-1].settled < storms[0].settled * 0.8


def test_with_a_store_that_is_too_slow_requests_come_again_and_none_is_lost() -> None:
    slow = dearer(10.0)
    plan = attrs.evolve(SMALL, hold=60.0)
    assert 0.8 < AtRest.of(plan, slow).most < 0.9
    found = storm(plan, slow)
    assert found.refused > 0
    assert found.lost == 0
    assert found.by_request + found.by_search == found.orphans
    assert found.settled > storm(plan).settled


def test_a_proxy_that_gives_all_to_one_neighbour_makes_it_late() -> None:
    plan = carried(Plan(nodes=4, calls=0), COSTS, 0.7)
    spread, heaped = storm(plan, grain=50), storm(attrs.evolve(plan, spreads=False), grain=50)
    assert spread.slowest < 2 < heaped.slowest


def test_one_seed_is_one_storm() -> None:
    assert storm(SMALL, seed=5) == storm(SMALL, seed=5) != storm(SMALL, seed=6)


def test_a_grain_of_ten_calls_tells_what_single_calls_tell() -> None:
    fine, coarse = storm(SMALL, grain=1), storm(SMALL, grain=10)
    assert coarse.orphans == fine.orphans
    assert coarse.half == pytest.approx(fine.half, rel=0.1)
    assert coarse.settled == pytest.approx(fine.settled, rel=0.2)
    assert coarse.by_search == pytest.approx(fine.by_search, rel=0.1)


def test_nobody_is_left_of_one() -> None:
    with pytest.raises(ValueError, match="nobody is left"):
        storm(Plan(nodes=1, calls=1000))


# --- held against the real code ---


class Counting(SharedStore):
    """Knows what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[type] = Counter()

    def perform(self, agent: CoreAgent, output: Store | Forget | Load) -> None:
        self.asked[type(output)] += 1
        super().perform(agent, output)

    def since(self) -> Operations:
        """What was asked since the last time."""
        asked, self.asked = self.asked, Counter()
        return Operations(puts=asked[Store], forgets=asked[Forget], takeovers=asked[Load])


class Real:
    """Calls of the real core with a session timer, which their caller refreshes, and two nodes."""

    TIMER = (("Supported", "timer"), ("Session-Expires", "1800;refresher=uac"))

    def __init__(self, calls: int) -> None:
        self.world, self.store = World(), Counting()
        self.node = self.started("one", "192.0.2.2")
        self.peers = [ScriptedPeer(self.world, f"peer{n}", ("192.0.2.9", 6000 + n)) for n in range(calls)]
        self.answers = [self.called(peer) for peer in self.peers]
        self.cseq = 1

    def started(self, name: str, host: str) -> CoreAgent:
        agent = CoreAgent(self.world, name, (host, 5060), store=self.store)
        for extension in (session_timer(SessionTimer(1800)), update()):
            agent.core.registry.add_extension(extension)
        return agent

    def called(self, peer: ScriptedPeer) -> Response:
        bob = self.node
        peer.send(bob.address, peer.write("INVITE", bob.uri, body=OFFER, headers=self.TIMER))
        bob.accept()
        self.world.run(0.1)
        peer.send(bob.address, peer.inside(peer.response, "ACK", 1))
        return peer.response

    def ask(self, method: str) -> Operations:
        """All peers ask for that, and have a 200."""
        self.cseq += 1
        self.store.since()
        for peer, answer in zip(self.peers, self.answers, strict=True):
            headers = self.TIMER if method == "UPDATE" else ()
            peer.send(self.node.address, peer.inside(answer, method, self.cseq, headers=headers))
            self.world.run(0.1)
            assert (peer.response.status, peer.response.cseq.number) == (200, self.cseq)
        return self.store.since()

    def die(self) -> None:
        self.node.kill()
        self.node = self.started("two", "192.0.2.3")


def test_a_call_and_a_refresh_ask_of_the_store_what_the_plan_counts() -> None:
    real = Real(10)
    begun = real.store.since()
    assert real.ask("UPDATE") == REFRESH.times(10)
    assert begun.plus(real.ask("BYE")) == CALL.times(10)


@pytest.mark.parametrize(
    ("method", "plan"),
    [
        ("UPDATE", Plan(nodes=2, calls=40, hold=1e9, expires=12.0, ours=0.0)),
        ("BYE", Plan(nodes=2, calls=40, hold=0.5)),
    ],
)
def test_a_death_asks_of_the_store_what_the_simulation_counts(method: str, plan: Plan) -> None:
    """Each call is asked for once before anybody looks for it, here and there."""
    real = Real(20)
    real.die()
    found = storm(plan, grain=1)
    assert (found.by_request, found.by_search, found.lost) == (20, 0, 0)
    assert real.ask(method) == found.asked


def test_a_search_asks_of_the_store_what_the_simulation_counts() -> None:
    real = Real(20)
    real.die()
    takeovers = real.node.core.takeovers
    assert takeovers is not None
    real.store.since()
    for key in list(real.store.entries):
        assert takeovers.claim(key, real.world.now, 0)
    real.world.run(1.0)
    found = storm(Plan(nodes=2, calls=40, hold=1e9, ours=1.0), grain=1)
    assert (found.by_request, found.by_search) == (0, 20)
    assert real.store.since() == TAKEOVER.times(20) == found.asked


# --- the page ---


def test_the_page_says_what_the_simulation_says() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.filled(text, page.tables(Costs.read())) == text


@pytest.mark.parametrize(
    ("cores", "part", "words"),
    [(4.0, "proxy CPU", "With {} it is the proxy"), (100.0, "Redis CPU", "With {} it is the one thread of")],
)
def test_the_page_names_the_size_at_which_another_part_breaks(cores: float, part: str, words: str) -> None:
    costs = Costs.read()
    sizes = (carried(Plan(nodes=nodes, calls=0, proxy_cores=cores), costs, 0.7) for nodes in range(2, 100))
    first = next(plan.nodes for plan in sizes if AtRest.of(plan, costs, plan.nodes - 1).first == part)
    assert words.format(first) in page.PAGE.read_text(encoding="utf-8")


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for carried"):
        page.filled("# A page", {"carried": []})


def test_costs_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "costs.toml"
    COSTS.write(path)
    assert Costs.read(path) == COSTS


def test_the_command_prints_both_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--nodes", "1,3", "--calls", "3000"]) == 0
    carried_at, death = capsys.readouterr().out.split("\n\n")
    assert len(carried_at.splitlines()) == 4
    (row,) = death.splitlines()[2:]
    assert row.startswith("| 3 | 1,000 |")


@pytest.mark.parametrize("text", ["", "date = 1", "[node]\ncall = 1", "no toml"])
def test_what_is_no_table_of_costs_is_said(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "costs.toml"
    path.write_text(text)
    assert command.main(["--costs", str(path)]) == 2
    assert "no table of costs" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--nodes", "0"], ["--calls", "-1"], ["--hold", "inf"], ["--hold", "x"]]
)
def test_a_plan_that_makes_no_sense_is_a_usage_error(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
