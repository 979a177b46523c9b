"""Session timers, both roles (RFC 4028): whose refresh, by what, and what ends the call. In seconds."""

from __future__ import annotations

import json

import pytest

from sipstack.core.events import Ended, Refused
from sipstack.errors import FlowClosed, LocalProtocolError
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.world import World
from sipstack.transaction.timers import NEVER
from sipstack.usage.invite.extension import Ask, Close
from sipstack.usage.invite.record import SessionRecord
from sipstack.usage.invite.session_timer import SessionTimer
from sipstack.usage.invite.timed_call import LOOK, TimedCall
from tests.simulation.pair import alice_and_bob
from tests.usage.invite.timed_calls import (
    SUPPORTED,
    TIMER,
    UPDATES,
    accepted,
    both,
    called,
    calling,
    expires,
    in_call,
    short,
    timing,
)

# --- what cannot be asked for ---


@pytest.mark.parametrize(("seconds", "minimum"), [(89, 89), (1800, 60), (90, 120), (2**31, 90)])
def test_no_timer_is_shorter_than_the_rfc_allows_or_than_its_own_minimum(seconds: int, minimum: int) -> None:
    with pytest.raises(LocalProtocolError, match="the least is 90 s"):
        SessionTimer(seconds, minimum)


def test_the_refresher_is_one_of_two() -> None:
    with pytest.raises(LocalProtocolError, match="'local', 'remote' or None, not 'uac'"):
        SessionTimer(refresher="uac")  # type: ignore[arg-type]


# --- 422 ---


def test_who_asks_for_too_little_is_told_the_least() -> None:
    _, bob, carol = called(SUPPORTED, ("Session-Expires", "89"), timer=SessionTimer(1800, 300))
    assert (carol.response.status, carol.response.headers.get("Min-SE")) == (422, "300")
    assert bob.told == []


def test_a_proxy_that_asks_for_less_in_the_name_of_who_knows_no_timers_gets_it() -> None:
    """§9: such a caller would not understand 422, and we refresh."""
    _, _, carol, response = accepted(("Session-Expires", "60"), timer=SessionTimer(1800, 300))
    assert (response.status, expires(response), response.headers.get("Require")) == (
        200,
        "60;refresher=uas",
        None,
    )


def test_a_422_is_followed_by_an_invite_with_what_it_asks_for() -> None:
    world, alice, bob = calling()
    bob.answer(bob.request, 422, headers=[("Min-SE", "300")])
    first, second = [each for each in bob.requests if each.method == "INVITE"]
    assert (expires(first), first.headers.get("Min-SE"), first.cseq.number) == ("90", None, 1)
    assert (expires(second), second.headers.get("Min-SE"), second.cseq.number) == ("300", "300", 2)
    assert (first.call_id, first.from_, first.body) == (second.call_id, second.from_, second.body)
    bob.answer(second, 200, body=ANSWER, headers=[("Session-Expires", "300;refresher=uac"), UPDATES])
    world.run(150)
    assert (bob.request.method, expires(bob.request)) == ("UPDATE", "300;refresher=uac")
    assert bob.request.headers.get("Min-SE") == "300"
    assert alice.told == ["Answered"]


@pytest.mark.parametrize("hint", ["90", "60", "x", None])
def test_a_422_that_asks_for_no_more_than_we_gave_is_told(hint: str | None) -> None:
    _, alice, bob = calling()
    bob.answer(bob.request, 422, headers=[] if hint is None else [("Min-SE", hint)])
    assert (alice.told, alice.last(Refused).response.status) == (["Refused"], 422)
    assert bob.methods == ["INVITE", "ACK"]


def test_a_second_422_is_told() -> None:
    _, alice, bob = calling()
    bob.answer(bob.request, 422, headers=[("Min-SE", "300")])
    bob.answer(bob.request, 422, headers=[("Min-SE", "400")])
    assert (bob.methods, alice.told) == (["INVITE", "ACK", "INVITE", "ACK"], ["Refused"])


def test_a_refresh_that_is_too_short_for_somebody_on_the_way_goes_out_again_at_once() -> None:
    world, alice, bob = in_call("90;refresher=uac", UPDATES)
    world.run(45)
    bob.answer(bob.request, 422, None, headers=[("Min-SE", "200")])
    assert (bob.methods[2:], expires(bob.request)) == (["UPDATE", "UPDATE"], "200;refresher=uac")
    bob.answer(bob.request, 200, None, headers=[("Session-Expires", "200;refresher=uac")])
    world.run(99.9)
    assert len(bob.methods) == 4
    world.run(0.1)
    assert (bob.methods[4:], alice.told) == (["UPDATE"], ["Answered"])


def test_a_peer_that_raises_the_interval_for_ever_is_not_followed() -> None:
    world, _, bob = in_call("90;refresher=uac", UPDATES)
    world.run(45)
    for least in range(100, 200, 10):
        if bob.request.method == "UPDATE":
            bob.answer(bob.request, 422, None, headers=[("Min-SE", least)])
    assert bob.methods[2:] == ["UPDATE"] * 4 + ["INVITE"]


