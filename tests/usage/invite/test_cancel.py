"""Giving a call up before it is answered (RFC 3261 §9), seen from both sides."""

from __future__ import annotations

from sipstack.core.events import Failed, InvitationCancelled, Refused
from sipstack.errors import CallEnded, TransactionTimeout
from sipstack.testing.agent import ANSWER
from sipstack.testing.ladders import ladder, timed
from sipstack.testing.link import Link
from sipstack.testing.world import World
from tests.simulation.pair import alice_and_bob
from tests.usage.invite.callers import alice_and_peer, bob_and_peer

# --- the caller's side ---


def test_no_cancel_goes_out_before_a_provisional_response() -> None:
    """§9.1: "If no provisional response has been received, the CANCEL request MUST NOT be sent"."""
    world, alice, _ = alice_and_peer()
    outgoing = alice.call("sip:bob@192.0.2.2")
    world.run(1)
    outgoing.cancel(world.now)
    outgoing.cancel(world.now)
    world.settle()
    assert {line.split()[3] for line in world.ladder()} == {"INVITE"}
    assert (alice.told, alice.leftovers) == (["Failed"], [])
    assert isinstance(alice.last(Failed).error, TransactionTimeout)


def test_the_first_provisional_response_lets_the_cancel_go() -> None:
    world, alice, bob = alice_and_peer()
    outgoing = alice.call(bob.uri)
    invite = bob.request
    outgoing.cancel(world.now)
    bob.answer(invite, 100, None, contact="-")
    cancel = bob.request
    bob.answer(invite, 180)
    bob.answer(cancel, 200, contact="-")
    bob.answer(invite, 487)
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        bob -> alice    100 Trying [1 INVITE]
        alice -> bob    CANCEL sip:bob@192.0.2.2:5060 [1]
        bob -> alice    180 Ringing [1 INVITE]
        bob -> alice    200 OK [1 CANCEL]
        bob -> alice    487 Request Terminated [1 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
    """)
    assert cancel.via == invite.via
    assert (alice.told, alice.last(Refused).response.status) == (["Progressed", "Refused"], 487)


def test_cancel_after_ringing() -> None:
    world = World()
    alice, bob = alice_and_bob(world)
    outgoing = alice.call(bob.uri)
    world.run()
    bob.invitation.progress(180, world.now)
    world.run(5)
    outgoing.cancel(world.now)
    world.settle()
    assert world.timed_ladder() == timed("""
        0.0  alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        0.0  bob -> alice    180 Ringing [1 INVITE]
        5.0  alice -> bob    CANCEL sip:bob@192.0.2.2:5060 [1]
        5.0  bob -> alice    200 OK [1 CANCEL]
        5.0  bob -> alice    487 Request Terminated [1 INVITE]
        5.0  alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
    """)
    assert (alice.told, bob.told) == (
        ["Progressed", "Refused"],
        ["InvitationReceived", "InvitationCancelled"],
    )
    assert (alice.leftovers, bob.leftovers) == ([], [])


def test_a_2xx_that_crosses_the_cancel_is_acknowledged_and_ended_by_bye() -> None:
    world = World(Link(delay=0.1))
    alice, bob = alice_and_bob(world)
    outgoing = alice.call(bob.uri)
    world.run(0.15)
    bob.invitation.progress(180, world.now)
    world.run(0.85)
    outgoing.cancel(world.now)
    bob.accept()
    world.settle()
    assert world.timed_ladder() == timed("""
        0.0   alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        0.15  bob -> alice    180 Ringing [1 INVITE]
        1.0   alice -> bob    CANCEL sip:bob@192.0.2.2:5060 [1]
        1.0   bob -> alice    200 OK [1 INVITE]
        1.1   bob -> alice    200 OK [1 CANCEL]
        1.1   alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        1.1   alice -> bob    BYE sip:bob@192.0.2.2:5060 [2]
        1.2   bob -> alice    200 OK [2 BYE]
    """)
    assert alice.told == ["Progressed", "Failed", "Ended"]
    assert isinstance(alice.last(Failed).error, CallEnded)
    assert bob.told == ["InvitationReceived", "Acknowledged", "Ended"]
    assert (alice.leftovers, bob.leftovers) == ([], [])


def test_without_a_final_response_a_cancelled_invite_is_over_after_64_t1() -> None:
    """§9.1: "the client SHOULD ... destroy the client transaction handling the original request"."""
    world, alice, bob = alice_and_peer()
    outgoing = alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 180)
    world.run(10)
    outgoing.cancel(world.now)
    bob.answer(bob.request, 200, contact="-")
    world.run(31.9)
    assert alice.told == ["Progressed"]
    world.settle()
    assert alice.told == ["Progressed", "Failed"]
    assert isinstance(alice.last(Failed).error, TransactionTimeout)
    assert (round(world.now, 3), alice.leftovers) == (42.0, [])
    bob.answer(invite, 200, body=ANSWER)
    assert (alice.told, alice.core.counters.unmatched) == (["Progressed", "Failed"], 1)


def test_an_answered_call_is_not_cancelled() -> None:
    world, alice, bob = alice_and_peer()
    outgoing = alice.call(bob.uri)
    bob.answer(bob.request, 200, body=ANSWER)
    world.ladder()
    outgoing.cancel(world.now)
    world.run()
    assert (world.ladder(), alice.told) == ([], ["Answered"])


# --- the callee's side ---


def test_a_cancel_that_comes_too_late_changes_nothing() -> None:
    """§9.2: with a final response sent, "the CANCEL request has no effect"."""
    world, bob, carol = bob_and_peer()
    invite = carol.write("INVITE", bob.uri, branch="z9hG4bKone")
    carol.send(bob.address, invite)
    bob.accept()
    world.run()
    carol.send(bob.address, carol.write("CANCEL", bob.uri, branch="z9hG4bKone"))
    assert world.ladder() == ladder("""
        carol -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        bob -> carol    200 OK [1 INVITE]
        carol -> bob    CANCEL sip:bob@192.0.2.2:5060 [1]
        bob -> carol    200 OK [1 CANCEL]
    """)
    assert bob.told == ["InvitationReceived"]
    assert bob.session.is_established
    assert carol.response.to.tag == bob.invitation.tag  # §9.2: "the same"


def test_a_cancel_that_matches_nothing_gets_481() -> None:
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, branch="z9hG4bKone"))
    carol.send(bob.address, carol.write("CANCEL", bob.uri, branch="z9hG4bKtwo"))
    assert world.ladder()[1:] == ladder("""
        carol -> bob    CANCEL sip:bob@192.0.2.2:5060 [1]
        bob -> carol    481 Call/Transaction Does Not Exist [1 CANCEL]
    """)
    assert bob.told == ["InvitationReceived"]


def test_a_cancel_is_answered_with_the_tag_of_the_invite_and_tells_its_reason() -> None:
    world, bob, carol = bob_and_peer()
    invite = carol.write("INVITE", bob.uri, branch="z9hG4bKone")
    carol.send(bob.address, invite)
    bob.invitation.progress(180, world.now)
    reason = [("Reason", 'SIP;cause=200;text="Call completed elsewhere"')]
    carol.send(bob.address, carol.write("CANCEL", bob.uri, branch="z9hG4bKone", headers=reason))
    carol.send(bob.address, invite)  # a retransmission gets the final response, §17.2.1
    assert [m.start_line for m in carol.heard] == [
        "SIP/2.0 180 Ringing",
        "SIP/2.0 200 OK",
        "SIP/2.0 487 Request Terminated",
        "SIP/2.0 487 Request Terminated",
    ]
    assert {message.to.tag for message in carol.heard} == {bob.invitation.tag}
    assert bob.last(InvitationCancelled).reason == reason[0][1]
