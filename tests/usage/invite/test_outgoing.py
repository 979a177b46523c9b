"""The caller's side until the call is answered, refused or given up (RFC 3261 §13.2)."""

from __future__ import annotations

import pytest

from sipstack.core.events import Answered, Failed, Refused
from sipstack.errors import CallEnded, LocalProtocolError, RemoteProtocolError, TransactionTimeout
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder, timed
from sipstack.testing.peer import SDP
from sipstack.testing.world import World
from tests.simulation.pair import alice_and_bob
from tests.usage.invite.callers import alice_and_peer

# --- refused ---


def test_nobody_is_there() -> None:
    world = World()
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060))
    alice.call("sip:bob@192.0.2.2")
    world.settle()
    assert world.timed_ladder() == timed("""
        0.0  alice -> 192.0.2.2:5060   INVITE sip:bob@192.0.2.2 [1]
        0.5  alice -> 192.0.2.2:5060   INVITE sip:bob@192.0.2.2 [1]
        1.5  alice -> 192.0.2.2:5060   INVITE sip:bob@192.0.2.2 [1]
        3.5  alice -> 192.0.2.2:5060   INVITE sip:bob@192.0.2.2 [1]
        7.5  alice -> 192.0.2.2:5060   INVITE sip:bob@192.0.2.2 [1]
        15.5 alice -> 192.0.2.2:5060   INVITE sip:bob@192.0.2.2 [1]
        31.5 alice -> 192.0.2.2:5060   INVITE sip:bob@192.0.2.2 [1]
    """)
    assert alice.told == ["Failed"]
    assert isinstance(alice.last(Failed).error, TransactionTimeout)
    assert alice.leftovers == []


def test_a_refusal_is_acknowledged_hop_by_hop() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    bob.answer(bob.request, 180)
    bob.answer(bob.request, 486)
    invite, ack = bob.heard
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        bob -> alice    180 Ringing [1 INVITE]
        bob -> alice    486 Busy Here [1 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
    """)
    assert (ack.via, ack.to.tag) == (invite.via, "peer")
    assert alice.told == ["Progressed", "Refused"]
    assert alice.last(Refused).response.status == 486
    world.settle()
    assert (world.ladder(), alice.leftovers) == ([], [])


def test_after_100_a_phone_may_ring_for_an_hour() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 100, None, contact="-")
    world.run(3600)
    bob.answer(invite, 200, body=ANSWER)
    assert alice.told == ["Answered"]


# --- answered ---


def test_a_basic_call() -> None:
    world = World()
    alice, bob = alice_and_bob(world)
    alice.call(bob.uri)
    world.run()
    bob.invitation.progress(180, world.now)
    world.run(3)
    bob.accept()
    world.run(60)
    alice.hang_up()
    world.settle()
    assert world.timed_ladder() == timed("""
        0.0  alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        0.0  bob -> alice    180 Ringing [1 INVITE]
        3.0  bob -> alice    200 OK [1 INVITE]
        3.0  alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        63.0 alice -> bob    BYE sip:bob@192.0.2.2:5060 [2]
        63.0 bob -> alice    200 OK [2 BYE]
    """)
    assert alice.told == ["Progressed", "Answered", "Ended"]
    assert bob.told == ["InvitationReceived", "Acknowledged", "Ended"]
    assert (alice.leftovers, bob.leftovers) == ([], [])


def test_the_invite_as_it_goes_out() -> None:
    world, alice, bob = alice_and_peer()
    outgoing = alice.call(bob.uri, headers=(("Subject", "lunch"),))
    invite, aor = bob.request, "<sip:alice@example.com>"
    assert [name for name, _ in invite.headers.items()] == [
        *("Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Session-ID", "Contact"),
        *("Allow", "Subject", "Content-Type", "Content-Length"),
    ]
    assert invite.headers.get("Via") == f"SIP/2.0/UDP 192.0.2.1:5060;branch={invite.via.branch};rport"
    assert invite.headers.get("From") == f"{aor};tag={invite.from_.tag}"
    assert invite.headers.get("To") == "<sip:bob@192.0.2.2:5060>"
    assert invite.headers.get("Contact") == "<sip:alice@192.0.2.1:5060>"
    assert invite.allow == ("ACK", "BYE", "CANCEL", "INVITE", "OPTIONS")
    assert (invite.call_id, invite.body) == (outgoing.call_id, OFFER)


def test_a_late_offer_is_answered_in_the_ack() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri, offer=b"")
    bob.answer(bob.request, 200, body=b"v=0 their offer")
    assert (alice.told, alice.session.exchange.offer) == (["Answered"], b"v=0 their offer")
    alice.session.answer(b"v=0 our answer", world.now)
    world.run()
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
    """)
    contents = [(message.headers.get("Content-Type"), message.body) for message in bob.heard]
    assert contents == [(None, b""), (SDP[1], b"v=0 our answer")]
    exchange = alice.session.exchange
    assert (exchange.local, exchange.remote) == (b"v=0 our answer", b"v=0 their offer")