def test_a_reinvite_that_is_too_short_goes_out_again_at_once() -> None:
    world, _, bob = in_call("90;refresher=uac")
    world.run(45)
    bob.answer(bob.request, 422, None, headers=[("Min-SE", "200")])
    assert bob.methods[2:] == ["INVITE", "ACK", "INVITE"]
    assert (expires(bob.request), bob.request.body) == ("200;refresher=uac", OFFER)


# --- nobody refreshes ---


@pytest.mark.parametrize(("interval", "end"), [(90, 60.0), (1800, 1768.0)])
def test_a_callee_that_is_not_refreshed_says_bye_a_little_before_the_end(interval: int, end: float) -> None:
    """§10: a third of the interval, 32 s at the most."""
    world, bob, carol, _ = accepted(
        SUPPORTED, ("Session-Expires", f"{interval};refresher=uac"), timer=SessionTimer(1800)
    )
    world.run(end - 0.1)
    assert short(world) == []
    world.run(0.1)
    assert short(world) == [(end, "bob", "BYE")]
    carol.answer(carol.request, 200, None)
    event = bob.last(Ended)
    assert (event.by, event.reason) == (
        "session timer",
        f"the other side has not refreshed the session of {interval} s",
    )
    world.settle()
    assert bob.leftovers == []


def test_a_caller_whose_callee_does_not_refresh_says_bye() -> None:
    world, alice, bob = in_call("90;refresher=uas")
    world.run(60)
    assert (bob.methods[2:], alice.last(Ended).by) == (["BYE"], "session timer")


def test_a_refresh_without_an_answer_ends_the_call() -> None:
    """§10: as RFC 3261 §12.2.1.2 says, 64*T1 later."""
    world, alice, _ = in_call("1800;refresher=uac", UPDATES, timer=SessionTimer())
    world.run(940)
    event = alice.last(Ended)
    assert (event.by, event.reason[:24]) == ("session timer", "no answer to our refresh")
    world.settle()
    assert alice.leftovers == []


@pytest.mark.parametrize(("status", "by"), [(408, "session timer"), (481, "remote")])
def test_a_refresh_that_meets_no_call_ends_it(status: int, by: str) -> None:
    world, alice, bob = in_call("90;refresher=uac", UPDATES)
    world.run(45)
    bob.answer(bob.request, status, None)
    assert (bob.methods[2:], alice.last(Ended).by) == (["UPDATE", "BYE"], by)


def test_refreshes_that_are_refused_do_not_move_the_end() -> None:
    """Only a 2xx does: a stack that is talked to, and not listened to, would never end its calls."""
    world, alice, bob = in_call("90;refresher=uac", UPDATES)
    bob.on_request = lambda request: [request.response(500, headers=[("Retry-After", "0")])]
    world.run(100)
    assert (alice.last(Ended).by, alice.last(Ended).reason) == (
        "session timer",
        "the session of 90 s could not be refreshed",
    )
    sent = [(time, method) for time, by, method in short(world) if by == "alice"]
    assert sent == [(45.0 + 4 * step, "UPDATE") for step in range(12)] + [(90.0, "BYE")]


def test_a_port_that_is_closed_for_a_while_does_not_end_the_call() -> None:
    world, alice, bob = in_call("90;refresher=uac", UPDATES)
    flow = alice.flow(bob.address)
    world.run(45)
    alice.core.flow_failed(flow, FlowClosed("refused"), world.now)
    bob.on_request = lambda request: [
        request.response(200, headers=[("Contact", f"<{bob.uri}>"), ("Session-Expires", "90;refresher=uac")])
    ]
    world.run(10)
    assert [method for _, by, method in short(world) if by == "alice"] == ["UPDATE", "UPDATE"]
    assert alice.told == ["Answered"]


# --- required ---


def test_where_it_is_required_nobody_is_called_or_calls_without_it() -> None:
    _, bob, carol = called(timer=SessionTimer(required=True))
    assert (carol.response.status, carol.response.headers.get("Require")) == (421, "timer")
    _, _, peer = calling(SessionTimer(required=True))
    assert peer.request.headers.get("Require") == "timer"


def test_one_call_can_have_a_timer_of_its_own() -> None:
    wish = SessionTimer(600, 120, required=True, refresher="remote")
    _, _, bob = calling(wishes={"timer": wish})
    invite = bob.request
    assert (expires(invite), invite.headers.get("Min-SE")) == ("600;refresher=uas", "120")
    assert invite.headers.get("Require") == "timer"
    _, _, bob = calling()
    assert (expires(bob.request), bob.request.headers.get("Require")) == ("90", None)


# --- before the answer, forks ---


def test_an_update_before_the_answer_starts_no_timer() -> None:
    world, bob, carol = called(SUPPORTED, ("Session-Expires", "90"))
    bob.invitation.progress(183, world.now)
    early = carol.response
    carol.send(bob.address, carol.inside(early, "UPDATE", 2, headers=[("Session-Expires", "90")]))
    assert (carol.response.status, expires(carol.response)) == (200, None)
    world.run(89)
    assert bob.told == ["InvitationReceived"]


