"""Offers inside the session: re-INVITE in and out, glare, refusals (RFC 3261 §14)."""

from __future__ import annotations

import pytest

from sipstack.core.events import Acknowledged, Ended, OfferAnswered, OfferDue, OfferReceived, OfferRefused
from sipstack.errors import LocalProtocolError
from sipstack.testing.agent import OFFER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.link import Link
from sipstack.testing.world import World
from tests.simulation.pair import established
from tests.usage.invite.callers import agreed, called_peer, methods

HOLD, HELD = b"v=0 a=sendonly\r\n", b"v=0 a=recvonly\r\n"


# --- an offer of ours ---


@pytest.mark.parametrize(("who", "cseq"), [("alice", 2), ("bob", 1)])
def test_either_side_puts_the_other_on_hold(who: str, cseq: int) -> None:
    world = World()
    alice, bob = established(world)
    one, other = (alice, bob) if who == "alice" else (bob, alice)
    one.session.reoffer(HOLD, world.now)
    world.run()
    assert other.last(OfferReceived).body == HOLD
    other.session.accept_offer(HELD, world.now)
    world.settle()
    assert world.ladder() == ladder(f"""
        {one.name} -> {other.name}    INVITE {other.uri} [{cseq}]
        {other.name} -> {one.name}    200 OK [{cseq} INVITE]
        {one.name} -> {other.name}    ACK {other.uri} [{cseq}]
    """)
    assert one.last(OfferAnswered).body == HELD
    assert other.last(Acknowledged).body == b""
    assert (agreed(one), agreed(other)) == ((HOLD, HELD), (HELD, HOLD))


