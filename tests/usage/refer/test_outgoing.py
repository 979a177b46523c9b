"""REFERs of ours: what the other side may answer and tell, in any order, or not at all."""

from __future__ import annotations

import pytest

from sipstack.core.events import Ended
from sipstack.message.digest import DigestAccount
from sipstack.testing.agent import CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.refer.outgoing import OutgoingRefer
from tests.usage.refer.parties import (
    ALICE,
    SIPFRAG,
    TO_CAROL,
    alice_and_bob,
    notify,
    refer,
    takes_notifies,
    told,
)

TERMINATED = "terminated;reason=noresource"


def referring() -> tuple[World, CoreAgent, ScriptedPeer, OutgoingRefer, list[str]]:
    """Alice has sent REFER to bob, who has not answered it."""
    world, alice, bob = alice_and_bob()
    takes_notifies(alice)
    closed: list[str] = []
    usage = refer(alice, closed)
    assert bob.methods[-1] == "REFER"
    return world, alice, bob, usage, closed


# --- when things go wrong ---


@pytest.mark.parametrize("status", [403, 405, 503, 603])
def test_a_refer_that_is_refused(status: int) -> None:
    """The call goes on."""
    world, alice, bob, _, closed = referring()
    bob.answer(bob.request, status)
    assert (told(alice), closed) == ([f"REFER: {status}"], ["closed"])
    notify(bob, 1, "SIP/2.0 200 OK")
    assert bob.response.status == 481
    world.settle()
    assert alice.session.is_established


@pytest.mark.parametrize("status", [408, 481])
def test_a_refusal_that_is_about_the_dialog_ends_the_call_as_well(status: int) -> None:
    """RFC 5057 §5.1"""
    world, alice, bob, _, _ = referring()
    bob.answer(bob.request, status)
    bob.answer(bob.request, 200)
    world.settle()
    assert (told(alice), "Ended" in alice.told, alice.leftovers) == ([f"REFER: {status}"], True, [])


def test_a_refer_that_nobody_answers() -> None:
    world, alice, bob, _, closed = referring()
    world.settle()
    assert bob.methods.count("REFER") == 11
    assert told(alice)[0].startswith("call: ")
    assert alice.last(Ended).by == "timeout"
    assert (closed, alice.leftovers) == (["closed"], [])


def test_no_notify_comes() -> None:
    """RFC 6665 §4.1.2.4: Timer N"""
    world, alice, bob, _, closed = referring()
    bob.answer(bob.request, 202)
    world.run(31.9)
    assert told(alice) == []
    world.run(0.2)
    assert told(alice) == ["call: the other side does not tell what became of its call"]
    assert closed == ["closed"]


def test_the_subscription_runs_out() -> None:
    world, alice, bob, _, _ = referring()
    bob.answer(bob.request, 202)
    notify(bob, 1, "SIP/2.0 100 Trying")
    world.run(50)
    notify(bob, 2, "SIP/2.0 180 Ringing")
    world.run(59)
    assert told(alice) == ["100", "180"]
    world.run(2)
    assert told(alice)[2:] == ["call: the other side does not tell what became of its call"]


@pytest.mark.parametrize("body", ["", "SIP/2.0 100 Trying", "nonsense"])
def test_the_other_side_ends_the_subscription_and_does_not_say_how_it_went(body: str) -> None:
    _, alice, bob, _, closed = referring()
    bob.answer(bob.request, 202)
    notify(bob, 1, body, "terminated;reason=giveup")
    expected = "call: the other side does not tell what became of its call: giveup"
    assert (told(alice)[-1], closed) == (expected, ["closed"])


def test_the_other_side_hangs_up_at_once_and_tells_later() -> None:
    """The dialog lives on with the subscription (RFC 5057)."""
    world, alice, bob, _, _ = referring()
    bob.answer(bob.request, 202)
    bob.send(ALICE, bob.back("BYE", 1))
    assert alice.last(Ended).by == "remote"
    world.run(10)
    notify(bob, 2, "SIP/2.0 200 OK", TERMINATED)
    assert (bob.response.status, told(alice)) == (200, ["call: 200"])
    world.settle()
    assert alice.leftovers == []


def test_the_other_side_hangs_up_and_tells_nothing() -> None:
    world, alice, bob, _, _ = referring()
    bob.answer(bob.request, 202)
    bob.send(ALICE, bob.back("BYE", 1))
    world.settle()
    assert told(alice) == ["call: the other side does not tell what became of its call"]
    assert alice.leftovers == []