def test_provisional_responses_say_nothing_of_it() -> None:
    world, bob, carol = called(SUPPORTED, ("Session-Expires", "90"))
    bob.invitation.progress(180, world.now)
    assert expires(carol.response) is None


def test_each_fork_has_its_own_timer() -> None:
    world, alice, bob = calling()
    invite = bob.request
    bob.answer(invite, 180, "a")
    bob.answer(invite, 180, "b")
    bob.answer(invite, 200, "b", body=ANSWER, headers=[("Session-Expires", "90;refresher=uas")])
    world.run(60)
    assert alice.last(Ended).by == "session timer"
    bob.answer(bob.request, 200, None)
    world.settle()
    assert alice.leftovers == []


def test_a_call_that_ends_leaves_no_timer() -> None:
    world = World()
    alice, bob = both(world)
    alice.hang_up()
    world.settle()
    assert world.now < 33.0 * 2
    assert world.ladder() == ladder("""
        alice -> bob    BYE sip:bob@192.0.2.2:5060 [2]
        bob -> alice    200 OK [2 BYE]
    """)
    assert (alice.leftovers, bob.leftovers) == ([], [])


# --- another process ---


def handed_over(agent: CoreAgent, after: float) -> CoreAgent:
    """Kill ``agent`` and go on with its call in another core, ``after`` so many seconds."""
    world, record = agent.world, agent.session.record(agent.world.now)
    values = json.loads(json.dumps(record.as_values()))
    agent.kill()
    world.run(after)
    heir = CoreAgent(world, agent.name, agent.address)
    timing(heir)
    heir.core.resume(SessionRecord.of_values(values), world.now)
    return heir


@pytest.mark.parametrize(("allow", "method"), [(UPDATES, "UPDATE"), (("Allow", "BYE"), "INVITE")])
def test_another_process_refreshes_when_it_is_due(allow: tuple[str, object], method: str) -> None:
    world, alice, bob = in_call("90;refresher=uac", allow)
    world.run(30)
    handed_over(alice, 0.0)
    world.run(14.9)
    assert bob.methods[2:] == []
    world.run(0.1)
    assert (bob.methods[2:], expires(bob.request)) == ([method], "90;refresher=uac")


def test_another_process_ends_a_call_that_nobody_refreshes() -> None:
    world, bob, carol, _ = accepted(SUPPORTED, ("Session-Expires", "90;refresher=uac"))
    world.run(30)
    heir = handed_over(bob, 0.0)
    world.run(30)
    assert (carol.methods, heir.last(Ended).by) == (["BYE"], "session timer")


def test_a_call_that_is_looked_after_is_looked_after_by_another_process() -> None:
    world, alice, bob = in_call(None, UPDATES)
    world.run(30)
    handed_over(alice, 0.0)
    world.run(45)
    assert bob.methods[2:] == ["UPDATE"]


@pytest.mark.parametrize("state", [{}, {"interval": "90"}, {"interval": -1}, {"interval": True}])
def test_a_record_that_says_nothing_of_a_timer_begins_none(state: dict[str, object]) -> None:
    part = TimedCall(TIMER, is_caller=True)
    part.restore(state, 0.0)
    assert (part.deadline, part.record(0.0)) == (NEVER, {})


def test_a_record_is_what_was_restored() -> None:
    state: dict[str, object] = {
        "interval": 120,
        "left": 50.0,
        "refreshing": False,
        "minimum": 100,
        "supported": True,
        "updates": True,
    }
    part = TimedCall(TIMER, is_caller=False)
    part.restore(state, 1000.0)
    assert part.record(1000.0) == state
    assert part.record(1010.0) == {**state, "left": 40.0}


def test_a_refresher_that_comes_late_still_tries_once() -> None:
    """The other side may have waited: it says so with a 2xx, or with 481."""
    part = TimedCall(TIMER, is_caller=True)
    part.restore({"interval": 90, "left": -5.0, "refreshing": True, "updates": True}, 1000.0)
    assert part.deadline == 1000.0
    assert isinstance(part.timeout(1000.0), Ask)
    assert isinstance(part.timeout(part.deadline), Close)


# --- many short calls ---


def test_calls_that_are_over_leave_no_deadline_for_longer_than_a_minute() -> None:
    """Each would be kept for half an hour, and at 500 calls a second that is a million of them."""
    world = World()
    alice, bob = alice_and_bob(world)
    for agent in (alice, bob):
        timing(agent, SessionTimer())
    for _ in range(50):
        alice.call(bob.uri)
        world.run(0.1)
        bob.accept()
        world.run(0.1)
        bob.hang_up()
        world.run(0.1)
    assert len(alice.core.deadlines) >= 50
    world.run(LOOK + 33)
    assert (len(alice.core.deadlines), len(bob.core.deadlines)) == (0, 0)