def test_488_leaves_the_session_as_it_was() -> None:
    world = World()
    alice, bob = established(world)
    before = agreed(alice), agreed(bob)
    alice.session.reoffer(HOLD, world.now)
    world.run()
    bob.session.refuse_offer(488, world.now)
    world.settle()
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [2]
        bob -> alice    488 Not Acceptable Here [2 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [2]
    """)
    assert alice.last(OfferRefused).response.status == 488
    assert (agreed(alice), agreed(bob)) == before
    alice.session.reoffer(HOLD, world.now)
    world.run()
    assert bob.last(OfferReceived).body == HOLD


@pytest.mark.parametrize(("status", "by"), [(408, "timeout"), (481, "remote")])
def test_408_and_481_end_the_call(status: int, by: str) -> None:
    """§14.1: "If a UAC receives a 481 ... or a 408 ... it SHOULD terminate the dialog"."""
    world, alice, carol = called_peer()
    alice.session.reoffer(HOLD, world.now)
    carol.answer(carol.request, status, None)
    assert methods(world, by="alice") == ["INVITE", "ACK", "BYE"]
    assert (alice.told, alice.last(Ended).by) == (["Answered", "Ended"], by)


def test_a_reinvite_that_nobody_answers_ends_the_call() -> None:
    world, alice, _ = called_peer()
    alice.session.reoffer(HOLD, world.now)
    world.settle()
    methods = [line.split()[3] for line in world.ladder()]
    assert methods == ["INVITE"] * 7 + ["BYE"] * 11
    assert (alice.told, alice.last(Ended).by, alice.leftovers) == (["Answered", "Ended"], "timeout", [])


def test_a_2xx_without_an_answer_ends_the_call() -> None:
    world, alice, carol = called_peer()
    alice.session.reoffer(HOLD, world.now)
    carol.answer(carol.request, 200, None)
    assert methods(world, by="alice") == ["INVITE", "ACK", "BYE"]


def test_a_2xx_with_two_contacts_ends_the_call() -> None:
    world, alice, carol = called_peer()
    alice.session.reoffer(HOLD, world.now)
    carol.answer(carol.request, 200, None, contact="<sip:a@h>, <sip:b@h>", body=HELD)
    assert methods(world, by="alice") == ["INVITE", "ACK", "BYE"]


def test_its_2xx_moves_the_remote_target() -> None:
    world, alice, carol = called_peer()
    alice.session.reoffer(HOLD, world.now)
    carol.answer(carol.request, 200, None, contact="<sip:carol@192.0.2.3:5060;moved=1>", body=HELD)
    alice.hang_up()
    world.run()
    assert world.ladder()[2:] == ladder("""
        alice -> carol    ACK sip:carol@192.0.2.3:5060;moved=1 [2]
        alice -> carol    BYE sip:carol@192.0.2.3:5060;moved=1 [3]
    """)


def test_two_offers_at_a_time_are_a_mistake_of_ours() -> None:
    world, alice, _ = called_peer()
    alice.session.reoffer(HOLD, world.now)
    with pytest.raises(LocalProtocolError, match="an offer of ours is under way"):
        alice.session.reoffer(OFFER, world.now)


def test_hanging_up_while_our_reinvite_is_unanswered() -> None:
    world, alice, carol = called_peer()
    alice.session.reoffer(HOLD, world.now)
    invite = carol.request
    carol.answer(invite, 100, None, contact="-")
    alice.hang_up()
    carol.answer(carol.request, 200, None)
    carol.answer(invite, 487, None)
    assert world.ladder() == ladder("""
        alice -> carol    INVITE sip:carol@192.0.2.3:5060 [2]
        carol -> alice    100 Trying [2 INVITE]
        alice -> carol    BYE sip:carol@192.0.2.3:5060 [3]
        carol -> alice    200 OK [3 BYE]
        carol -> alice    487 Request Terminated [2 INVITE]
        alice -> carol    ACK sip:carol@192.0.2.3:5060 [2]
    """)
    assert alice.told == ["Answered", "Ended"]


def test_a_2xx_to_our_reinvite_after_we_hung_up_is_acknowledged() -> None:
    world, alice, carol = called_peer()
    alice.session.reoffer(HOLD, world.now)
    invite = carol.request
    alice.hang_up()
    carol.answer(invite, 200, None, body=HELD)
    assert methods(world, by="alice") == ["INVITE", "BYE", "ACK"]
    assert alice.told == ["Answered"]


def test_a_reinvite_that_rings_for_ever_leaves_nothing_once_the_call_is_over() -> None:
    world, alice, carol = called_peer()
    alice.session.reoffer(HOLD, world.now)
    carol.answer(carol.request, 180, None)
    world.run(100)
    alice.hang_up()
    world.settle()
    assert (alice.told, alice.last(Ended).by, alice.leftovers) == (["Answered", "Ended"], "local", [])


# --- glare ---


def test_both_offer_at_once_and_try_again_in_turn() -> None:
    """§14.1: the owner of the Call-ID waits 2.1 to 4 seconds, the other side up to 2."""
    world = World(Link(delay=0.05))
    alice, bob = (CoreAgent(world, name, (f"192.0.2.{n}", 5060)) for n, name in ((1, "alice"), (2, "bob")))
    alice.call(bob.uri)
    world.run(0.1)
    bob.accept()
    world.run(1)
    world.ladder()
    for agent in (alice, bob):
        agent.on_event = lambda event, agent=agent: _go_on(world, agent, event)  # type: ignore[misc]
        agent.session.reoffer(OFFER, world.now)
    world.run(10)
    trace = world.timed_ladder()
    assert [line for _, line in trace[:6]] == ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [2]
        bob -> alice    INVITE sip:alice@192.0.2.1:5060 [1]
        bob -> alice    491 Request Pending [2 INVITE]
        alice -> bob    491 Request Pending [1 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [2]
        bob -> alice    ACK sip:alice@192.0.2.1:5060 [1]
    """)
    again = {line.split()[0]: round(time - 1.2, 3) for time, line in trace[6:] if "INVITE sip" in line}
    assert list(again) == ["bob", "alice"]
    assert (0.0 <= again["bob"] <= 2.0, 2.1 <= again["alice"] <= 4.0) == (True, True)
    assert [agent.told.count("OfferAnswered") for agent in (alice, bob)] == [1, 1]


