"""Reliable provisional responses in one new file, both roles (RFC 3262, RFC 6337 §2)."""

from __future__ import annotations

import pytest

from sipstack.core.configuration import Timers
from sipstack.core.events import Answered, Event, OfferAnswered, OfferReceived, Progressed
from sipstack.errors import LocalProtocolError
from sipstack.message import Request
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder, timed
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.invite.reliable import reliable
from sipstack.usage.invite.session import Session
from sipstack.usage.invite.update import update
from tests.simulation.pair import alice_and_bob
from tests.usage.invite.callers import agreed, alice_and_peer, bob_and_peer, methods, statuses

OTHER = b"v=0 another answer\r\n"
SUPPORTED = [("Supported", "100rel")]


def rel(number: int) -> list[tuple[str, object]]:
    """The fields of a reliable response of the peer."""
    return [("Require", "100rel"), ("RSeq", number)]


def calling(offer: bytes = OFFER) -> tuple[World, CoreAgent, ScriptedPeer, Request]:
    """Alice, who calls bob; and her INVITE."""
    world, alice, bob = alice_and_peer()
    for tag in (reliable(Timers()), update()):
        alice.core.registry.add_extension(tag)
    alice.call(bob.uri, offer)
    invite = bob.request
    world.ladder()
    return world, alice, bob, invite


def called(body: bytes = OFFER) -> tuple[World, CoreAgent, ScriptedPeer]:
    """Bob, called by carol, who supports it."""
    world, bob, carol = bob_and_peer()
    bob.core.registry.add_extension(reliable(Timers()))
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=body, headers=SUPPORTED))
    world.ladder()
    return world, bob, carol


def prack(carol: ScriptedPeer, rack: str, cseq: int = 2, body: bytes = b"") -> Request:
    """A PRACK in the early dialog of the latest response to the INVITE."""
    response = next(each for each in reversed(carol.responses) if each.cseq.method == "INVITE")
    return carol.inside(response, "PRACK", cseq, headers=[("RAck", rack)], body=body)


# --- both sides ours ---


