"""What the peer says of itself leads nowhere: ACK and BYE take the way that is left, and the end is told.

§13.2.2.4 wants an ACK for every 2xx, §15 a BYE at the end of every session; a Contact that cannot be reached
is no reason to leave the other side in a call that is over.
"""

from __future__ import annotations

import pytest

from sipstack.core.events import Answered, Ended, Failed, OfferAnswered
from sipstack.errors import ResolutionError
from sipstack.testing.agent import ANSWER, OFFER
from sipstack.testing.ladders import ladder
from tests.usage.invite.callers import alice_and_peer, bob_and_peer, called_by_peer, called_peer

UNREACHABLE = ["sip:x@192.0.2.9;transport=tcp", "sips:x@192.0.2.9", "sip:x@192.0.2.9;transport=sctp"]
NAMELESS = "sip:x@nowhere.invalid"
HELD = b"v=0 a=recvonly\r\n"


# --- the contact of the callee ---


@pytest.mark.parametrize("contact", UNREACHABLE)
def test_a_2xx_is_acknowledged_where_the_invite_went_and_the_call_fails(contact: str) -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    world.ladder()
    bob.answer(invite, 200, contact=f"<{contact}>", body=ANSWER)
    assert world.ladder() == ladder(f"""
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK {contact} [1]
        alice -> bob    BYE {contact} [2]
    """)
    # the end of a session without a user reaches nobody
    assert alice.told == ["Ended", "Failed"]
    assert isinstance(alice.last(Failed).error, ResolutionError)
    bob.answer(bob.request, 200, None)
    world.settle()
    assert alice.leftovers == []


def test_a_name_that_is_not_found_is_known_after_the_answer_and_ends_the_call() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    world.ladder()
    bob.answer(invite, 200, contact=f"<{NAMELESS}>", body=ANSWER)
    assert world.ladder() == ladder(f"""
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK {NAMELESS} [1]
        alice -> bob    BYE {NAMELESS} [2]
    """)
    ended = alice.last(Ended)
    assert alice.told == ["Answered", "Ended"]
    assert (ended.by, ended.reason) == ("transport", f"no address for {NAMELESS}: there is no such name")
    bob.answer(bob.request, 200, None)
    world.settle()
    assert alice.leftovers == []


def test_a_late_offer_is_answered_on_the_way_that_is_left() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri, b"")
    bob.answer(bob.request, 200, contact=f"<{UNREACHABLE[0]}>", body=OFFER)
    world.ladder()
    alice.last(Answered).session.answer(ANSWER, world.now)
    assert bob.methods == ["INVITE", "ACK", "BYE"]
    assert (bob.requests[1].body, alice.last(Ended).by) == (ANSWER, "transport")


def test_a_route_that_leads_nowhere_is_of_this_kind() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    bob.answer(bob.request, 200, headers=[("Record-Route", f"<{NAMELESS};lr>")], body=ANSWER)
    assert bob.methods == ["INVITE", "ACK", "BYE"]
    assert alice.last(Ended).by == "transport"


def test_a_2xx_to_a_reinvite_that_moves_the_target_to_nowhere() -> None:
    world, alice, carol = called_peer()
    alice.session.reoffer(OFFER, world.now)
    carol.answer(carol.request, 200, None, contact=f"<{NAMELESS}>", body=ANSWER)
    assert world.ladder("alice") == ladder(f"""
        alice -> carol    INVITE {carol.uri} [2]
        alice -> carol    ACK {NAMELESS} [2]
        alice -> carol    BYE {NAMELESS} [3]
    """)
    assert (alice.told[-1], alice.last(Ended).by) == ("Ended", "transport")


def test_the_2xx_that_crosses_a_cancel_is_ended_all_the_same() -> None:
    world, alice, bob = alice_and_peer()
    outgoing = alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 180)
    outgoing.cancel(world.now)
    bob.answer(invite, 200, contact=f"<{UNREACHABLE[0]}>", body=ANSWER)
    assert bob.methods == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert alice.told == ["Progressed", "Ended", "Failed"]


def test_a_second_fork_is_ended_on_the_way_of_the_invite() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 200, "one", body=ANSWER)
    bob.answer(invite, 200, "two", contact=f"<{UNREACHABLE[0]}>", body=ANSWER)
    assert [(each.method, each.to.tag) for each in bob.requests[1:]] == [
        ("ACK", "one"),
        ("ACK", "two"),
        ("BYE", "two"),
    ]


# --- the contact of the caller ---


@pytest.mark.parametrize("contact", [*UNREACHABLE, NAMELESS])
def test_the_callee_says_bye_where_the_invite_came_from(contact: str) -> None:
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=[("Contact", f"<{contact}>")]))
    bob.accept()
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    world.ladder()
    bob.hang_up()
    world.run()
    assert world.ladder() == ladder(f"""
        bob -> carol    BYE {contact} [1]
    """)
    carol.answer(carol.request, 200, None)
    assert (bob.last(Ended).by, bob.last(Ended).reason) == ("local", "")
    world.settle()
    assert bob.leftovers == []


@pytest.mark.parametrize("contact", [UNREACHABLE[0], NAMELESS])
def test_its_offers_go_the_same_way(contact: str) -> None:
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=[("Contact", f"<{contact}>")]))
    bob.accept()
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    bob.session.reoffer(OFFER, world.now)
    carol.answer(carol.request, 200, None, body=HELD)
    assert carol.methods == ["INVITE", "ACK"]
    assert bob.last(OfferAnswered).body == HELD


def test_without_an_ack_the_bye_takes_the_way_that_is_left() -> None:
    world, bob, carol = bob_and_peer()
    contact = ("Contact", f"<{NAMELESS}>")
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=[contact]))
    bob.accept()
    world.run(33)
    assert carol.methods[:1] == ["BYE"]
    assert bob.last(Ended).by == "timeout"


def test_where_no_way_is_left_the_reason_says_so() -> None:
    """The BYE is lost: the session is over (§15.1.1), but nobody is left to believe that it went well."""
    world, bob, carol = called_by_peer()
    bob.hang_up()
    world.settle()
    assert (bob.last(Ended).by, bob.last(Ended).reason) == ("local", "BYE: no response to BYE")
