"""A dialog that hosts usages (RFC 5057): who owns a request, and when the dialog is over."""

from __future__ import annotations

from collections.abc import Hashable

import attrs
import pytest

from sipstack.core.events import Ended, OfferReceived
from sipstack.core.registry import Method, Package
from sipstack.dialog.services import CoreServices
from sipstack.dialog.usages import INVITE_USAGE, DialogUsages
from sipstack.errors import RemoteProtocolError, SipError
from sipstack.message import Request, Response
from sipstack.message.status import reason
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.machine import NOBODY
from sipstack.usage.invite.extension import CallExtension, Extension, Reply
from sipstack.usage.received import RequestReceived
from tests.usage.invite.callers import called_by_peer, called_peer

TOY = (("Event", "toy"),)


class Subscription:
    """A usage that takes every request and says so."""

    def __init__(self, core: CoreServices, host: DialogUsages) -> None:
        self.core = core
        self.host = host
        self.heard: list[str] = []
        self.errors: list[str] = []

    def __repr__(self) -> str:
        return "<Subscription>"

    def request_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        self.heard.append(request.method)
        self.core.respond(transaction, request.response(200), now)

    def ack_received(self, request: Request, now: float) -> None:
        self.heard.append("ACK")

    def lost(self, error: SipError, now: float) -> None:
        self.errors.append(str(error))
        self.host.remove(self)


def subscribed(agent: CoreAgent, *keys: Hashable) -> list[Subscription]:
    """A subscription under each of these keys in the dialog of the agent's call."""
    host, subscriptions = agent.session.usages, []
    for key in keys:
        subscription = Subscription(agent.core, host)
        host.add(subscription, key)
        subscriptions.append(subscription)
    return subscriptions


class Toy(CallExtension):
    name, methods = "toy", ("INFO", "PRACK", "UPDATE")

    def request_received(self, request: Request, now: float) -> Reply:
        return Reply(200)


def register(agent: CoreAgent) -> None:
    """Every kind of method: of a call, of an event, of the application, of none."""

    def accepted(request: Request, transaction: AnyServer, now: float) -> None:
        agent.core.respond(transaction, request.response(202), now)

    registry = agent.core.registry
    registry.add_extension(Extension("toy", lambda call: Toy(), Toy.methods))
    registry.add_package(Package("toy", None))
    registry.add_method(Method("NOTIFY", by_event=True))
    registry.add_method(Method("SUBSCRIBE", accepted, by_event=True))
    registry.add_method(Method("REFER", accepted))
    agent.core.uas.hand_over("MESSAGE")


def called_bob() -> tuple[World, CoreAgent, ScriptedPeer, Response]:
    """Bob, who has registered everything, in a call that carol placed; and his 200."""
    world = World()
    bob = CoreAgent(world, "bob", ("192.0.2.2", 5060))
    carol = ScriptedPeer(world, "carol", ("192.0.2.3", 5060))
    register(bob)
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.accept()
    answer = carol.response
    carol.send(bob.address, carol.inside(answer, "ACK", 1))
    world.ladder()

    def act(event: object) -> None:
        if isinstance(event, OfferReceived):
            bob.session.accept_offer(ANSWER, world.now)
        elif isinstance(event, RequestReceived):
            event.received.respond(200, world.now)

    bob.on_event = act
    return world, bob, carol, answer


# --- the owner of a request ---

USAGES = ("a call", "a subscription", "both")
# One final answer, or none to an ACK, in a dialog with these usages. A SUBSCRIBE that belongs to no usage may
# begin one; a NOTIFY may not.
ANSWERS = {
    "OPTIONS": (200, 200, 200),
    "MESSAGE": (200, 200, 200),
    "REFER": (202, 202, 202),
    "NOTIFY": (481, 200, 200),
    "SUBSCRIBE": (202, 202, 202),
    "INFO": (200, 481, 200),
    "PRACK": (200, 481, 200),
    "UPDATE": (200, 481, 200),
    "INVITE": (200, 481, 200),
    "ACK": (None, None, None),
    "CANCEL": (481, 481, 481),
    "PUBLISH": (405, 405, 405),
    "REGISTER": (405, 405, 405),
    "NEWMETHOD": (501, 501, 501),
    "BYE": (200, 481, 200),
}


