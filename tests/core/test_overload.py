"""What is new is put off while the event loop cannot keep up; calls go on."""

from __future__ import annotations

import random

import pytest

from sipstack.core.outputs import Flow
from sipstack.core.overload import CALM, GOOD_FOR, IN_A_ROW, MAXIMUM_TOLD, SILENT, Overload, Verdict
from sipstack.identifiers import Identifiers
from sipstack.testing.agent import ANSWER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World

HIGH = 0.25
BOB = ("192.0.2.2", 5060)


def flow(host: str = "192.0.2.1", *, reliable: bool = False) -> Flow:
    return Flow("TCP" if reliable else "UDP", BOB, (host, 5060), reliable)


def late(lag: float = HIGH * 1.1) -> Overload:
    overload = Overload(HIGH, Identifiers(random.Random(1)))
    for _ in range(IN_A_ROW):
        overload.measured(lag, 0.0)
    return overload


# --- the controller ---


def test_one_pause_is_no_overload() -> None:
    overload = Overload(HIGH, Identifiers(random.Random(1)))
    overload.measured(10.0, 0.0)
    overload.measured(0.0, 0.1)
    overload.measured(10.0, 0.2)
    assert not overload.active


def test_it_is_over_only_when_the_loop_is_well_in_time_again() -> None:
    overload = late()
    lags = (HIGH, HIGH * CALM * 1.01, HIGH * CALM)
    states = []
    for lag in lags:
        overload.measured(lag, 0.0)
        states.append(overload.active)
    assert states == [True, True, False]


def test_a_measurement_does_not_count_for_ever() -> None:
    overload = late()
    assert overload.verdict(flow(), GOOD_FOR + 0.1) is Verdict.TAKE
    assert not overload.active


def test_a_source_is_told_once_a_second_over_udp() -> None:
    overload = late()
    seen = [overload.verdict(flow(), when) for when in (0.0, 0.1, 0.9)]
    assert seen == [Verdict.REFUSE, Verdict.IGNORE, Verdict.IGNORE]
    assert overload.verdict(flow("192.0.2.9"), 0.9) is Verdict.REFUSE
    overload.measured(HIGH * 1.1, 1.0)
    assert overload.verdict(flow(), 1.0) is Verdict.REFUSE


def test_over_a_connection_everybody_is_told() -> None:
    for lag in (HIGH * 1.1, HIGH * SILENT * 2):
        overload = late(lag)
        assert [overload.verdict(flow(reliable=True), 0.0) for _ in range(3)] == [Verdict.REFUSE] * 3


def test_far_behind_nobody_is_told_over_udp() -> None:
    assert late(HIGH * SILENT * 1.1).verdict(flow(), 0.0) is Verdict.IGNORE


def test_forged_sources_cost_no_memory() -> None:
    overload = late()
    hosts = [f"10.{number >> 8}.{number & 255}.1" for number in range(3 * MAXIMUM_TOLD)]
    told = [overload.verdict(flow(host), 0.5) for host in hosts]
    assert told.count(Verdict.REFUSE) == MAXIMUM_TOLD


def test_not_all_come_back_at_once() -> None:
    overload = late()
    drawn = {int(overload.retry_after()) for _ in range(200)}
    assert (min(drawn), max(drawn)) == (5, 15)


# --- the core ---


def called() -> tuple[World, CoreAgent, ScriptedPeer]:
    """Alice has called bob, who is busy with other things from now on."""
    world = World()
    bob, alice = CoreAgent(world, "bob", BOB), ScriptedPeer(world, "alice", ("192.0.2.1", 5060))
    invite = alice.write("INVITE", bob.uri, body=ANSWER)
    alice.send(BOB, invite)
    bob.accept()
    alice.send(BOB, alice.inside(alice.response, "ACK", 1))
    for _ in range(IN_A_ROW):
        assert bob.core.lagged(1.0, world.now) in (True, False)
    assert bob.core.overload is not None
    assert bob.core.overload.active
    return world, bob, alice


METHODS = ["INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE", "REFER", "PUBLISH", "NOTIFY", "REGISTER", "X-NEW"]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_new_gets_503_with_retry_after_and_leaves_nothing(method: str) -> None:
    world, bob, alice = called()
    told, held = len(bob.told), len(bob.core.transactions)
    alice.send(BOB, alice.write(method, bob.uri, call_id="another", body=ANSWER))
    assert alice.response.status == 503
    assert 5 <= int(alice.response.headers.get("Retry-After") or "") <= 15
    assert (len(bob.told), len(bob.core.transactions)) == (told, held)
    before = len(alice.responses)
    alice.send(BOB, alice.write(method, bob.uri, call_id="third", body=ANSWER))
    assert len(alice.responses) == before  # silence: it has been told this second
    assert bob.core.counters.overloaded == 2


def test_a_call_under_way_goes_on_and_ends() -> None:
    world, bob, alice = called()
    accepted = next(each for each in alice.responses if each.status == 200)
    alice.send(BOB, alice.inside(accepted, "INVITE", 2, body=ANSWER))
    assert bob.told[-1] == "OfferReceived"
    alice.send(BOB, alice.inside(accepted, "BYE", 3))
    answers = [(each.status, each.cseq.method) for each in alice.responses[1:]]
    assert (sorted(answers), bob.told[-1]) == ([(200, "BYE"), (487, "INVITE")], "Ended")


@pytest.mark.parametrize("method", [*METHODS, "BYE", "UPDATE", "INFO", "PRACK", "CANCEL"])
def test_who_invents_a_dialog_is_put_off_like_everybody(method: str) -> None:
    _, bob, alice = called()
    to = f"<{bob.uri}>;tag=invented"
    alice.send(BOB, alice.write(method, bob.uri, call_id="another", to=to))
    assert alice.response.status == 503


def test_an_invite_that_came_before_is_not_forgotten() -> None:
    """Its retransmission is answered, and it can be cancelled."""
    world = World()
    bob, alice = CoreAgent(world, "bob", BOB), ScriptedPeer(world, "alice", ("192.0.2.1", 5060))
    invite = alice.write("INVITE", bob.uri, body=ANSWER)
    alice.send(BOB, invite)
    bob.invitation.progress(180, world.now)
    for _ in range(IN_A_ROW):
        bob.core.lagged(1.0, world.now)
    alice.send(BOB, invite)
    assert [each.status for each in alice.responses] == [180, 180]
    cancel = alice.write("CANCEL", bob.uri, branch=invite.via.branch or "")
    alice.send(BOB, cancel)
    assert [each.status for each in alice.responses[2:]] == [200, 487]


def test_without_a_bound_nobody_is_put_off() -> None:
    world = World()
    bob = CoreAgent(world, "bob", BOB, maximum_lag=None)
    assert [bob.core.lagged(100.0, 0.0) for _ in range(5)] == [False] * 5
