"""INVITE with Replaces: each rule of RFC 3891 §3."""

from __future__ import annotations

import pytest

from sipstack.core.events import Answered, Ended, Failed, InvitationReceived, Refused
from sipstack.testing.agent import OFFER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.invite.replaces import replaces
from sipstack.usage.invite.session import Session

ALICE = ("192.0.2.1", 5060)
TARGET = "sip:alice@192.0.2.1:5060"


def alice_bob_and_carol() -> tuple[World, CoreAgent, ScriptedPeer, ScriptedPeer]:
    world = World()
    alice = CoreAgent(world, "alice", ALICE)
    alice.core.registry.add_extension(replaces(alice.core))
    return (
        world,
        alice,
        ScriptedPeer(world, "bob", ("192.0.2.2", 5060)),
        ScriptedPeer(world, "carol", ("192.0.2.3", 5060)),
    )


def with_bob() -> tuple[World, CoreAgent, ScriptedPeer, ScriptedPeer, Session]:
    """Alice has called bob, who has accepted."""
    world, alice, bob, carol = alice_bob_and_carol()
    alice.call(bob.uri)
    bob.answer(bob.request, 200, body=b"v=0 the answer\r\n")
    return world, alice, bob, carol, alice.session


def reference(session: Session, more: str = "") -> str:
    """The dialog as its other side names it: "to" is alice, whom the INVITE is for."""
    dialog = session.dialog
    return f"{dialog.call_id};to-tag={dialog.local_tag};from-tag={dialog.remote_tag}{more}"


def invite(carol: ScriptedPeer, value: str, *fields: tuple[str, str]) -> None:
    headers = [("Replaces", value), ("Require", "replaces"), *fields]
    carol.send(ALICE, carol.write("INVITE", TARGET, headers=headers, body=OFFER))


# --- refused ---


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("nobody;to-tag=1;from-tag=2", 481),
        ("nobody;to-tag=1;from-tag=0", 481),
        ("nobody", 400),
        ("nobody;to-tag=1", 400),
        ("a b;to-tag=1;from-tag=2", 400),
        ("\xff;to-tag=1;from-tag=2", 481),
    ],
)
def test_what_means_no_call(value: str, status: int) -> None:
    world, alice, _, carol, session = with_bob()
    invite(carol, value)
    assert (carol.response.status, "InvitationReceived" in alice.told) == (status, False)
    carol.send(ALICE, carol.write("ACK", TARGET, to=carol.response.headers.get("To") or ""))
    world.run(60)
    assert session.is_established


def test_the_tags_the_other_way_round_mean_no_call() -> None:
    _, _, _, carol, session = with_bob()
    dialog = session.dialog
    invite(carol, f"{dialog.call_id};to-tag={dialog.remote_tag};from-tag={dialog.local_tag}")
    assert carol.response.status == 481


def test_two_of_them_and_one_beside_join() -> None:
    _, _, _, carol, session = with_bob()
    twice = carol.write("INVITE", TARGET, body=OFFER)
    for value in (reference(session), "other;to-tag=1;from-tag=2"):
        twice = twice.replace(headers=[*twice.headers.items(), ("Replaces", value)])
    carol.send(ALICE, twice)
    assert carol.response.status == 400
    invite(carol, reference(session), ("Join", reference(session)), ("Call-ID", "another"))
    assert carol.response.status == 400


def test_a_call_that_we_are_ending() -> None:
    _, alice, _, carol, session = with_bob()
    alice.hang_up()
    invite(carol, reference(session))
    assert carol.response.status == 603


def test_an_early_dialog_only_and_the_call_is_accepted_already() -> None:
    """So somebody who picks up a call that rings does not take it from who was faster (§7.1)."""
    _, _, _, carol, session = with_bob()
    invite(carol, reference(session, ";early-only"))
    assert carol.response.status == 486
    assert session.is_established


def test_an_early_dialog_that_the_other_side_has_begun() -> None:
    """A call that rings at us is not taken from here."""
    _, alice, bob, carol = alice_bob_and_carol()
    bob.send(ALICE, bob.write("INVITE", TARGET, body=OFFER))
    session = alice.invitation.early_session
    assert session is not None
    invite(carol, reference(session))
    assert carol.response.status == 481


# --- accepted ---


