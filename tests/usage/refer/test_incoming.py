"""REFERs of the peer: which can be followed, and the NOTIFYs that we owe for them."""

from __future__ import annotations

import pytest

from sipstack.errors import LocalProtocolError
from sipstack.message import NameAddr, Request, Response
from sipstack.testing.agent import CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.refer.events import ReferReceived
from sipstack.usage.refer.server import referred_call
from tests.usage.refer.parties import ALICE, called_by_bob, notified, referred, takes_referrals

CAROL = "<sip:carol@example.com>"
OK, RINGING = Response(200), Response(180)


def asked(*fields: tuple[str, object]) -> tuple[World, CoreAgent, ScriptedPeer]:
    """Bob has called alice, and refers her to carol; nobody has decided yet."""
    world, alice, bob = called_by_bob()
    takes_referrals(alice)
    headers = [("Refer-To", CAROL), *fields]
    bob.send(ALICE, bob.inside(bob.response, "REFER", 2, headers=headers))
    return world, alice, bob


def answer_notify(bob: ScriptedPeer, status: int = 200) -> None:
    """The latest NOTIFY."""
    assert bob.request.method == "NOTIFY"
    bob.answer(bob.request, status)


# --- what cannot be followed ---


@pytest.mark.parametrize(
    ("refer_to", "status"),
    [
        ([], 400),
        ([("Refer-To", "nonsense")], 400),
        ([("Refer-To", CAROL), ("Refer-To", "<sip:dave@example.com>")], 400),
        ([("Refer-To", "<mailto:carol@example.com>")], 416),
        ([("Refer-To", "<https://example.com>")], 416),
        ([("Refer-To", "<sip:carol@example.com;method=BYE>")], 501),
        ([("Refer-To", "<sip:@>")], 400),
        ([("Refer-To", "sip:carol@example.com, sip:dave@example.com")], 400),
        ([("Refer-To", "sip:carol@example.com"), ("Refer-To", CAROL)], 400),
        ([("Refer-To", CAROL), ("Require", "moon")], 420),
    ],
)
@pytest.mark.parametrize("inside", [True, False], ids=["inside", "outside"])
def test_a_refer_that_cannot_be_followed(refer_to: list[tuple[str, str]], status: int, inside: bool) -> None:
    world, alice, bob = called_by_bob()
    takes_referrals(alice)
    request = bob.inside(bob.response, "REFER", 2) if inside else bob.write("REFER", "sip:alice@192.0.2.1")
    bob.send(ALICE, Request("REFER", request.uri_text, [*request.headers.items(), *refer_to]))
    assert (bob.response.status, "ReferReceived" in alice.told) == (status, False)
    world.run(60)
    assert notified(bob) == []


def test_a_refer_outside_of_a_call_needs_a_contact() -> None:
    world = World()
    alice = CoreAgent(world, "alice", ALICE)
    takes_referrals(alice)
    bob = ScriptedPeer(world, "bob", ("192.0.2.2", 5060))
    headers = [("Refer-To", CAROL), ("Contact", "-")]
    bob.send(ALICE, bob.write("REFER", "sip:alice@192.0.2.1", headers=headers))
    assert (bob.response.status, alice.told) == (400, [])
    world.settle()
    assert alice.leftovers == []


def test_more_dialogs_than_there_may_be() -> None:
    world = World()
    alice = CoreAgent(world, "alice", ALICE, maximum_dialogs=0)
    takes_referrals(alice)
    bob = ScriptedPeer(world, "bob", ("192.0.2.2", 5060))
    bob.send(ALICE, bob.write("REFER", "sip:alice@192.0.2.1", headers=[("Refer-To", CAROL)]))
    assert (bob.response.status, bob.response.headers.get("Retry-After")) == (503, "10")


def test_it_is_refused() -> None:
    world, alice, bob = asked()
    referred(alice).refuse(603, world.now)
    assert bob.response.status == 603
    with pytest.raises(LocalProtocolError):
        referred(alice).accept(world.now)
    referred(alice).refuse(603, world.now)
    world.run(60)
    assert notified(bob) == []
    assert alice.session.is_established


# --- what is told ---


def test_what_becomes_of_our_call_is_told_one_after_the_other() -> None:
    world, alice, bob = asked()
    usage = referred(alice)
    usage.accept(world.now)
    usage.accept(world.now)
    assert (bob.response.status, notified(bob)) == (202, ["active;expires=600: SIP/2.0 100 Trying"])
    assert bob.request.headers.get("Event") == "refer;id=2"
    assert bob.request.headers.get("Content-Type") == "message/sipfrag;version=2.0"
    usage.tell(RINGING, world.now)
    usage.tell(Response(183), world.now)
    assert len(notified(bob)) == 1
    answer_notify(bob)
    assert notified(bob)[1:] == ["active;expires=600: SIP/2.0 183 Session Progress"]  # 180 is history
    answer_notify(bob)
    usage.tell(OK, world.now)
    usage.tell(Response(486), world.now)
    assert notified(bob)[2:] == ["terminated;reason=noresource: SIP/2.0 200 OK"]
    answer_notify(bob)
    usage.tell(RINGING, world.now)
    world.run(60)
    assert len(notified(bob)) == 3


