"""UPDATE in one new file, in both directions (RFC 3311)."""

from __future__ import annotations

import pytest

from sipstack.core.events import Ended, OfferAnswered, OfferDue, OfferReceived, OfferRefused
from sipstack.errors import LocalProtocolError
from sipstack.message import Response
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.link import Link
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.invite.update import update
from tests.simulation.pair import alice_and_bob
from tests.usage.invite.callers import agreed, bob_and_peer

HOLD, HELD = b"v=0 a=sendonly\r\n", b"v=0 a=recvonly\r\n"
MOVED = ("Contact", "<sip:carol@192.0.2.3:5060;moved=1>")


def established(link: Link | None = None) -> tuple[World, CoreAgent, CoreAgent]:
    """Alice and bob in a call that alice placed; the ladder begins after it."""
    world = World() if link is None else World(link)
    alice, bob = alice_and_bob(world)
    for agent in (alice, bob):
        agent.core.registry.add_extension(update())
    alice.call(bob.uri)
    world.run(2)
    bob.accept()
    world.run(2)
    world.ladder()
    return world, alice, bob


def called_by_peer() -> tuple[World, CoreAgent, ScriptedPeer, Response]:
    """Bob, in a call that carol placed, and his 200."""
    world, bob, carol = bob_and_peer()
    bob.core.registry.add_extension(update())
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.accept()
    accepted = carol.response
    carol.send(bob.address, carol.inside(accepted, "ACK", 1))
    world.ladder()
    return world, bob, carol, accepted


# --- it is refused ---


def test_without_it_update_is_not_allowed() -> None:
    _, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.accept()
    accepted = carol.response
    carol.send(bob.address, carol.inside(accepted, "ACK", 1))
    carol.send(bob.address, carol.inside(accepted, "UPDATE", 2, body=HOLD))
    assert (carol.response.status, carol.response.headers.get("Allow")) == (
        405,
        "ACK, BYE, CANCEL, INVITE, OPTIONS",
    )


def test_outside_of_a_call_it_has_no_meaning() -> None:
    _, bob, carol = bob_and_peer()
    bob.core.registry.add_extension(update())
    carol.send(bob.address, carol.write("UPDATE", bob.uri, body=HOLD))
    assert (carol.response.status, bob.told) == (481, [])


@pytest.mark.parametrize("status", [488, 500, 504, 606])
def test_an_update_of_ours_that_is_refused_leaves_the_session(status: int) -> None:
    world, bob, carol, _ = called_by_peer()
    before = agreed(bob)
    bob.session.reoffer(HOLD, world.now, "UPDATE")
    carol.answer(carol.request, status, None, contact="<sip:elsewhere@192.0.2.99>")
    world.settle()
    assert [line.split()[3] for line in world.ladder()] == ["UPDATE", str(status)]  # and no ACK
    assert (bob.last(OfferRefused).response.status, agreed(bob)) == (status, before)
    assert bob.session.is_established
    assert bob.session.dialog.remote_target == carol.uri


@pytest.mark.parametrize(("status", "by"), [(408, "timeout"), (481, "remote")])
def test_408_and_481_end_the_call(status: int, by: str) -> None:
    """RFC 3261 §12.2.1.2."""
    world, bob, carol, _ = called_by_peer()
    bob.session.reoffer(HOLD, world.now, "UPDATE")
    carol.answer(carol.request, status, None)
    assert (carol.methods, bob.last(Ended).by) == (["UPDATE", "BYE"], by)


def test_an_update_that_nobody_answers_ends_the_call() -> None:
    world, bob, _, _ = called_by_peer()
    bob.session.reoffer(HOLD, world.now, "UPDATE")
    world.settle()
    assert [line.split()[3] for line in world.ladder()] == ["UPDATE"] * 11 + ["BYE"] * 11
    assert (bob.last(Ended).by, bob.leftovers) == ("timeout", [])


def test_we_refuse_an_update_and_the_session_stays() -> None:
    world, bob, carol, accepted = called_by_peer()
    before = agreed(bob)
    carol.send(bob.address, carol.inside(accepted, "UPDATE", 2, body=HOLD, headers=[MOVED]))
    bob.session.refuse_offer(488, world.now)
    assert (carol.response.status, agreed(bob)) == (488, before)
    assert bob.session.dialog.remote_target == carol.uri


def test_an_update_with_a_contact_that_is_no_address_is_refused() -> None:
    _, bob, carol, accepted = called_by_peer()
    for cseq, body in ((2, HOLD), (3, b"")):
        broken = [("Contact", "<mailto:carol@example.com>")]
        carol.send(bob.address, carol.inside(accepted, "UPDATE", cseq, body=body, headers=broken))
    assert [each.status for each in carol.responses] == [200, 400, 400]
    assert (bob.told, bob.session.dialog.remote_target) == (["InvitationReceived", "Acknowledged"], carol.uri)


def test_none_goes_out_after_the_end() -> None:
    world, bob, _, _ = called_by_peer()
    bob.hang_up()
    with pytest.raises(LocalProtocolError, match="the call is over"):
        bob.session.reoffer(HOLD, world.now, "UPDATE")


# --- two at a time ---