def dialog_with(usages: str) -> tuple[World, CoreAgent, ScriptedPeer, Response]:
    world, bob, carol, answer = called_bob()
    if usages != "a call":
        subscribed(bob, ("NOTIFY", "toy", None))
    if usages == "a subscription":
        carol.send(bob.address, carol.inside(answer, "BYE", 2))
    world.ladder()
    return world, bob, carol, answer


@pytest.mark.parametrize("usages", USAGES)
@pytest.mark.parametrize("method", ANSWERS)
def test_each_request_gets_one_final_answer_whatever_usages_there_are(method: str, usages: str) -> None:
    world, bob, carol, answer = dialog_with(usages)
    unmatched = bob.core.counters.unmatched
    carol.send(bob.address, carol.inside(answer, method, 3, headers=TOY))
    status = ANSWERS[method][USAGES.index(usages)]
    lines = [] if status is None else [f"bob -> carol {status} {reason(status)} [3 {method}]"]
    assert world.ladder(by="bob") == lines
    unowned = (status == 481 and method != "CANCEL") or (method == "ACK" and usages == "a subscription")
    assert bob.core.counters.unmatched - unmatched == unowned


@pytest.mark.parametrize("method", sorted(ANSWERS.keys() - {"ACK", "CANCEL"}))
def test_once_the_last_usage_is_gone_all_get_481_and_are_counted(method: str) -> None:
    world, bob, carol, answer = called_bob()
    carol.send(bob.address, carol.inside(answer, "BYE", 2))
    carol.send(bob.address, carol.inside(answer, method, 3, headers=TOY))
    assert world.ladder(by="bob") == ladder(f"""
        bob -> carol    200 OK [2 BYE]
        bob -> carol    481 Call/Transaction Does Not Exist [3 {method}]
    """)
    assert bob.core.counters.unmatched == 1


def test_a_reinvite_in_a_dialog_without_call_begins_none() -> None:
    _, bob, carol, answer = dialog_with("a subscription")
    told = list(bob.told)
    carol.send(bob.address, carol.inside(answer, "INVITE", 3, body=OFFER))
    assert (carol.response.status, bob.told) == (481, told)


def test_two_subscriptions_of_one_package_are_told_apart_by_id() -> None:
    world, bob, carol, answer = called_bob()
    first, second = subscribed(bob, ("NOTIFY", "toy", "1"), ("NOTIFY", "toy", "2"))
    for number, event in enumerate(["toy;id=2", "toy;id=1", "toy", "toy;id=3", "other;id=1"], 2):
        carol.send(bob.address, carol.inside(answer, "NOTIFY", number, headers=[("Event", event)]))
    carol.send(bob.address, carol.inside(answer, "NOTIFY", 7))
    carol.send(bob.address, carol.inside(answer, "BYE", 8))
    assert world.ladder(by="bob") == ladder("""
        bob -> carol    200 OK [2 NOTIFY]
        bob -> carol    200 OK [3 NOTIFY]
        bob -> carol    200 OK [4 NOTIFY]
        bob -> carol    481 Call/Transaction Does Not Exist [5 NOTIFY]
        bob -> carol    489 Bad Event [6 NOTIFY]
        bob -> carol    489 Bad Event [7 NOTIFY]
        bob -> carol    200 OK [8 BYE]
    """)
    assert (first.heard, second.heard) == (["NOTIFY", "NOTIFY"], ["NOTIFY"])


def test_a_key_without_id_finds_the_oldest_of_its_kind() -> None:
    _, bob, _, _ = called_bob()
    host = bob.session.usages
    first, second, other = subscribed(bob, ("NOTIFY", "toy", "1"), ("NOTIFY", "toy", "2"), "other")
    assert [
        host.find(("NOTIFY", "toy", None)),
        host.find(("NOTIFY", "toy", "2")),
        host.find(("NOTIFY", "toy", "3")),
        host.find(("SUBSCRIBE", "toy", None)),
        host.find(("NOTIFY", "presence", None)),
        host.find("other"),
        host.find(INVITE_USAGE),
        host.find(None),
    ] == [first, second, None, None, None, other, bob.session, None]
    host.remove(first)
    assert host.find(("NOTIFY", "toy", None)) is second
    (exact,) = subscribed(bob, ("NOTIFY", "toy", None))
    assert host.find(("NOTIFY", "toy", None)) is exact