# --- in any order ---


def test_notify_before_the_202() -> None:
    _, alice, bob, _, _ = referring()
    sent = bob.request
    notify(bob, 1, "SIP/2.0 100 Trying", event=f"refer;id={sent.cseq.number}")
    assert bob.response.status == 200
    bob.answer(sent, 202)
    notify(bob, 2, "SIP/2.0 200 OK", TERMINATED)
    assert told(alice) == ["100", "call: 200"]


def test_the_outcome_before_the_202_which_is_lost() -> None:
    """Who tells of it has taken the REFER."""
    world, alice, bob, _, closed = referring()
    notify(bob, 1, "SIP/2.0 180 Ringing", "active;expires=100")
    world.run(50)
    assert told(alice) == ["180"]
    notify(bob, 2, "SIP/2.0 200 OK", TERMINATED)
    world.settle()
    assert (told(alice), closed, alice.session.is_established) == (["180", "call: 200"], ["closed"], True)


def test_the_outcome_counts_once_and_the_end_is_waited_for() -> None:
    """Some tell the final response in a subscription that goes on for a while."""
    world, alice, bob, _, closed = referring()
    bob.answer(bob.request, 202)
    notify(bob, 1, "SIP/2.0 486 Busy Here")
    assert (told(alice), closed) == (["call: 486"], [])
    notify(bob, 2, "SIP/2.0 200 OK")
    notify(bob, 3, "SIP/2.0 180 Ringing", TERMINATED)
    assert (bob.response.status, told(alice), closed) == (200, ["call: 486"], ["closed"])
    world.settle()


def test_the_end_that_never_comes_is_not_waited_for_forever() -> None:
    world, alice, bob, _, closed = referring()
    bob.answer(bob.request, 202)
    notify(bob, 1, "SIP/2.0 200 OK", "active;expires=999999999")
    world.run(33)
    assert (told(alice), closed) == (["call: 200"], ["closed"])


def test_a_repeated_notify_is_told_once() -> None:
    world, alice, bob, _, _ = referring()
    bob.answer(bob.request, 202)
    headers = [("Event", "refer"), ("Subscription-State", "active"), SIPFRAG]
    once = bob.back("NOTIFY", 1, headers=headers, body=b"SIP/2.0 180 Ringing\r\n")
    bob.send(ALICE, once)
    bob.send(ALICE, once)
    assert told(alice) == ["180"]
    world.settle()


def test_no_notify_is_wanted() -> None:
    """RFC 4488: it is over with the answer."""
    world, alice, bob, _, closed = referring()
    bob.answer(bob.request, 202, headers=[("Refer-Sub", "false")])
    assert (told(alice), closed) == (["REFER: 202"], ["closed"])
    world.settle()


# --- what a peer may write ---


@pytest.mark.parametrize(
    ("fields", "status", "news"),
    [
        ({"Subscription-State": "-"}, 200, ["180"]),  # left out by some
        ({"Subscription-State": "@"}, 200, ["180"]),
        ({"Subscription-State": "active;expires=x"}, 200, ["180"]),
        ({"Content-Type": "-"}, 200, ["180"]),
        ({"Content-Type": "message/SIPFRAG"}, 200, ["180"]),
        ({"Content-Type": "text/plain"}, 200, []),
        ({"Event": "-"}, 489, []),
        ({"Event": "moon"}, 489, []),
        ({"Event": "refer;id=77"}, 481, []),
        ({"Contact": "<tel:+1>"}, 400, []),
        ({"Contact": "<sip:a@h>, <sip:b@h>"}, 400, []),
    ],
)
def test_fields_of_a_notify(fields: dict[str, str], status: int, news: list[str]) -> None:
    _, alice, bob, _, _ = referring()
    bob.answer(bob.request, 202)
    notify(bob, 1, "SIP/2.0 180 Ringing", fields=list(fields.items()))
    assert (bob.response.status, told(alice)) == (status, news)
    notify(bob, 2, "SIP/2.0 200 OK", TERMINATED)
    assert told(alice)[-1] == "call: 200"


def test_the_contact_of_the_202_and_of_a_notify_is_the_new_target() -> None:
    _, alice, bob, _, _ = referring()
    bob.answer(bob.request, 202, contact="<sip:bob@192.0.2.2:5080>")
    assert alice.session.dialog.remote_target == "sip:bob@192.0.2.2:5080"
    notify(bob, 1, "SIP/2.0 200 OK", TERMINATED, fields=[("Contact", "<sip:bob@192.0.2.2:5090>")])
    assert alice.session.dialog.remote_target == "sip:bob@192.0.2.2:5090"


