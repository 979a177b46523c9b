"""Re-INVITEs from the other side, with an offer or asking for one (RFC 3261 §14.2)."""

from __future__ import annotations

import pytest

from sipstack.core.events import Acknowledged, Ended, OfferReceived
from sipstack.testing.agent import ANSWER, OFFER
from sipstack.testing.ladders import ladder
from sipstack.usage.invite.sent_acks import MAXIMUM_ACKS
from tests.usage.invite.callers import agreed, bob_and_peer, called_peer

HOLD, HELD = b"v=0 a=sendonly\r\n", b"v=0 a=recvonly\r\n"


def test_a_reinvite_without_an_offer_asks_for_ours() -> None:
    world, alice, carol = called_peer()
    carol.send(alice.address, carol.back("INVITE", 1))
    assert alice.last(OfferReceived).body == b""
    alice.session.accept_offer(b"v=0 ours", world.now)
    assert carol.response.body == b"v=0 ours"
    carol.send(alice.address, carol.back("ACK", 1, body=b"v=0 theirs"))
    assert alice.last(Acknowledged).body == b"v=0 theirs"
    assert agreed(alice) == (b"v=0 ours", b"v=0 theirs")


def test_while_our_offer_in_a_2xx_is_unanswered_a_further_invite_is_glare() -> None:
    """RFC 6337 §4.2: an offer may not meet another one."""
    world, alice, carol = called_peer()
    carol.send(alice.address, carol.back("INVITE", 1))
    alice.session.accept_offer(b"v=0 ours", world.now)
    carol.send(alice.address, carol.back("INVITE", 2, body=OFFER))
    assert carol.response.start_line == "SIP/2.0 491 Request Pending"


def test_a_second_reinvite_before_the_first_is_answered_comes_back_later() -> None:
    """§14.2: 500 with a Retry-After of 0 to 10 seconds."""
    world, alice, carol = called_peer()
    carol.send(alice.address, carol.back("INVITE", 1, body=HOLD))
    carol.send(alice.address, carol.back("INVITE", 2, body=OFFER))
    assert carol.response.status == 500
    assert 0 <= int(carol.response.headers.get("Retry-After") or "-1") <= 10
    assert alice.told == ["Answered", "OfferReceived"]
    alice.session.accept_offer(HELD, world.now)
    assert (carol.response.status, carol.response.cseq.number) == (200, 1)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ([("Content-Type", "text/plain")], b"hello", 415),
        ([("Accept", "text/plain")], OFFER, 406),
        ([("Contact", "<sip:a@h>, <sip:b@h>")], OFFER, 400),
        ([("Contact", "<")], OFFER, 400),
    ],
)
def test_a_reinvite_that_is_not_for_us(headers: list[tuple[str, str]], body: bytes, status: int) -> None:
    world, alice, carol = called_peer()
    carol.send(alice.address, carol.back("INVITE", 1, body=body, headers=headers))
    assert (carol.response.status, alice.told) == (status, ["Answered"])
    carol.send(alice.address, carol.back("INVITE", 2, body=OFFER))
    assert alice.told == ["Answered", "OfferReceived"]


def test_a_reinvite_moves_the_remote_target() -> None:
    world, alice, carol = called_peer()
    moved = [("Contact", "<sip:carol@192.0.2.3:5060;moved=1>")]
    carol.send(alice.address, carol.back("INVITE", 1, body=HOLD, headers=moved))
    alice.session.accept_offer(HELD, world.now)
    carol.send(alice.address, carol.back("ACK", 1))
    alice.hang_up()
    world.run()
    assert world.ladder()[-1] == "alice -> carol BYE sip:carol@192.0.2.3:5060;moved=1 [2]"


def test_the_2xx_to_a_reinvite_is_repeated_until_its_ack() -> None:
    world, alice, carol = called_peer()
    carol.send(alice.address, carol.back("INVITE", 1, body=HOLD))
    alice.session.accept_offer(HELD, world.now)
    world.run(2)
    carol.send(alice.address, carol.back("ACK", 1))
    world.run(60)
    times = [time for time, line in world.timed_ladder() if "200 OK" in line]
    assert times == [0.0, 0.5, 1.5]


def test_a_cancelled_reinvite_is_refused_and_the_call_goes_on() -> None:
    world, alice, carol = called_peer()
    reinvite = carol.back("INVITE", 1, body=HOLD)
    carol.send(alice.address, reinvite)
    cancel = carol.back("CANCEL", 1, headers=[("Via", reinvite.via)])
    carol.send(alice.address, cancel)
    assert world.ladder(by="alice") == ladder("""
        alice -> carol    200 OK [1 CANCEL]
        alice -> carol    487 Request Terminated [1 INVITE]
    """)
    assert alice.session.is_established


@pytest.mark.parametrize("who", ["alice", "carol"])
def test_a_bye_refuses_the_reinvite_that_waits(who: str) -> None:
    """§15.1.2: "The UAS MUST still respond to any pending requests received for that dialog"."""
    world, alice, carol = called_peer()
    carol.send(alice.address, carol.back("INVITE", 1, body=HOLD))
    if who == "alice":
        alice.hang_up()
        carol.answer(carol.request, 200, None)
    else:
        carol.send(alice.address, carol.back("BYE", 2))
    refused = [line for line in world.ladder() if "487" in line]
    assert refused == ["alice -> carol 487 Request Terminated [1 INVITE]"]
    assert alice.told == ["Answered", "OfferReceived", "Ended"]


def test_a_reinvite_that_waits_for_the_user_is_refused_when_the_call_times_out() -> None:
    """The ACK to the 2xx before it never came: nothing of the call may be left over."""
    world, alice, carol = called_peer()
    carol.send(alice.address, carol.back("INVITE", 1, body=HOLD))
    alice.session.accept_offer(HELD, world.now)
    carol.send(alice.address, carol.back("INVITE", 2, body=OFFER))
    world.settle()
    assert (alice.last(Ended).reason, alice.leftovers) == ("no ACK", [])


def test_a_reinvite_that_overtakes_the_ack_is_served() -> None:
    """RFC 5407 §3.1.4: the offer and answer of the first INVITE are complete."""
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.accept()
    answer = carol.response
    carol.send(bob.address, carol.inside(answer, "INVITE", 2, body=HOLD))
    bob.session.accept_offer(HELD, world.now)
    carol.send(bob.address, carol.inside(answer, "ACK", 1))
    world.run(0.6)
    carol.send(bob.address, carol.inside(answer, "ACK", 2))
    world.run(60)
    assert world.ladder(by="bob") == ladder("""
        bob -> carol    200 OK [1 INVITE]
        bob -> carol    200 OK [2 INVITE]
        bob -> carol    200 OK [2 INVITE]
    """)
    assert bob.session.is_established


def test_a_reinvite_while_our_bye_waits_for_the_ack_is_too_late() -> None:
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.accept()
    bob.hang_up()
    carol.send(bob.address, carol.inside(carol.response, "INVITE", 2, body=HOLD))
    assert carol.response.status == 481


def test_so_many_acks_are_kept_for_repetition_and_no_more() -> None:
    world, alice, carol = called_peer()
    first = carol.invite
    for _ in range(MAXIMUM_ACKS):
        alice.session.reoffer(HOLD, world.now)
        carol.answer(carol.request, 200, None, body=HELD)
    world.ladder()
    carol.answer(first, 200, body=ANSWER)
    assert world.ladder(by="alice") == []