def test_an_update_while_theirs_is_unanswered_is_to_come_again() -> None:
    """RFC 3311 §5.2: 500 with a Retry-After of 0 to 10 s."""
    _, bob, carol, accepted = called_by_peer()
    carol.send(bob.address, carol.inside(accepted, "UPDATE", 2, body=HOLD))
    carol.send(bob.address, carol.inside(accepted, "UPDATE", 3, body=OFFER))
    carol.send(bob.address, carol.inside(accepted, "INVITE", 4, body=OFFER))
    refusals = carol.responses[1:]
    assert [(each.status, each.cseq.number) for each in refusals] == [(500, 3), (500, 4)]
    assert all(0 <= int(each.headers.get("Retry-After") or -1) <= 10 for each in refusals)
    bob.session.accept_offer(HELD, 0.0)
    assert (carol.response.status, carol.response.cseq.number, agreed(bob)) == (200, 2, (HELD, HOLD))


@pytest.mark.parametrize("ours", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("theirs", ["INVITE", "UPDATE"])
def test_offers_that_cross_are_both_refused_and_made_again(ours: str, theirs: str) -> None:
    """491 (RFC 3311 §5.2, RFC 3261 §14.1): the side that made the Call-ID waits longer."""
    world, alice, bob = established(Link(delay=0.1))
    alice.session.reoffer(HOLD, world.now, ours)
    bob.session.reoffer(b"v=0 of bob\r\n", world.now, theirs)
    world.run(0.5)
    assert sorted(line for line in world.ladder() if "491" in line) == [
        f"alice -> bob 491 Request Pending [1 {theirs}]",
        f"bob -> alice 491 Request Pending [2 {ours}]",
    ]
    assert (agreed(alice), agreed(bob)) == ((OFFER, ANSWER), (ANSWER, OFFER))
    world.run(5)
    assert (alice.last(OfferDue).session, bob.last(OfferDue).session) == (alice.session, bob.session)
    assert alice.session.is_established
    assert bob.session.is_established


# --- it works ---


@pytest.mark.parametrize(("name", "cseq"), [("alice", 2), ("bob", 1)])
def test_either_side_offers_in_an_update(name: str, cseq: int) -> None:
    world, alice, bob = established()
    one, other = (alice, bob) if name == "alice" else (bob, alice)
    one.session.reoffer(HOLD, world.now, "UPDATE")
    world.run()
    assert other.last(OfferReceived).body == HOLD
    other.session.accept_offer(HELD, world.now)
    world.settle()
    assert world.ladder() == ladder(f"""
        {one.name} -> {other.name}    UPDATE {other.uri} [{cseq}]
        {other.name} -> {one.name}    200 OK [{cseq} UPDATE]
    """)
    assert one.last(OfferAnswered).body == HELD
    assert (agreed(one), agreed(other)) == ((HOLD, HELD), (HELD, HOLD))


def test_its_2xx_moves_their_target_and_ours() -> None:
    world, bob, carol, accepted = called_by_peer()
    carol.send(bob.address, carol.inside(accepted, "UPDATE", 2, body=HOLD, headers=[MOVED]))
    assert bob.session.dialog.remote_target == carol.uri
    bob.session.accept_offer(HELD, world.now)
    assert bob.session.dialog.remote_target == "sip:carol@192.0.2.3:5060;moved=1"
    assert carol.response.headers.get("Contact") == "<sip:bob@192.0.2.2:5060>"
    bob.session.reoffer(HOLD, world.now, "UPDATE")
    carol.answer(carol.request, 200, None, contact="<sip:carol@192.0.2.3:5060;moved=2>", body=HELD)
    assert bob.session.dialog.remote_target == "sip:carol@192.0.2.3:5060;moved=2"


def test_an_update_without_an_offer_only_refreshes_the_target() -> None:
    _, bob, carol, accepted = called_by_peer()
    before = agreed(bob)
    carol.send(bob.address, carol.inside(accepted, "UPDATE", 2, headers=[MOVED]))
    assert (carol.response.status, carol.response.headers.get("Contact")) == (200, "<sip:bob@192.0.2.2:5060>")
    assert bob.session.dialog.remote_target == "sip:carol@192.0.2.3:5060;moved=1"
    assert (bob.told, agreed(bob)) == (["InvitationReceived", "Acknowledged"], before)


def test_allow_announces_it_everywhere() -> None:
    _, bob, carol, accepted = called_by_peer()
    carol.send(bob.address, carol.write("OPTIONS", bob.uri, call_id="question"))
    carol.send(bob.address, carol.inside(accepted, "OPTIONS", 2))
    allowed = "ACK, BYE, CANCEL, INVITE, OPTIONS, UPDATE"
    assert [each.headers.get("Allow") for each in carol.responses] == [allowed] * 3


# --- before the call is accepted ---


def test_one_that_comes_before_our_answer_is_to_come_again() -> None:
    """RFC 3311 §5.2: the offer of the INVITE is still to be answered."""
    world, bob, carol = bob_and_peer()
    bob.core.registry.add_extension(update())
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.invitation.progress(183, world.now)
    early = carol.response
    carol.send(bob.address, carol.inside(early, "UPDATE", 2, body=HOLD))
    assert carol.response.status == 500
    assert 0 <= int(carol.response.headers.get("Retry-After") or -1) <= 10
    bob.accept()
    assert (carol.response.status, agreed(bob)) == (200, (ANSWER, OFFER))