def test_hanging_up_instead_of_answering_a_late_offer_acknowledges_the_2xx_first() -> None:
    """§13.2.2.4: "the UAC core MUST generate an ACK request for each 2xx"."""
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri, offer=b"")
    bob.answer(bob.request, 200, body=b"v=0 their offer")
    alice.hang_up()
    world.run()
    assert world.ladder()[2:] == ladder("""
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        alice -> bob    BYE sip:bob@192.0.2.2:5060 [2]
    """)
    with pytest.raises(LocalProtocolError):
        alice.session.answer(b"v=0 our answer", world.now)


def test_a_2xx_without_the_answer_that_it_owes_is_acknowledged_and_ended() -> None:
    world, alice, bob = alice_and_peer()
    for offer in (OFFER, b""):
        alice.call(bob.uri, offer)
        world.run()
        bob.answer(bob.request, 200)
        bob.answer(bob.request, 200)
    calls = world.ladder(by="alice")
    assert calls == 2 * ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        alice -> bob    BYE sip:bob@192.0.2.2:5060 [2]
    """)
    assert alice.told == ["Failed", "Ended"] * 2
    assert isinstance(alice.last(Failed).error, RemoteProtocolError)


def test_a_2xx_with_a_broken_content_type_counts_as_one_without_an_answer() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    bob.answer(bob.request, 200, headers=[("Content-Type", "?")])
    assert world.ladder()[2:] == ladder("""
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        alice -> bob    BYE sip:bob@192.0.2.2:5060 [2]
    """)


def test_a_2xx_without_a_usable_contact_is_acknowledged_and_ended_where_the_invite_went() -> None:
    two, broken = ("Contact", "<sip:a@h>, <sip:b@h>"), ("Contact", "<sip:>")
    for headers in ([], [two], [broken], [("Record-Route", "<")]):
        world, alice, bob = alice_and_peer()
        alice.call("sip:bob@192.0.2.2;user=phone")
        world.run()
        bob.answer(bob.request, 180, headers=[("Record-Route", "<sip:192.0.2.2;lr>")])
        bob.answer(bob.request, 200, contact="-", headers=headers, body=ANSWER)
        assert world.ladder()[3:] == ladder("""
            alice -> bob    ACK sip:bob@192.0.2.2;user=phone [1]
            alice -> bob    BYE sip:bob@192.0.2.2;user=phone [2]
        """)
        bob.answer(bob.request, 200, None)
        assert alice.told == ["Progressed", "Failed", "Ended"]
        world.settle()
        assert alice.leftovers == []


# --- requests in an early dialog ---


def test_what_a_callee_may_and_may_not_ask_in_an_early_dialog() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 180)
    answers = []
    for number, method in enumerate(["OPTIONS", "INVITE", "INFO"], 1):
        bob.send(alice.address, bob.back(method, number, body=b"v=0" if method == "INVITE" else b""))
        answers.append((method, bob.response.status))
    bob.send(alice.address, bob.back("OPTIONS", 1))
    answers.append(("OPTIONS again", bob.response.status))
    assert answers == [("OPTIONS", 200), ("INVITE", 491), ("INFO", 405), ("OPTIONS again", 500)]
    assert alice.told == ["Progressed"]


def test_a_callee_whose_every_2xx_was_lost_says_bye_and_the_call_has_failed() -> None:
    """§13.3.1.4: the callee gives up waiting for the ACK."""
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 180)
    bob.send(alice.address, bob.back("BYE", 1))
    assert bob.response.start_line == "SIP/2.0 200 OK"
    assert alice.told == ["Progressed", "Failed"]
    bob.answer(invite, 487)
    world.settle()
    assert alice.leftovers == []


def test_the_call_is_answered_only_once() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 200, body=ANSWER)
    bob.answer(invite, 486)
    bob.answer(invite, 180)
    assert alice.told == ["Answered"]
    assert alice.last(Answered).response.status == 200


def test_its_repr_tells_how_far_it_is() -> None:
    world, alice, bob = alice_and_peer()
    outgoing = alice.call(bob.uri)
    assert repr(outgoing) == f"<OutgoingInviteUsage calling {outgoing.call_id}>"
    bob.answer(bob.request, 486)
    assert repr(outgoing) == f"<OutgoingInviteUsage finished {outgoing.call_id}>"


def test_a_call_cancelled_before_it_was_started_fails_at_once() -> None:
    world, alice, _ = alice_and_peer()
    outgoing = alice.core.outgoing("sip:bob@192.0.2.2")
    outgoing.cancel(world.now)
    world.settle()
    assert (world.ladder(), alice.told) == ([], ["Failed"])
    error = alice.last(Failed).error
    assert isinstance(error, CallEnded)
    assert error.by == "local"