def test_the_new_call_is_accepted_and_the_old_one_ended() -> None:
    world, alice, bob, carol, session = with_bob()
    world.ladder()
    invite(carol, reference(session))
    assert session.is_established
    new = alice.accept()
    assert carol.response.status == 200
    carol.send(ALICE, carol.inside(carol.response, "ACK", 1))
    bob.answer(bob.request, 200)
    assert world.ladder() == ladder("""
        carol -> alice  INVITE sip:alice@192.0.2.1:5060 [1]
        alice -> carol  200 OK [1 INVITE]
        alice -> bob    BYE sip:bob@192.0.2.2:5060 [2]
        carol -> alice  ACK sip:alice@192.0.2.1:5060 [1]
        bob -> alice    200 OK [2 BYE]
    """)
    ended = alice.last(Ended)
    assert (ended.session, ended.by, ended.reason) == (session, "local", "replaced by another call")
    assert new.is_established


def test_the_new_call_is_refused_and_the_old_one_goes_on() -> None:
    world, alice, _, carol, session = with_bob()
    invite(carol, reference(session))
    alice.invitation.progress(180, world.now)
    alice.invitation.refuse(486, world.now)
    world.run(60)
    assert session.is_established
    assert carol.response.status == 486


def test_the_old_call_has_ended_meanwhile() -> None:
    world, alice, bob, carol, session = with_bob()
    invite(carol, reference(session))
    bob.send(ALICE, bob.back("BYE", 1))
    new = alice.accept()
    carol.send(ALICE, carol.inside(carol.response, "ACK", 1))
    world.run(10)
    assert (new.is_established, alice.told.count("Ended")) == (True, 1)


def test_the_old_call_waits_for_its_ack() -> None:
    """Its callee says no BYE before that (RFC 3261 §15)."""
    world, alice, bob, carol = alice_bob_and_carol()
    bob.send(ALICE, bob.write("INVITE", TARGET, body=OFFER))
    old = alice.accept()
    invite(carol, reference(old))
    new = alice.accept()
    carol.send(ALICE, carol.inside(carol.response, "ACK", 1))
    world.run(1)
    assert "BYE" not in bob.methods
    bob.send(ALICE, bob.inside(bob.responses[0], "ACK", 1))
    assert bob.methods == ["BYE"]
    assert new.is_established


def test_a_call_that_we_are_placing_is_given_up_by_cancel() -> None:
    world, alice, bob, carol = alice_bob_and_carol()
    alice.call(bob.uri)
    sent = bob.request
    bob.answer(sent, 180)
    dialog = alice.core.find_dialog(sent.call_id, sent.from_.tag or "", "peer")
    assert dialog is not None
    assert isinstance(dialog.invite, Session)
    invite(carol, reference(dialog.invite, ";early-only"))
    alice.accept()
    carol.send(ALICE, carol.inside(carol.response, "ACK", 1))
    assert bob.methods[-1] == "CANCEL"
    bob.answer(bob.request, 200)
    bob.answer(sent, 487)
    world.run(40)
    assert alice.last(Refused).response.status == 487
    assert not [event for event in alice.events if isinstance(event, Failed | Answered)]


def test_a_peer_without_tags_is_named_by_a_zero() -> None:
    """An RFC 2543 peer (§3)."""
    world, alice, bob, carol = alice_bob_and_carol()
    bob.send(ALICE, bob.write("INVITE", TARGET, body=OFFER, headers=[("From", "<sip:bob@example.com>")]))
    old = alice.accept()
    assert old.dialog.remote_tag == ""
    bob.send(
        ALICE,
        bob.write(
            "ACK",
            TARGET,
            headers=[("From", "<sip:bob@example.com>"), ("To", bob.response.headers.get("To"))],
        ),
    )
    invite(carol, f"{old.dialog.call_id};to-tag={old.dialog.local_tag};from-tag=0")
    alice.accept()
    world.run(1)
    assert bob.methods[-1] == "BYE"


def test_a_call_without_it_has_no_part_of_it() -> None:
    world, alice, _, carol, session = with_bob()
    carol.send(ALICE, carol.write("INVITE", TARGET, body=OFFER))
    assert alice.last(InvitationReceived).invitation.early_session is not None
    new = alice.accept()
    assert new.extensions is None
    carol.send(ALICE, carol.inside(carol.response, "ACK", 1))
    world.run(1)
    assert session.is_established
