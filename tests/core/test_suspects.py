"""The memory of targets that did not answer: whom the next request tries first (RFC 3263 §4.3)."""

from __future__ import annotations

import attrs
import pytest

from sipstack.core.outputs import Address, Target
from sipstack.core.suspects import FIRST, LONGEST, MAXIMUM, Suspects
from sipstack.testing.agent import ANSWER, CoreAgent
from sipstack.testing.ladders import ladder, timed
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World

ONE, TWO, THREE = (Target("UDP", (f"198.51.100.{number}", 5060)) for number in (1, 2, 3))
THREE_AT_10 = attrs.evolve(THREE, priority=10)
ALL = [ONE, TWO, THREE]


def avoided_for(suspects: Suspects, target: Target, now: float) -> float:
    """How many whole seconds another one is tried before ``target``."""
    seconds = 0
    while suspects.ordered([target, Target("UDP", ("192.0.2.99", 5060))], now + seconds)[0] != target:
        seconds += 1
    return seconds


# --- in what order ---

FAILURES: dict[str, tuple[list[tuple[Target, float]], float, list[Target]]] = {
    # what failed when, the time, the order
    "none": ([], 0, [ONE, TWO, THREE]),
    "the first": ([(ONE, 0)], 1, [TWO, THREE, ONE]),
    "the last": ([(THREE, 0)], 1, [ONE, TWO, THREE]),
    "all but the last": ([(ONE, 0), (TWO, 1)], 2, [THREE, ONE, TWO]),
    "all: the one that is free first is tried": ([(TWO, 0), (THREE, 1), (ONE, 2)], 3, [TWO, THREE, ONE]),
    "all at once": ([(THREE, 0), (TWO, 0), (ONE, 0)], 1, [ONE, TWO, THREE]),
    "long ago": ([(ONE, 0)], FIRST, [ONE, TWO, THREE]),
    "the one long ago, the other just now": ([(ONE, 0), (TWO, 31)], FIRST, [ONE, THREE, TWO]),
}


@pytest.mark.parametrize(("failures", "now", "order"), FAILURES.values(), ids=FAILURES)
def test_suspects_come_last(failures: list[tuple[Target, float]], now: float, order: list[Target]) -> None:
    suspects = Suspects()
    for target, time in failures:
        suspects.failed(target, time)
    assert suspects.ordered(ALL, now) == order


def test_a_lower_priority_is_tried_first() -> None:
    backup, main, other = (
        Target("UDP", each.address, priority=n) for each, n in zip(ALL, (20, 10, 10), strict=True)
    )
    suspects = Suspects()
    assert suspects.ordered([backup, main, other], 0) == [main, other, backup]
    suspects.failed(main, 0)
    assert suspects.ordered([backup, main, other], 0) == [other, backup, main]
    suspects.failed(other, 1)
    assert suspects.ordered([backup, main, other], 1) == [backup, main, other]


def test_a_target_is_known_by_all_that_tells_it_apart() -> None:
    """Not by its priority, which is the name's that led there."""
    suspects = Suspects()
    suspects.failed(Target("UDP", ONE.address, priority=10), 0)
    suspects.failed(Target("TLS", TWO.address, "a.example"), 0)
    others = [Target("TCP", ONE.address), Target("TLS", TWO.address, "b.example")]
    assert suspects.ordered([ONE, Target("TLS", TWO.address, "a.example"), *others], 1)[:2] == others


# --- for how long ---


def test_it_is_avoided_twice_as_long_each_time_that_it_fails_again() -> None:
    suspects, now, pauses = Suspects(), 1000.0, []
    for _ in range(7):
        suspects.failed(ONE, now)
        pauses.append(avoided_for(suspects, ONE, now))
        now += pauses[-1]
    assert pauses == [32, 64, 128, 256, 512, LONGEST, LONGEST]


def test_requests_that_fail_together_are_one_failure() -> None:
    suspects = Suspects()
    for place in range(100):
        suspects.failed(ONE, place / 100)
    assert avoided_for(suspects, ONE, 1) == FIRST


def test_an_answer_clears_it() -> None:
    suspects = Suspects()
    for time in (0, 32, 96):
        suspects.failed(ONE, time)
    suspects.answered(ONE)
    suspects.answered(TWO)  # which nobody suspected
    assert (len(suspects), suspects.ordered(ALL, 97)) == (0, ALL)
    suspects.failed(ONE, 100)
    assert avoided_for(suspects, ONE, 100) == FIRST


RETRY_AFTER = [(0, 0), (5, 5), (120, 120), (600, 600), (86400, LONGEST)]


@pytest.mark.parametrize(("asked", "seconds"), RETRY_AFTER)
def test_it_says_itself_how_long(asked: float, seconds: float) -> None:
    suspects = Suspects()
    suspects.failed(ONE, 0, asked)
    assert avoided_for(suspects, ONE, 0) == seconds


def test_what_it_asked_for_is_not_shortened_by_another_failure() -> None:
    suspects = Suspects()
    suspects.failed(ONE, 0, 300)
    suspects.failed(ONE, 1)
    assert avoided_for(suspects, ONE, 1) == 299
    suspects.failed(ONE, 300)
    assert avoided_for(suspects, ONE, 300) == 64