def test_an_ack_belongs_to_the_call() -> None:
    _, bob, carol, answer = dialog_with("both")
    (subscription,) = [each for each in bob.session.usages._all() if isinstance(each, Subscription)]
    carol.send(bob.address, carol.inside(answer, "ACK", 3))
    assert (subscription.heard, bob.core.counters.unmatched) == ([], 0)


# --- CSeq (RFC 3261 §12.2.2) ---


@pytest.mark.parametrize("number", [7, 8, 1000, 2**31 - 1])
def test_a_higher_cseq_is_taken_whatever_the_gap(number: int) -> None:
    """The gap is made by requests that a proxy on the way has challenged."""
    world, bob, carol = called_by_peer()
    answer = carol.response
    carol.send(bob.address, carol.inside(answer, "OPTIONS", 6))
    carol.send(bob.address, carol.inside(answer, "OPTIONS", number))
    carol.send(bob.address, carol.inside(answer, "OPTIONS", number - 1))
    carol.send(bob.address, carol.inside(answer, "BYE", number))
    assert world.ladder(by="bob") == ladder(f"""
        bob -> carol    200 OK [6 OPTIONS]
        bob -> carol    200 OK [{number} OPTIONS]
        bob -> carol    500 Server Internal Error [{number - 1} OPTIONS]
        bob -> carol    200 OK [{number} BYE]
    """)


@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "INFO", "NOTIFY", "SUBSCRIBE", "MESSAGE"])
def test_a_lower_cseq_gets_500_and_changes_nothing(method: str) -> None:
    world, bob, carol, answer = called_bob()
    (subscription,) = subscribed(bob, ("NOTIFY", "toy", None))
    carol.send(bob.address, carol.inside(answer, "OPTIONS", 9))
    before, told = attrs.evolve(bob.session.dialog), list(bob.told)
    elsewhere = [("Contact", "<sip:carol@192.0.2.99>"), *TOY]
    body = OFFER if method == "INVITE" else b""
    carol.send(bob.address, carol.inside(answer, method, 8, headers=elsewhere, body=body))
    assert world.ladder(by="bob") == ladder(f"""
        bob -> carol    200 OK [9 OPTIONS]
        bob -> carol    500 Server Internal Error [8 {method}]
    """)
    assert (bob.session.dialog, bob.told, subscription.heard) == (before, told, [])
    assert bob.session.is_established


# --- the end ---


def test_a_subscription_outlives_the_bye_of_the_call_in_whose_dialog_it_stands() -> None:
    """RFC 5057 §4.1"""
    world, bob, carol, answer = called_bob()
    host = bob.session.usages
    (subscription,) = subscribed(bob, ("NOTIFY", "toy", None))
    carol.send(bob.address, carol.inside(answer, "BYE", 2))
    carol.send(bob.address, carol.inside(answer, "NOTIFY", 3, headers=TOY))
    host.send(host.draft("SUBSCRIBE", TOY, contact=True), NOBODY, world.now)
    carol.answer(carol.request, 200, None)
    assert world.ladder() == ladder("""
        carol -> bob    BYE sip:bob@192.0.2.2:5060 [2]
        bob -> carol    200 OK [2 BYE]
        carol -> bob    NOTIFY sip:bob@192.0.2.2:5060 [3]
        bob -> carol    200 OK [3 NOTIFY]
        bob -> carol    SUBSCRIBE sip:carol@192.0.2.3:5060 [1]
        carol -> bob    200 OK [1 SUBSCRIBE]
    """)
    assert (bob.last(Ended).by, subscription.heard, subscription.errors) == ("remote", ["NOTIFY"], [])
    world.settle()
    assert bob.leftovers == ["<DialogUsages [<Subscription>] of call-of-carol>"]


