"""The callee's side until the call is accepted or refused (RFC 3261 §13.3)."""

from __future__ import annotations

import pytest

from sipstack.core.events import Acknowledged, InvitationCancelled
from sipstack.errors import LocalProtocolError
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder, timed
from sipstack.testing.peer import SDP, ScriptedPeer
from sipstack.testing.world import World
from tests.usage.invite.callers import bob_and_peer


def invited(body: bytes = OFFER, **fields: str) -> tuple[World, CoreAgent, ScriptedPeer]:
    """Bob, just invited by carol; the ladder begins with what he does."""
    world, bob, carol = bob_and_peer()
    headers = [(name.replace("_", "-"), value) for name, value in fields.items()]
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=body, headers=headers))
    world.ladder()
    return world, bob, carol


# --- what the network does meanwhile ---


def test_a_silent_user_agent_says_100_after_200_ms() -> None:
    world, bob, _ = invited()
    world.run(60)
    assert world.timed_ladder() == [(0.2, "bob -> carol 100 Trying [1 INVITE]")]
    bob.invitation.refuse(486, world.now)


def test_an_invite_that_comes_again_gets_the_latest_provisional() -> None:
    world, bob, carol = invited()
    bob.invitation.progress(180, world.now)
    bob.invitation.progress(183, world.now)
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, branch="z9hG4bKcarol1"))
    assert world.ladder() == ladder("""
        bob -> carol    180 Ringing [1 INVITE]
        bob -> carol    183 Session Progress [1 INVITE]
        carol -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        bob -> carol    183 Session Progress [1 INVITE]
    """)
    assert bob.told == ["InvitationReceived"]


def test_a_provisional_is_repeated_each_minute_until_the_answer() -> None:
    """§13.3.1.1: proxies drop an INVITE that is silent for three minutes."""
    world, bob, _ = invited()
    bob.invitation.progress(180, world.now)
    world.run(90)
    bob.invitation.progress(183, world.now)
    world.run(100)
    bob.invitation.refuse(480, world.now)
    world.run(0.1)
    assert world.timed_ladder() == timed("""
        0.0    bob -> carol    180 Ringing [1 INVITE]
        60.0   bob -> carol    180 Ringing [1 INVITE]
        90.0   bob -> carol    183 Session Progress [1 INVITE]
        150.0  bob -> carol    183 Session Progress [1 INVITE]
        190.0  bob -> carol    480 Temporarily Unavailable [1 INVITE]
    """)


def test_an_invite_expires() -> None:
    """§13.3.1: "a 487 (Request Terminated) response SHOULD be generated"."""
    world, bob, _ = invited(Expires="5")
    bob.invitation.progress(180, world.now)
    world.run(5.1)
    assert world.timed_ladder() == timed("""
        0.0  bob -> carol    180 Ringing [1 INVITE]
        5.0  bob -> carol    487 Request Terminated [1 INVITE]
    """)
    assert (bob.told[1:], bob.last(InvitationCancelled).reason) == (["InvitationCancelled"], "expired")


def test_an_accepted_invite_does_not_expire() -> None:
    world, bob, carol = invited(Expires="5")
    bob.accept()
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    world.run(60)
    assert bob.told == ["InvitationReceived", "Acknowledged"]


# --- answers ---


def test_a_refusal_is_repeated_until_its_ack() -> None:
    world, bob, _ = invited()
    bob.invitation.refuse(486, world.now)
    world.settle()
    times = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert world.timed_ladder() == [(time, "bob -> carol 486 Busy Here [1 INVITE]") for time in times]
    assert bob.leftovers == []


def test_a_refusal_may_have_a_phrase_and_headers() -> None:
    world, bob, carol = invited()
    bob.invitation.refuse(302, world.now, "Gone fishing", (("Contact", "<sip:bob@192.0.2.22>"),))
    assert carol.response.start_line == "SIP/2.0 302 Gone fishing"
    assert carol.response.headers.get("Contact") == "<sip:bob@192.0.2.22>"
    assert carol.response.to.tag == bob.invitation.tag


def test_the_2xx_and_a_provisional_as_they_go_out() -> None:
    """§12.1.1: Contact, and the Record-Route of the request to the letter."""
    routes = "<sip:p1.example.com;lr>, <sip:p2.example.com;lr>"
    world, bob, carol = invited(Record_Route=routes)
    bob.invitation.progress(183, world.now, (("Subject", "early"),), ANSWER)
    bob.accept()
    world.run()
    for response, extra in zip(carol.heard, (["Subject"], []), strict=True):
        assert [name for name, _ in response.headers.items()] == [
            *("Via", "From", "To", "Call-ID", "CSeq", "Session-ID", "Contact", "Allow"),
            *("Content-Type", "Record-Route"),
            *extra,
            "Content-Length",
        ]
        assert response.headers.get("Contact") == "<sip:bob@192.0.2.2:5060>"
        assert response.headers.get("Record-Route") == routes
        assert (response.headers.get("Content-Type"), response.body) == (SDP[1], ANSWER)