def test_the_oldest_is_forgotten() -> None:
    suspects = Suspects()
    targets = [Target("UDP", ("198.51.100.1", port)) for port in range(1, MAXIMUM + 3)]
    for target in targets:
        suspects.failed(target, 0)
    suspects.failed(targets[2], 0)  # again: nobody is forgotten for it
    assert len(suspects) == MAXIMUM
    assert suspects.ordered([targets[3], targets[0], targets[2], targets[1]], 1) == [
        targets[0],
        targets[1],
        targets[3],
        targets[2],
    ]


# --- calls to a name with several addresses ---


def world_of(*, dead: int = 0) -> tuple[World, CoreAgent, list[ScriptedPeer]]:
    """Alice, and the peers behind the three addresses of example.com, of which the first are not there."""
    world = World()
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060))
    alice.names = {"example.com": [target.address[0] for target in ALL]}
    names = ("one", "two", "three")
    peers = [ScriptedPeer(world, names[number], ALL[number].address) for number in range(dead, 3)]
    return world, alice, peers


def options(world: World, alice: CoreAgent) -> None:
    alice.core.standalone("OPTIONS", "sip:example.com").start(world.now)
    world.run()


def asked(world: World) -> list[tuple[float, str]]:
    """When alice asked whom, retransmissions left out."""
    lines = [(time, line.split()[2]) for time, line in world.timed_ladder() if line.startswith("alice -> ")]
    return list(dict.fromkeys((time, name) for time, name in lines))


def test_the_second_call_to_a_dead_address_does_not_wait_for_it_again() -> None:
    world, alice, (two, _) = world_of(dead=1)
    alice.call("sip:bob@example.com")
    world.run(32)
    two.answer(two.request, 200, body=ANSWER)
    alice.hang_up()
    two.answer(two.request, 200)
    world.run(30)
    world.ladder()
    alice.call("sip:bob@example.com")
    two.answer(two.request, 200, body=ANSWER)
    assert world.timed_ladder() == timed("""
        62.0    alice -> two    INVITE sip:bob@example.com [1]
        62.0    two -> alice    200 OK [1 INVITE]
        62.0    alice -> two    ACK sip:two@198.51.100.2:5060 [1]
    """)
    assert alice.told == ["Answered", "Ended", "Answered"]


def test_after_a_while_the_dead_address_gets_its_chance() -> None:
    world, alice, (two, three) = world_of(dead=1)
    for _ in range(2):
        options(world, alice)
        world.run(32)
        two.answer(two.request, 200)
        world.run(32)  # the pause is over
    assert set(world.ladder(by="alice")) == set(
        ladder("""
            alice -> 198.51.100.1:5060    OPTIONS sip:example.com [1]
            alice -> two                  OPTIONS sip:example.com [1]
        """)
    )
    assert (two.times, three.heard) == ([32.0, 96.0], [])
    options(world, alice)  # it has failed twice: avoided for 64 s, of which 32 are over
    two.answer(two.request, 200)
    assert asked(world) == [(128.0, "two")]


def test_503_is_avoided_for_as_long_as_it_says() -> None:
    world, alice, (one, two, three) = world_of()
    options(world, alice)
    one.answer(one.request, 503, headers=[("Retry-After", "100 (maintenance);duration=60")])
    two.answer(two.request, 503, headers=[("Retry-After", "soon")])
    three.answer(three.request, 200)
    for time in (31, 33, 99, 101):
        world.run_until(time)
        options(world, alice)
        for peer in (one, two, three):
            if peer.times[-1] == time:
                peer.answer(peer.request, 200)
    assert asked(world) == [
        (0.0, "one"),
        (0.0, "two"),
        (0.0, "three"),
        (31.0, "three"),
        (33.0, "two"),
        (99.0, "two"),
        (101.0, "one"),
    ]


@pytest.mark.parametrize("status", [200, 100, 404, 486, 500, 603])
def test_any_other_answer_says_that_it_is_there(status: int) -> None:
    world, alice, (one, *_) = world_of()
    alice.core.router.suspects.failed(ONE, 0)
    world.run_until(FIRST)
    options(world, alice)
    one.answer(one.request, status)
    assert len(alice.core.router.suspects) == 0


def test_where_all_are_dead_the_one_that_is_free_first_is_tried() -> None:
    world, alice, _ = world_of(dead=3)
    options(world, alice)
    world.settle()
    order = [name.split(":")[0][-1] for _, name in dict.fromkeys((0, name) for _, name in asked(world))]
    assert (order, alice.told) == (["1", "2", "3"], ["Unanswered"])
    for target in ALL:
        alice.core.router.suspects.failed(target, world.now, 100 - int(target.address[0][-1]))
    options(world, alice)
    assert world.ladder() == ["alice -> 198.51.100.3:5060 OPTIONS sip:example.com [1]"]


def test_an_address_that_cannot_be_reached_is_avoided_too() -> None:
    world, alice, (one, two, three) = world_of()
    unreachable: set[Address] = {ONE.address}
    alice.unreachable = unreachable
    options(world, alice)
    two.answer(two.request, 200)
    unreachable.clear()
    options(world, alice)
    assert (one.heard, len(two.requests)) == ([], 2)
    assert [target.address for target in alice.opened] == [ONE.address, TWO.address]


def test_a_proxy_that_challenges_is_there() -> None:
    world, alice, (one, *_) = world_of()
    alice.core.router.suspects.failed(ONE, -FIRST)
    options(world, alice)
    one.answer(one.request, 401, headers=[("WWW-Authenticate", 'Digest realm="x", nonce="1"')])
    assert len(alice.core.router.suspects) == 0