@pytest.mark.parametrize("last", ["call", "subscription"])
def test_the_dialog_is_over_with_its_last_usage_and_not_before(last: str) -> None:
    world, bob, carol, answer = called_bob()
    host = bob.session.usages
    (subscription,) = subscribed(bob, ("NOTIFY", "toy", None))
    if last == "call":
        host.remove(subscription)
        left = "<Session ESTABLISHED call-of-carol>"
    else:
        carol.send(bob.address, carol.inside(answer, "BYE", 2))
        left = "<Subscription>"
    world.run(60)
    assert bob.leftovers == [f"<DialogUsages [{left}] of call-of-carol>"]
    if last == "call":
        carol.send(bob.address, carol.inside(answer, "BYE", 2))
    else:
        host.remove(subscription)
    world.settle()
    assert bob.leftovers == []


def test_a_usage_that_is_over_twice_does_not_end_a_dialog_that_came_after_it() -> None:
    world, bob, carol, answer = called_bob()
    old, record = bob.session, bob.session.record(0.0)
    old.usages.remove(old)
    bob.core.resume(record, world.now)
    old.usages.remove(old)
    carol.send(bob.address, carol.inside(answer, "BYE", 2))
    assert world.ladder(by="bob") == ladder("bob -> carol 200 OK [2 BYE]")


def test_all_usages_are_told_when_the_peer_has_lost_the_dialog() -> None:
    """RFC 3261 §12.2.1.2: a 481 to a re-INVITE says that the dialog is gone."""
    world, alice, carol = called_peer()
    subscriptions = subscribed(alice, ("NOTIFY", "toy", "1"), ("NOTIFY", "toy", "2"))
    alice.session.reoffer(OFFER, world.now)
    carol.answer(carol.request, 481, None)
    carol.answer(carol.request, 481, None)
    world.settle()
    assert world.ladder() == ladder("""
        alice -> carol    INVITE sip:carol@192.0.2.3:5060 [2]
        carol -> alice    481 Call/Transaction Does Not Exist [2 INVITE]
        alice -> carol    ACK sip:carol@192.0.2.3:5060 [2]
        alice -> carol    BYE sip:carol@192.0.2.3:5060 [3]
        carol -> alice    481 Call/Transaction Does Not Exist [3 BYE]
    """)
    assert [len(each.errors) for each in subscriptions] == [1, 1]
    assert (alice.told, alice.leftovers) == (["Answered", "Ended"], [])


def test_what_is_lost_hears_of_it_in_order_and_once() -> None:
    world, bob, _, _ = called_bob()
    host = bob.session.usages
    first, second = subscribed(bob, ("NOTIFY", "toy", "1"), ("NOTIFY", "toy", "2"))
    host.lost(RemoteProtocolError("gone", 481), world.now)
    host.lost(RemoteProtocolError("gone again", 481), world.now)
    world.run()
    assert (bob.last(Ended).reason, first.errors, second.errors) == ("gone", ["gone"], ["gone"])


# --- the bound (issue: a ringing call counted twice) ---


def test_with_a_bound_of_four_four_calls_ring_and_the_fifth_gets_503() -> None:
    world = World()
    bob = CoreAgent(world, "bob", ("192.0.2.2", 5060), maximum_dialogs=4)
    carol = ScriptedPeer(world, "carol", ("192.0.2.3", 5060))
    for number in range(5):
        carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, call_id=f"call-{number}"))
        if number < 4:
            bob.invitation.progress(180, world.now)
    assert world.ladder(by="bob") == ladder(
        "bob -> carol 180 Ringing [1 INVITE]\n" * 4 + "bob -> carol 503 Service Unavailable [1 INVITE]"
    )
    assert bob.told == ["InvitationReceived"] * 4
    bob.invitation.refuse(486, world.now)
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, call_id="call-5"))
    assert bob.told == ["InvitationReceived"] * 5


def test_a_call_of_ours_that_rings_counts_once() -> None:
    world = World()
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060), maximum_dialogs=2)
    carol = ScriptedPeer(world, "carol", ("192.0.2.3", 5060))
    alice.call(carol.uri)
    carol.answer(carol.request, 180)
    carol.answer(carol.request, 183)
    carol.send(alice.address, carol.write("INVITE", alice.uri, body=OFFER, call_id="one"))
    carol.send(alice.address, carol.write("INVITE", alice.uri, body=OFFER, call_id="two"))
    assert [response.status for response in carol.responses] == [503]
    assert alice.told == ["Progressed", "Progressed", "InvitationReceived"]
