"""The 2xx, repeated until its ACK comes, and acknowledged as often (RFC 3261 §13.3.1.4, §13.2.2.4, §15)."""

from __future__ import annotations

from sipstack.core.events import Ended
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder, timed
from sipstack.testing.link import Link
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.simulation.pair import alice_and_bob, established

DEAF = Link(loss=1.0)
ALICE, BOB = "192.0.2.1", "192.0.2.2"


def accepted() -> tuple[World, CoreAgent, ScriptedPeer]:
    """Bob has accepted carol's call at 0 s; she has not acknowledged."""
    world = World()
    bob, carol = CoreAgent(world, "bob", (BOB, 5060)), ScriptedPeer(world, "carol", ("192.0.2.3", 5060))
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.accept()
    world.run()
    assert world.ladder() == ladder("""
        carol -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        bob -> carol    200 OK [1 INVITE]
    """)
    return world, bob, carol


def test_the_2xx_is_repeated_up_to_t2_and_then_the_call_is_ended_by_bye() -> None:
    world, bob, _ = accepted()
    world.run(32)
    again = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert world.timed_ladder() == [
        *((time, "bob -> carol 200 OK [1 INVITE]") for time in again),
        (32.0, "bob -> carol BYE sip:carol@192.0.2.3:5060 [1]"),
    ]
    assert bob.told == ["InvitationReceived", "Ended"]
    assert (bob.last(Ended).by, bob.last(Ended).reason) == ("timeout", "no ACK")
    world.settle()
    assert bob.leftovers == []


def test_the_ack_ends_the_repetition_and_a_second_ack_means_nothing() -> None:
    world, bob, carol = accepted()
    world.run(0.6)
    ack = carol.inside(carol.response, "ACK", 1)
    carol.send(bob.address, ack)
    carol.send(bob.address, ack)
    world.run(60)
    assert world.timed_ladder() == timed("""
        0.5  bob -> carol    200 OK [1 INVITE]
        0.6  carol -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        0.6  carol -> bob    ACK sip:bob@192.0.2.2:5060 [1]
    """)
    assert bob.told == ["InvitationReceived", "Acknowledged"]


def test_an_ack_for_another_invite_does_not_count() -> None:
    world, bob, carol = accepted()
    carol.send(bob.address, carol.inside(carol.response, "ACK", 2))
    world.run(1)
    assert world.timed_ladder()[1:] == timed("0.5 bob -> carol 200 OK [1 INVITE]")
    assert bob.told == ["InvitationReceived"]


def test_a_repeated_invite_is_absorbed_while_the_2xx_goes_its_own_way() -> None:
    """RFC 6026 §7.1: the INVITE server transaction absorbs it in Accepted."""
    world, bob, carol = accepted()
    world.run(0.2)
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, branch="z9hG4bKcarol1"))
    world.run(0.4)
    assert world.timed_ladder() == timed("""
        0.2  carol -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        0.5  bob -> carol    200 OK [1 INVITE]
    """)
    assert bob.told == ["InvitationReceived"]


def test_hanging_up_before_the_ack_waits_for_it() -> None:
    """§15: "the callee's UA MUST NOT send a BYE on a confirmed dialog until it has received an ACK"."""
    world, bob, carol = accepted()
    bob.hang_up()
    world.run(0.6)
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    carol.answer(carol.request, 200, None)
    assert world.timed_ladder() == timed("""
        0.5  bob -> carol    200 OK [1 INVITE]
        0.6  carol -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        0.6  bob -> carol    BYE sip:carol@192.0.2.3:5060 [1]
        0.6  carol -> bob    200 OK [1 BYE]
    """)
    assert (bob.told, bob.last(Ended).by) == (["InvitationReceived", "Ended"], "local")


def test_hanging_up_without_an_ack_ever_says_bye_after_64_t1() -> None:
    world, bob, _ = accepted()
    bob.hang_up()
    world.run(31.9)
    assert set(world.ladder()) == {"bob -> carol 200 OK [1 INVITE]"}
    world.run(0.2)
    assert world.ladder() == ["bob -> carol BYE sip:carol@192.0.2.3:5060 [1]"]