def test_nothing_is_left_when_both_have_hung_up() -> None:
    world, alice, bob = asked()
    usage = referred(alice)
    usage.accept(world.now)
    first = bob.request
    alice.hang_up()
    bob.answer(bob.request, 200)
    bob.answer(first, 200)
    usage.tell(OK, world.now)
    answer_notify(bob)
    world.settle()
    assert alice.leftovers == []


def test_the_peer_hangs_up_at_once_and_is_told_all_the_same() -> None:
    world, alice, bob = asked()
    usage = referred(alice)
    usage.accept(world.now)
    answer_notify(bob)
    bob.send(ALICE, bob.inside(bob.response, "BYE", 3))
    usage.tell(OK, world.now)
    assert notified(bob)[-1] == "terminated;reason=noresource: SIP/2.0 200 OK"
    answer_notify(bob)
    world.settle()
    assert alice.leftovers == []


def test_nobody_decides() -> None:
    """After 8*T1 it is accepted: the peer would give up soon. The refusal is a NOTIFY then."""
    world, alice, bob = asked()
    world.run(3.9)
    assert bob.response.status == 200
    world.run(0.2)
    assert (bob.response.status, len(notified(bob))) == (202, 1)
    answer_notify(bob)
    referred(alice).refuse(603, world.now)
    assert notified(bob)[-1] == "terminated;reason=noresource: SIP/2.0 603 Decline"
    answer_notify(bob)


def test_no_notify_is_wanted() -> None:
    """RFC 4488"""
    world, alice, bob = asked(("Refer-Sub", "false"))
    usage = referred(alice)
    usage.accept(world.now)
    assert (bob.response.status, bob.response.headers.get("Refer-Sub")) == (202, "false")
    usage.tell(OK, world.now)
    world.run(60)
    assert notified(bob) == []


def test_outside_of_a_call_it_makes_a_dialog_with_the_record_routes() -> None:
    world = World()
    alice = CoreAgent(world, "alice", ALICE)
    takes_referrals(alice)
    bob = ScriptedPeer(world, "bob", ("192.0.2.2", 5060))
    headers = [("Refer-To", CAROL), ("Record-Route", "<sip:192.0.2.2;lr>")]
    bob.send(ALICE, bob.write("REFER", "sip:alice@192.0.2.1", headers=headers))
    usage = referred(alice)
    usage.accept(world.now)
    assert bob.response.headers.get("Record-Route") == "<sip:192.0.2.2;lr>"
    assert (bob.request.headers.get("Route"), bob.request.headers.get("Event")) == (
        "<sip:192.0.2.2;lr>",
        "refer",
    )
    assert bob.request.to.tag == "peer"
    answer_notify(bob)
    usage.tell(OK, world.now)
    answer_notify(bob)
    world.settle()
    assert alice.leftovers == []


# --- what a NOTIFY is answered with, or not ---


@pytest.mark.parametrize("status", [403, 404, 481, 489])
def test_a_notify_that_is_refused_ends_the_subscription_and_not_the_call(status: int) -> None:
    """RFC 5057 §5.1"""
    world, alice, bob = asked()
    usage = referred(alice)
    usage.accept(world.now)
    answer_notify(bob, status)
    usage.tell(OK, world.now)
    world.run(60)
    assert (len(notified(bob)), alice.session.is_established) == (1, True)


def test_a_notify_that_nobody_answers_ends_the_subscription() -> None:
    world, alice, bob = asked()
    usage = referred(alice)
    usage.accept(world.now)
    world.run(40)
    usage.tell(OK, world.now)
    assert (len(notified(bob)), alice.session.is_established) == (1, True)


@pytest.mark.parametrize("status", [491, 500, 503])
def test_a_notify_that_is_refused_for_the_moment_goes_out_again(status: int) -> None:
    """As it is then."""
    world, alice, bob = asked()
    usage = referred(alice)
    usage.accept(world.now)
    answer_notify(bob, status)
    usage.tell(OK, world.now)
    assert len(notified(bob)) == 1
    world.run(0.6)
    assert notified(bob)[1:] == ["terminated;reason=noresource: SIP/2.0 200 OK"]
    for pause in (1.0, 1.5, 2.0):
        answer_notify(bob, status)
        world.run(pause + 0.1)
    answer_notify(bob, status)
    world.run(60)
    assert len(notified(bob)) == 5


