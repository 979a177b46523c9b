"""The first description in a response is the answer, also in a 1xx (RFC 3261 §13.2.1); an ACK without one."""

from __future__ import annotations

import pytest

from sipstack.core.events import Acknowledged, Ended, Failed, OfferAnswered, OfferReceived
from sipstack.testing.agent import ANSWER, OFFER
from tests.usage.invite.callers import agreed, alice_and_peer, called_by_peer, called_peer

OTHER = b"v=0 another answer\r\n"
TEXT = ("Content-Type", "text/plain")


@pytest.mark.parametrize("status", [180, 183])
def test_a_2xx_without_a_body_leaves_the_description_of_the_1xx(status: int) -> None:
    _, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    bob.answer(bob.request, status, body=ANSWER)
    bob.answer(bob.requests[0], 200)
    assert bob.methods == ["INVITE", "ACK"]
    assert (alice.told, agreed(alice)) == (["Progressed", "Answered"], (OFFER, ANSWER))


def test_a_foreign_body_in_the_2xx_is_as_good_as_none() -> None:
    _, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 183, body=ANSWER)
    foreign = invite.response(200, to_tag="peer", headers=[("Contact", f"<{bob.uri}>"), TEXT], body=b"hi")
    bob.send(alice.address, foreign)
    assert (bob.methods, agreed(alice)) == (["INVITE", "ACK"], (OFFER, ANSWER))


def test_of_several_1xx_the_first_with_a_description_counts() -> None:
    _, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    for status, body in ((180, b""), (183, ANSWER), (183, OTHER), (180, b"")):
        bob.answer(invite, status, body=body)
    bob.answer(invite, 200)
    assert (bob.methods, agreed(alice)) == (["INVITE", "ACK"], (OFFER, ANSWER))


def test_a_description_in_the_2xx_goes_before_it() -> None:
    """For peers that repeat it, an unreliable 1xx has but a preview (RFC 6337 §3.1.1): theirs is the 2xx."""
    _, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    bob.answer(bob.request, 183, body=ANSWER)
    bob.answer(bob.requests[0], 200, body=OTHER)
    assert agreed(alice) == (OFFER, OTHER)


def test_each_fork_has_its_own() -> None:
    _, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 183, "one", body=ANSWER)
    bob.answer(invite, 183, "two", body=OTHER)
    bob.answer(invite, 200, "two")
    assert agreed(alice) == (OFFER, OTHER)


def test_that_of_another_fork_is_no_answer() -> None:
    _, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 183, "one", body=ANSWER)
    bob.answer(invite, 200, "two")
    assert bob.methods == ["INVITE", "ACK", "BYE"]
    assert str(alice.last(Failed).error) == "the 2xx carries no session description"


def test_an_invite_without_an_offer_is_answered_by_no_1xx() -> None:
    _, alice, bob = alice_and_peer()
    alice.call(bob.uri, b"")
    invite = bob.request
    bob.answer(invite, 183, body=OTHER)
    bob.answer(invite, 200)
    assert bob.methods == ["INVITE", "ACK", "BYE"]


def test_a_reinvite_takes_the_first_description_too() -> None:
    world, alice, carol = called_peer()
    alice.session.reoffer(b"v=0 hold", world.now)
    reinvite = carol.request
    carol.answer(reinvite, 183, None, body=OTHER)
    carol.answer(reinvite, 200, None)
    assert alice.last(OfferAnswered).body == OTHER
    assert agreed(alice) == (b"v=0 hold", OTHER)


# --- our 2xx makes the offer ---


@pytest.mark.parametrize("body", [b"", b"hi"], ids=["no body", "a foreign body"])
def test_an_ack_without_an_answer_to_our_reoffer_leaves_the_session_as_it_was(body: bytes) -> None:
    world, bob, carol = called_by_peer()
    before = agreed(bob)
    reinvite = carol.inside(carol.response, "INVITE", 2)
    carol.send(bob.address, reinvite)
    assert bob.last(OfferReceived).body == b""
    bob.session.accept_offer(b"v=0 our offer", world.now)
    ack = carol.inside(carol.response, "ACK", 2, body=body)
    carol.send(bob.address, ack.replace(headers=ack.headers.with_("Content-Type", "text/plain")))
    world.run(60)
    assert (carol.methods, agreed(bob)) == ([], before)
    assert bob.last(Acknowledged).body == b""
    assert not bob.session.is_busy
    carol.send(bob.address, carol.inside(carol.response, "INVITE", 3, body=OFFER))
    bob.session.accept_offer(ANSWER, world.now)
    assert (carol.response.status, agreed(bob)) == (200, (ANSWER, OFFER))
    assert Ended not in map(type, bob.events)