def test_a_bye_before_the_ack_ends_the_repetition() -> None:
    world, bob, carol = accepted()
    carol.send(bob.address, carol.inside(carol.response, "BYE", 2))
    world.settle()
    assert world.ladder() == ladder("""
        carol -> bob    BYE sip:bob@192.0.2.2:5060 [2]
        bob -> carol    200 OK [2 BYE]
    """)
    assert (bob.told, bob.leftovers) == (["InvitationReceived", "Ended"], [])


# --- between two of us ---


def test_a_lost_200_is_repeated_and_acknowledged_once_it_comes() -> None:
    world = World()
    alice, bob = alice_and_bob(world)
    alice.call(bob.uri)
    world.run()
    bob.invitation.progress(180, world.now)
    world.run()
    world.network.set_link(DEAF, source=BOB)
    bob.accept()
    world.run(1)
    world.network.set_link(Link(), source=BOB)
    world.run(60)
    assert world.timed_ladder() == timed("""
        0.0  alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        0.0  bob -> alice    180 Ringing [1 INVITE]
        0.0  bob -> alice    200 OK [1 INVITE]
        0.5  bob -> alice    200 OK [1 INVITE]
        1.5  bob -> alice    200 OK [1 INVITE]
        1.5  alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
    """)


def test_a_lost_ack_is_sent_again_for_every_2xx_to_the_letter() -> None:
    world = World()
    alice, bob = alice_and_bob(world)
    alice.call(bob.uri)
    world.run()
    world.network.set_link(DEAF, source=ALICE)
    bob.accept()
    world.run(2)
    world.network.set_link(Link(), source=ALICE)
    world.run(60)
    assert world.timed_ladder() == timed("""
        0.0  alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        0.0  bob -> alice    200 OK [1 INVITE]
        0.0  alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        0.5  bob -> alice    200 OK [1 INVITE]
        0.5  alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        1.5  bob -> alice    200 OK [1 INVITE]
        1.5  alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        3.5  bob -> alice    200 OK [1 INVITE]
        3.5  alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
    """)
    assert len({data for _, _, _, data in world.sent if data.startswith(b"ACK")}) == 1
    assert bob.told == ["InvitationReceived", "Acknowledged"]


def test_without_any_ack_both_sides_end_the_call() -> None:
    world = World()
    alice, bob = alice_and_bob(world)
    alice.call(bob.uri)
    world.run()
    world.network.set_link(DEAF, source=ALICE)
    bob.accept()
    world.run(31.9)
    world.network.set_link(Link(), source=ALICE)
    world.settle()
    assert [line for line in world.ladder() if "INVITE" not in line and "ACK" not in line] == ladder("""
        bob -> alice    BYE sip:alice@192.0.2.1:5060 [1]
        alice -> bob    200 OK [1 BYE]
    """)
    assert (alice.last(Ended).by, bob.last(Ended).by) == ("remote", "timeout")
    assert (alice.leftovers, bob.leftovers) == ([], [])


def test_the_2xx_of_the_first_invite_is_acknowledged_even_after_a_reinvite() -> None:
    world = World()
    alice, carol = CoreAgent(world, "alice", (ALICE, 5060)), ScriptedPeer(world, "carol", ("192.0.2.3", 5060))
    alice.call(carol.uri)
    invite = carol.request
    carol.answer(invite, 200, body=ANSWER)
    alice.session.reoffer(b"v=0 hold", world.now)
    carol.answer(carol.request, 200, None, body=ANSWER)
    world.ladder()
    carol.answer(invite, 200, body=ANSWER)
    assert world.ladder() == ladder("""
        carol -> alice    200 OK [1 INVITE]
        alice -> carol    ACK sip:carol@192.0.2.3:5060 [1]
    """)


def test_a_call_lasts_an_hour_without_a_word() -> None:
    world = World()
    established(world)
    world.run(3600)
    assert world.ladder() == []