def test_a_late_offer_is_answered_by_the_ack() -> None:
    world, bob, carol = invited(body=b"")
    session = bob.accept(b"v=0 our offer")
    assert (session.exchange.offer, carol.response.body) == (b"v=0 our offer", b"v=0 our offer")
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1, body=b"v=0 their answer"))
    assert bob.last(Acknowledged).body == b"v=0 their answer"
    assert (session.exchange.local, session.exchange.remote) == (b"v=0 our offer", b"v=0 their answer")


def test_an_ack_that_owes_an_answer_and_brings_none_ends_the_call() -> None:
    world, bob, carol = invited(body=b"")
    bob.accept(b"v=0 our offer")
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    assert world.ladder() == ladder("""
        bob -> carol    200 OK [1 INVITE]
        carol -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        bob -> carol    BYE sip:carol@192.0.2.3:5060 [1]
    """)
    assert carol.request.headers.get("Reason") == 'SIP;cause=488;text="no answer in ACK"'


@pytest.mark.parametrize("answered_by", ["accept", "refuse", "cancel"])
def test_an_invitation_is_answered_once(answered_by: str) -> None:
    world, bob, carol = invited()
    match answered_by:
        case "accept":
            bob.accept()
        case "refuse":
            bob.invitation.refuse(486, world.now)
        case "cancel":
            carol.send(bob.address, carol.write("CANCEL", bob.uri, branch="z9hG4bKcarol1"))
    for answer in (
        lambda: bob.invitation.accept(ANSWER, world.now),
        lambda: bob.invitation.progress(180, world.now),
        lambda: bob.invitation.refuse(486, world.now),
    ):
        with pytest.raises(LocalProtocolError, match="answered or cancelled"):
            answer()


def test_statuses_that_make_no_sense_are_refused() -> None:
    world, bob, _ = invited()
    for status in (100, 200, 99):
        with pytest.raises(LocalProtocolError, match="not a provisional"):
            bob.invitation.progress(status, world.now)
    for status in (180, 200, 299, 700):
        with pytest.raises(LocalProtocolError, match="does not refuse"):
            bob.invitation.refuse(status, world.now)
    world.run()
    assert world.ladder() == []


# --- requests in the early dialog ---


def test_bye_in_the_early_dialog_ends_the_invite() -> None:
    """§15: "the caller's UA MAY send a BYE for either confirmed or early dialogs"."""
    world, bob, carol = invited()
    bob.invitation.progress(180, world.now)
    bye = carol.inside(carol.response, "BYE", 2, headers=[("Reason", "Q.850;cause=16")])
    carol.send(bob.address, bye)
    assert world.ladder() == ladder("""
        bob -> carol    180 Ringing [1 INVITE]
        carol -> bob    BYE sip:bob@192.0.2.2:5060 [2]
        bob -> carol    200 OK [2 BYE]
        bob -> carol    487 Request Terminated [1 INVITE]
    """)
    assert bob.last(InvitationCancelled).reason == "Q.850;cause=16"


def test_a_second_invite_before_the_first_is_answered_comes_back_later() -> None:
    """§14.2: 500 with a Retry-After of 0 to 10 seconds."""
    world, bob, carol = invited()
    bob.invitation.progress(180, world.now)
    carol.send(bob.address, carol.inside(carol.response, "INVITE", 2, body=OFFER))
    assert carol.response.status == 500
    assert 0 <= int(carol.response.headers.get("Retry-After") or "-1") <= 10
    assert bob.told == ["InvitationReceived"]


def test_other_requests_in_the_early_dialog_are_served_in_order() -> None:
    world, bob, carol = invited()
    bob.invitation.progress(180, world.now)
    ringing = carol.response
    answers = []
    for number, method in [(3, "OPTIONS"), (4, "INFO"), (2, "OPTIONS")]:
        carol.send(bob.address, carol.inside(ringing, method, number))
        answers.append(carol.response.status)
    assert answers == [200, 405, 500]


def test_an_ack_without_a_2xx_means_nothing() -> None:
    world, bob, carol = invited()
    bob.invitation.progress(180, world.now)
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    assert bob.told == ["InvitationReceived"]


def test_its_repr_tells_whether_it_is_answered() -> None:
    world, bob, _ = invited()
    assert repr(bob.invitation) == "<IncomingInvite waiting call-of-carol>"
    bob.invitation.refuse(486, world.now)
    assert repr(bob.invitation) == "<IncomingInvite answered call-of-carol>"