def test_two_of_us_agree_in_a_reliable_183() -> None:
    """Pattern 3 of RFC 6337: the 2xx needs no description any more."""
    world = World()
    alice, bob = alice_and_bob(world)
    for agent in (alice, bob):
        agent.core.registry.add_extension(reliable(Timers()))
    alice.call(bob.uri)
    world.run()
    bob.invitation.progress(183, world.now, (), ANSWER)
    world.run()
    bob.accept(b"")
    world.run()
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        bob -> alice    183 Session Progress [1 INVITE]
        alice -> bob    PRACK sip:bob@192.0.2.2:5060 [2]
        bob -> alice    200 OK [2 PRACK]
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
    """)
    assert (agreed(alice), agreed(bob)) == ((OFFER, ANSWER), (ANSWER, OFFER))
    alice.hang_up()
    world.settle()
    assert (alice.leftovers, bob.leftovers) == ([], [])


def test_a_late_offer_travels_in_the_183_and_its_answer_in_the_prack() -> None:
    """Pattern 4: reliable 1xx and PRACK."""
    world = World()
    alice, bob = alice_and_bob(world)
    for agent in (alice, bob):
        agent.core.registry.add_extension(reliable(Timers()))

    def answer(event: Event) -> None:
        if isinstance(event, OfferReceived):
            event.session.accept_offer(ANSWER, world.now)

    alice.on_event = answer
    alice.call(bob.uri, b"")
    world.run()
    bob.invitation.progress(183, world.now, (), OFFER)
    world.run()
    assert bob.last(OfferAnswered).body == ANSWER
    bob.accept(b"")
    world.run()
    assert methods(world, "alice") == ["INVITE", "PRACK", "ACK"]
    assert (agreed(alice), agreed(bob)) == ((ANSWER, OFFER), (OFFER, ANSWER))


# --- the caller ---


def test_each_is_confirmed_in_order_and_a_repetition_is_not_told() -> None:
    world, alice, bob, invite = calling()
    for number in (7, 7, 9, 8):
        bob.answer(invite, 183, headers=rel(number))
    assert [each.headers.get("RAck") for each in bob.requests[1:]] == ["7 1 INVITE", "8 1 INVITE"]
    assert [each.cseq.number for each in bob.requests[1:]] == [2, 3]
    assert statuses(alice) == [183, 183]


def test_a_prack_that_is_lost_goes_out_again() -> None:
    world, alice, bob, invite = calling()
    bob.answer(invite, 183, headers=rel(1), body=ANSWER)
    world.run(1)
    bob.answer(bob.request, 200, None)
    world.run(10)
    assert [line for line in world.timed_ladder() if "PRACK" in line[1]] == timed("""
        0.0  alice -> bob  PRACK sip:bob@192.0.2.2:5060 [2]
        0.5  alice -> bob  PRACK sip:bob@192.0.2.2:5060 [2]
        1.0  bob -> alice  200 OK [2 PRACK]
    """)


@pytest.mark.parametrize("body", [b"", ANSWER, OTHER], ids=["none", "repeated", "another"])
def test_the_2xx_after_a_reliable_answer(body: bytes) -> None:
    """RFC 3261 §13.2.1: it may be empty, and a description in it is ignored."""
    world, alice, bob, invite = calling()
    bob.answer(invite, 183, headers=rel(1), body=ANSWER)
    bob.answer(bob.request, 200, None)
    bob.answer(invite, 200, body=body)
    assert methods(world, "alice") == ["PRACK", "ACK"]
    assert (alice.told, agreed(alice)) == (["Progressed", "Answered"], (OFFER, ANSWER))


def test_the_2xx_without_a_body_after_an_unreliable_answer() -> None:
    """§13.2.1: the first description is the answer, and deployed peers do not repeat it."""
    world, alice, bob, invite = calling()
    bob.answer(invite, 183, body=ANSWER)
    bob.answer(invite, 200)
    assert methods(world, "alice") == ["ACK"]
    assert agreed(alice) == (OFFER, ANSWER)


def test_each_fork_has_an_exchange_and_numbers_of_its_own() -> None:
    world, alice, bob, invite = calling()
    bob.answer(invite, 183, "phone1", headers=rel(5), body=ANSWER)
    bob.answer(invite, 183, "phone2", headers=rel(70), body=OTHER)
    pracks = bob.requests[1:]
    assert [(each.to.tag, each.headers.get("RAck"), each.cseq.number) for each in pracks] == [
        ("phone1", "5 1 INVITE", 2),
        ("phone2", "70 1 INVITE", 2),
    ]
    bob.answer(invite, 200, "phone2")
    assert (alice.last(Answered).session.dialog.remote_tag, agreed(alice)) == ("phone2", (OFFER, OTHER))


def test_a_second_fork_that_answers_leaves_the_first_alone() -> None:
    world, alice, bob, invite = calling()
    bob.answer(invite, 183, "phone1", headers=rel(1), body=ANSWER)
    bob.answer(invite, 200, "phone1")
    bob.answer(invite, 200, "phone2", body=OTHER)
    assert methods(world, "alice") == ["PRACK", "ACK", "ACK", "BYE"]
    assert (agreed(alice), alice.session.is_established) == ((OFFER, ANSWER), True)


@pytest.mark.parametrize("status", [486, 503, 604])
def test_a_refusal_after_a_reliable_answer_leaves_nothing(status: int) -> None:
    world, alice, bob, invite = calling()
    bob.answer(invite, 183, headers=rel(1), body=ANSWER)
    bob.answer(bob.request, 200, None)
    bob.answer(invite, status)
    world.settle()
    assert (alice.told, alice.leftovers) == (["Progressed", "Refused"], [])


def test_cancel_after_a_reliable_answer_leaves_nothing() -> None:
    world, alice, bob = alice_and_peer()
    alice.core.registry.add_extension(reliable(Timers()))
    outgoing = alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 183, headers=rel(1), body=ANSWER)
    bob.answer(bob.request, 200, None)
    outgoing.cancel(world.now)
    bob.answer(bob.request, 200)
    bob.answer(invite, 487)
    world.settle()
    assert (methods(world, "alice"), alice.leftovers) == (["INVITE", "PRACK", "CANCEL", "ACK"], [])


def early_session(alice: CoreAgent, bob: ScriptedPeer) -> Session:
    """The early session in which the peer has offered OTHER by UPDATE."""
    bob.send(alice.address, bob.back("UPDATE", 1, body=OTHER))
    return alice.last(OfferReceived).session


def test_update_before_the_2xx_changes_what_is_agreed_and_the_2xx_does_not() -> None:
    world, alice, bob, invite = calling()
    bob.answer(invite, 183, headers=rel(1), body=ANSWER)
    bob.answer(bob.request, 200, None)
    session = early_session(alice, bob)
    session.accept_offer(OFFER, world.now)
    session.reoffer(b"v=0 once more\r\n", world.now, "UPDATE")
    bob.answer(bob.request, 200, None, body=OTHER)
    assert alice.last(OfferAnswered).body == OTHER
    bob.answer(invite, 200, body=ANSWER)
    assert alice.told[-2:] == ["OfferAnswered", "Answered"]
    assert agreed(alice) == (b"v=0 once more\r\n", OTHER)


def test_an_early_update_that_is_refused_leaves_the_call_to_its_invite() -> None:
    world, alice, bob, invite = calling()
    bob.answer(invite, 183, headers=rel(1), body=ANSWER)
    session = early_session(alice, bob)
    session.refuse_offer(488, world.now)
    with pytest.raises(LocalProtocolError, match="not accepted yet"):
        session.reoffer(OFFER, world.now)
    session.reoffer(b"v=0 once more\r\n", world.now, "UPDATE")
    bob.answer(bob.request, 481, None)
    bob.answer(invite, 200)
    assert alice.told[-2:] == ["OfferRefused", "Answered"]
    assert agreed(alice) == (OFFER, ANSWER)


def test_no_update_goes_out_before_a_first_pair() -> None:
    world, alice, bob, invite = calling(b"")
    bob.answer(invite, 183, headers=rel(1), body=OFFER)
    session = alice.last(OfferReceived).session
    with pytest.raises(LocalProtocolError, match="not accepted yet"):
        session.reoffer(OTHER, world.now, "UPDATE")


# --- the callee ---


def test_an_unconfirmed_183_is_repeated_and_then_the_call_refused() -> None:
    """RFC 3262 §3: T1, doubled each time, without T2; 5xx after 64*T1."""
    world, bob, carol = called()
    bob.invitation.progress(183, world.now, (), ANSWER)
    world.run(32)
    assert [line for line in world.timed_ladder() if line[1].startswith("bob")] == timed("""
        0.0   bob -> carol  183 Session Progress [1 INVITE]
        0.5   bob -> carol  183 Session Progress [1 INVITE]
        1.5   bob -> carol  183 Session Progress [1 INVITE]
        3.5   bob -> carol  183 Session Progress [1 INVITE]
        7.5   bob -> carol  183 Session Progress [1 INVITE]
        15.5  bob -> carol  183 Session Progress [1 INVITE]
        31.5  bob -> carol  183 Session Progress [1 INVITE]
        32.0  bob -> carol  504 Server Time-out [1 INVITE]
    """)


@pytest.mark.parametrize("rack", ["2 1 INVITE", "1 2 INVITE", "1 1 UPDATE"])
def test_a_prack_for_another_response_is_refused(rack: str) -> None:
    world, bob, carol = called()
    bob.invitation.progress(183, world.now, (), ANSWER)
    carol.send(bob.address, prack(carol, rack))
    assert carol.response.status == 481
    carol.send(bob.address, prack(carol, "1 1 INVITE", 3))
    assert carol.response.status == 200
    carol.send(bob.address, prack(carol, "1 1 INVITE", 4))
    assert carol.response.status == 481


def test_a_call_that_is_cancelled_repeats_nothing() -> None:
    world, bob, carol = called()
    bob.invitation.progress(183, world.now, (), ANSWER)
    bob.accept(b"")
    invite = carol.write("CANCEL", bob.uri, branch="z9hG4bKcarol1")
    carol.send(bob.address, invite)
    assert [(each.status, each.cseq.method) for each in carol.responses] == [
        (183, "INVITE"),
        (200, "CANCEL"),
        (487, "INVITE"),
    ]
    world.settle()
    assert (bob.told, bob.leftovers) == (["InvitationReceived", "InvitationCancelled"], [])


def test_what_comes_after_a_reliable_response_waits_for_its_prack() -> None:
    world, bob, carol = called()
    bob.invitation.progress(183, world.now, (), ANSWER)
    bob.invitation.progress(180, world.now, wishes={"100rel": True})
    bob.accept(b"")
    assert [each.status for each in carol.responses] == [183]
    carol.send(bob.address, prack(carol, "1 1 INVITE"))
    carol.send(bob.address, prack(carol, "2 1 INVITE", 3))
    assert [(each.status, each.cseq.method, each.headers.get("RSeq")) for each in carol.responses] == [
        (183, "INVITE", "1"),
        (200, "PRACK", None),
        (180, "INVITE", "2"),
        (200, "PRACK", None),
        (200, "INVITE", None),
    ]
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    assert (bob.told, agreed(bob)) == (["InvitationReceived", "Acknowledged"], (ANSWER, OFFER))


def test_a_refusal_does_not_wait() -> None:
    world, bob, carol = called()
    bob.invitation.progress(183, world.now, (), ANSWER)
    late = prack(carol, "1 1 INVITE")
    bob.invitation.refuse(486, world.now)
    assert [each.status for each in carol.responses] == [183, 486]
    carol.send(bob.address, late)
    assert carol.response.status == 481


def test_prack_with_an_offer_is_answered_in_its_2xx() -> None:
    """Pattern 5: PRACK and the 2xx to it."""
    world, bob, carol = called()
    bob.invitation.progress(183, world.now, (), ANSWER)
    carol.send(bob.address, prack(carol, "1 1 INVITE", body=OTHER))
    session = bob.last(OfferReceived).session
    session.accept_offer(ANSWER, world.now)
    assert (carol.response.cseq.method, carol.response.body) == ("PRACK", ANSWER)
    bob.accept(b"")
    assert (carol.response.status, carol.response.body, agreed(bob)) == (200, b"", (ANSWER, OTHER))


def test_a_caller_that_does_not_support_it_gets_plain_responses() -> None:
    world, bob, carol = bob_and_peer()
    bob.core.registry.add_extension(reliable(Timers()))
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.invitation.progress(183, world.now, (), ANSWER)
    bob.accept()
    assert [(each.status, each.headers.get("RSeq"), each.body) for each in carol.responses] == [
        (183, None, ANSWER),
        (200, None, ANSWER),
    ]


def test_progress_of_a_plain_call_is_told_as_ever() -> None:
    _, alice, bob, invite = calling()
    bob.answer(invite, 180)
    assert alice.last(Progressed).response.status == 180