# --- credentials ---


def test_a_challenged_refer_goes_out_again_and_its_number_is_the_id() -> None:
    """Also of a NOTIFY that overtakes the 202."""
    world = World()
    alice = CoreAgent(world, "alice", ALICE, account=DigestAccount("alice", "secret"))
    takes_notifies(alice)
    bob = ScriptedPeer(world, "bob", ("192.0.2.2", 5060))
    alice.call(bob.uri)
    bob.answer(bob.request, 200, body=b"v=0 the answer\r\n")
    refer(alice)
    challenge = ("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256')
    bob.answer(bob.request, 401, headers=[challenge])
    again = bob.request
    assert (again.method, "Authorization" in again.headers) == ("REFER", True)
    notify(bob, 1, "SIP/2.0 100 Trying", event=f"refer;id={again.cseq.number}")
    assert bob.response.status == 200
    bob.answer(again, 202)
    notify(bob, 2, "SIP/2.0 200 OK", TERMINATED, event=f"refer;id={again.cseq.number}")
    assert told(alice) == ["100", "call: 200"]
    alice.hang_up()
    bob.answer(bob.request, 200)
    world.settle()
    assert alice.leftovers == []


# --- outside of a call ---


def outside() -> tuple[World, CoreAgent, ScriptedPeer]:
    world = World()
    alice = CoreAgent(world, "alice", ALICE)
    takes_notifies(alice)
    bob = ScriptedPeer(world, "bob", ("192.0.2.2", 5060))
    alice.core.refer(bob.uri, TO_CAROL).start(world.now)
    return world, alice, bob


def notify_outside(bob: ScriptedPeer, cseq: int, status: str, state: str, tag: str = "peer") -> None:
    heard = next(request for request in bob.requests if request.method == "REFER")
    headers = [
        ("From", f"<{heard.uri}>;tag={tag}"),
        ("To", heard.headers.get("From")),
        ("Call-ID", heard.call_id),
        ("Event", "refer"),
        ("Subscription-State", state),
        SIPFRAG,
    ]
    target = str(heard.contacts[0].uri)
    body = f"SIP/2.0 {status}\r\n".encode()
    bob.send(ALICE, bob.write("NOTIFY", target, cseq=cseq, headers=headers, body=body))


@pytest.mark.parametrize("early", [True, False], ids=["notify-first", "202-first"])
def test_a_notify_makes_the_dialog(early: bool) -> None:
    world, alice, bob = outside()
    sent = bob.request
    if not early:
        bob.answer(sent, 202)
    notify_outside(bob, 1, "100 Trying", "active;expires=60")
    assert bob.response.status == 200
    if early:
        bob.answer(sent, 202)
    notify_outside(bob, 2, "200 OK", TERMINATED)
    assert told(alice) == ["100", "call: 200"]
    world.settle()
    assert alice.leftovers == []


def test_another_fork_is_told_that_it_does_not_count() -> None:
    world, alice, bob = outside()
    notify_outside(bob, 1, "100 Trying", "active;expires=60")
    notify_outside(bob, 1, "200 OK", TERMINATED, tag="other")
    assert (bob.response.status, told(alice)) == (481, ["100"])
    bob.answer(bob.request, 202)
    notify_outside(bob, 2, "603 Decline", TERMINATED)
    assert told(alice) == ["100", "call: 603"]
    world.settle()
    assert alice.leftovers == []


@pytest.mark.parametrize("status", [202, 404, 0])
def test_nothing_is_left_of_a_refer_outside_whatever_comes(status: int) -> None:
    world, alice, bob = outside()
    if status:
        bob.answer(bob.request, status)
    world.settle()
    assert (len(told(alice)), alice.leftovers) == (1, [])
    notify_outside(bob, 1, "200 OK", TERMINATED)
    assert bob.response.status == 481


def test_a_refer_that_is_abandoned_still_answers_for_a_while() -> None:
    """A peer might end the call for a 481."""
    world, alice, bob, usage, closed = referring()
    bob.answer(bob.request, 202)
    notify(bob, 1, "SIP/2.0 180 Ringing", "active;expires=600")
    usage.abandon(world.now)
    world.run(20)
    notify(bob, 2, "SIP/2.0 200 OK")
    assert (bob.response.status, told(alice)) == (200, ["180"])
    world.run(33)
    assert closed == ["closed"]