def test_until_the_wait_after_glare_is_over_no_other_offer_can_be_made() -> None:
    world, alice, carol = called_peer()
    alice.session.reoffer(HOLD, world.now)
    carol.answer(carol.request, 491, None)
    world.run(2)
    with pytest.raises(LocalProtocolError, match="an offer of ours is under way"):
        alice.session.reoffer(OFFER, world.now)
    world.run(2.1)
    assert alice.told == ["Answered", "OfferDue"]
    alice.session.reoffer(OFFER, world.now)
    assert carol.request.cseq.number == 3


def _go_on(world: World, agent: CoreAgent, event: object) -> None:
    if isinstance(event, OfferDue):
        event.session.reoffer(HOLD, world.now)
    elif isinstance(event, OfferReceived):
        event.session.accept_offer(HELD, world.now)


def test_an_offer_made_while_theirs_is_unanswered_waits_its_turn() -> None:
    world, alice, carol = called_peer()
    carol.send(alice.address, carol.back("INVITE", 1, body=HOLD))
    alice.session.reoffer(OFFER, world.now)
    world.run(1)
    assert [line for line in world.ladder() if "INVITE sip:carol" in line] == []
    alice.session.accept_offer(HELD, world.now)
    carol.send(alice.address, carol.back("ACK", 1))
    world.run(4)
    assert alice.told[-1] == "OfferDue"


def test_a_call_that_ends_while_an_offer_waits_its_turn_forgets_it() -> None:
    world, alice, carol = called_peer()
    carol.send(alice.address, carol.back("INVITE", 1, body=HOLD))
    alice.session.reoffer(OFFER, world.now)
    carol.send(alice.address, carol.back("BYE", 2))
    world.settle()
    assert (alice.told, alice.leftovers) == (["Answered", "OfferReceived", "Ended"], [])


def test_491_after_the_end_is_of_no_interest() -> None:
    world, alice, carol = called_peer()
    alice.session.reoffer(HOLD, world.now)
    invite = carol.request
    carol.send(alice.address, carol.back("BYE", 1))
    carol.answer(invite, 491, None)
    world.settle()
    assert (alice.told, alice.leftovers) == (["Answered", "Ended"], [])


# --- refused for the moment: see dialog/retries.py ---


def later(seconds: int) -> list[tuple[str, object]]:
    return [("Retry-After", seconds)]


@pytest.mark.parametrize("status", [500, 503])
def test_a_refusal_that_names_a_time_is_tried_again(status: int) -> None:
    world, alice, carol = called_peer()
    alice.on_event = lambda event: (
        alice.session.reoffer(HOLD, world.now) if isinstance(event, OfferDue) else None
    )
    alice.session.reoffer(HOLD, world.now)
    carol.answer(carol.request, status, None, headers=later(7))
    world.run(6.9)
    assert carol.methods == ["INVITE", "ACK", "INVITE", "ACK"]
    world.run(0.2)
    carol.answer(carol.request, 200, None, body=HELD)
    assert carol.methods[4:] == ["INVITE", "ACK"]
    assert alice.told == ["Answered", "OfferDue", "OfferAnswered"]
    assert agreed(alice) == (HOLD, HELD)


def test_a_peer_that_puts_us_off_for_ever_is_a_refusal_in_the_end() -> None:
    world, alice, carol = called_peer()
    alice.on_event = lambda event: (
        alice.session.reoffer(HOLD, world.now) if isinstance(event, OfferDue) else None
    )
    carol.on_request = lambda request: (
        [request.response(500, headers=later(0))] if request.method == "INVITE" else []
    )
    for _ in range(2):  # the count begins anew with each wish
        alice.session.reoffer(HOLD, world.now)
        world.run(60)
    assert carol.methods[2:].count("INVITE") == 20
    assert alice.told == (["Answered"] + (["OfferDue"] * 9 + ["OfferRefused"]) * 2)
    assert alice.session.is_established


def test_a_call_that_ends_while_an_offer_is_put_off_forgets_it() -> None:
    world, alice, carol = called_peer()
    alice.session.reoffer(HOLD, world.now)
    carol.answer(carol.request, 500, None, headers=later(7))
    alice.hang_up()
    carol.answer(carol.request, 200, None)
    world.settle()
    assert (alice.told, alice.leftovers) == (["Answered", "Ended"], [])