def test_the_subscription_runs_out() -> None:
    world, alice, bob = asked()
    usage = referred(alice)
    usage.accept(world.now)
    answer_notify(bob)
    usage.tell(RINGING, world.now)
    answer_notify(bob)
    world.run(601)
    assert notified(bob)[2:] == ["terminated;reason=timeout: SIP/2.0 180 Ringing"]
    answer_notify(bob)
    usage.tell(OK, world.now)
    world.run(60)
    assert len(notified(bob)) == 3


@pytest.mark.parametrize("id", [";id=2", ""])
def test_the_peer_refreshes_its_subscription_and_ends_it(id: str) -> None:
    world, alice, bob = asked()
    dialog = bob.responses[-1]
    usage = referred(alice)
    usage.accept(world.now)
    answer_notify(bob)
    world.run(500)
    event = ("Event", f"refer{id}")
    bob.send(ALICE, bob.inside(dialog, "SUBSCRIBE", 3, headers=[event, ("Expires", "999999")]))
    assert (bob.response.status, bob.response.headers.get("Expires")) == (200, "600")
    answer_notify(bob)
    bob.send(ALICE, bob.inside(dialog, "SUBSCRIBE", 4, headers=[event, ("Expires", "0")]))
    assert notified(bob)[1:] == [
        "active;expires=600: SIP/2.0 100 Trying",
        "terminated;reason=timeout: SIP/2.0 100 Trying",
    ]
    answer_notify(bob)
    bob.send(ALICE, bob.inside(dialog, "SUBSCRIBE", 5, headers=[event]))
    assert bob.response.status == 481
    usage.tell(OK, world.now)
    world.run(60)
    assert len(notified(bob)) == 3


# --- whom it has us call ---


def call_of(refer_to: str, *headers: tuple[str, object]) -> tuple[str, dict[str, object]]:
    request = Request("REFER", "sip:alice@example.com", [("Refer-To", refer_to), *headers])
    asked = referred_call(request, NameAddr.parse(refer_to))
    return asked.target, dict(asked.headers)


@pytest.mark.parametrize(
    ("refer_to", "target"),
    [
        ("<sip:carol@example.com>", "sip:carol@example.com"),
        ("Carol <sip:carol@example.com;method=INVITE;transport=tcp>", "sip:carol@example.com;transport=tcp"),
        ("<sips:carol@example.com:5081>", "sips:carol@example.com:5081"),
        ("<tel:+49-30-1234>", "tel:+49-30-1234"),
        ("<sip:carol@example.com?Subject=x&Route=%3Csip:evil%3E>", "sip:carol@example.com"),
    ],
)
def test_the_target(refer_to: str, target: str) -> None:
    assert call_of(refer_to) == (target, {})


def test_a_target_without_brackets_is_a_whole_uri() -> None:
    """As SIP.js writes it. By RFC 3261 §20.10 the transport would be a parameter of Refer-To."""
    world, alice, bob = called_by_bob()
    takes_referrals(alice)
    headers = [("Refer-To", "sip:carol@example.com;transport=tcp")]
    bob.send(ALICE, bob.inside(bob.response, "REFER", 2, headers=headers))
    usage = referred(alice)
    assert referred_call(usage.request, usage.target).target == "sip:carol@example.com;transport=tcp"
    usage.refuse(603, world.now)


def test_replaces_and_referred_by_go_into_our_invite() -> None:
    target = "<sip:carol@h?Replaces=c%40h%3Bto-tag%3D1%3Bfrom-tag%3D2&From=%3Csip:x%3E>"
    assert call_of(target, ("Referred-By", '"Bob" <sip:bob@example.com>;cid="x@y"')) == (
        "sip:carol@h",
        {
            "Referred-By": '"Bob" <sip:bob@example.com>;cid="x@y"',
            "Replaces": "c@h;to-tag=1;from-tag=2",
            "Require": "replaces",
        },
    )


@pytest.mark.parametrize("replaces", ["", "c", "c%3Bto-tag%3D1", "%0D%0AX:%20y"])
def test_a_replaces_that_is_none(replaces: str) -> None:
    with pytest.raises((ValueError, LocalProtocolError)):
        call_of(f"<sip:carol@h?Replaces={replaces}>")


def test_a_refer_is_told_to_who_takes_referrals() -> None:
    _, alice, _ = asked()
    assert (alice.last(ReferReceived).receiver, referred(alice).target.uri_text) == (
        "handler",
        "sip:carol@example.com",
    )
