"""The toy event package: a subscription is a usage like any other, and no existing file knows of it."""

from __future__ import annotations

import pytest

from sipstack.core.events import Ended
from sipstack.core.registry import Package
from sipstack.message.digest import DigestAccount
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder, timed
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.simulation.pair import established
from tests.toys.event_package import (
    PACKAGE,
    Notified,
    Notifier,
    NotSubscribed,
    Subscriber,
    Subscription,
    watch,
)

ACTIVE = (("Event", "moon"), ("Subscription-State", "active;expires=600"))
OVER = (("Event", "moon"), ("Subscription-State", "terminated;reason=noresource"))


def alice_and_peer() -> tuple[World, CoreAgent, ScriptedPeer, Subscriber]:
    """Alice has subscribed to carol's moon; the SUBSCRIBE is not answered yet."""
    world = World()
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060))
    carol = ScriptedPeer(world, "carol", ("192.0.2.3", 5060))
    watch(alice.core)
    return world, alice, carol, subscribe(alice, carol.uri)


def bob_and_peer() -> tuple[World, CoreAgent, ScriptedPeer, Notifier]:
    """Bob is the moon's notifier."""
    world = World()
    bob = CoreAgent(world, "bob", ("192.0.2.2", 5060))
    carol = ScriptedPeer(world, "carol", ("192.0.2.3", 5060))
    return world, bob, carol, Notifier(bob.core)


def subscribe(agent: CoreAgent, target: str) -> Subscriber:
    subscriber = Subscriber(agent.core, target, agent.core.configuration.identity)
    subscriber.start(agent.world.now)
    return subscriber


def notify(
    carol: ScriptedPeer,
    cseq: int = 1,
    fields: tuple[tuple[str, str], ...] = ACTIVE,
    tag: str = "peer",
    contact: str = "",
) -> None:
    """Carol's NOTIFY in the dialog that the SUBSCRIBE makes."""
    heard = next(request for request in carol.requests if request.method == "SUBSCRIBE")
    target = str(heard.contacts[0].uri)
    ends = [
        ("From", f"<{heard.uri}>;tag={tag}"),
        ("To", heard.headers.get("From")),
        ("Call-ID", heard.call_id),
    ]
    where = [("Contact", contact or f"<{carol.uri}>")]
    headers = [*ends, *where, *fields]
    carol.send(("192.0.2.1", 5060), carol.write("NOTIFY", target, cseq=cseq, headers=headers))


def states(agent: CoreAgent) -> list[str]:
    return [event.state for event in agent.events if isinstance(event, Notified)]


# --- the subscriber, when things go wrong ---


@pytest.mark.parametrize("status", [403, 489, 503])
def test_a_subscribe_that_is_refused(status: int) -> None:
    world, alice, carol, _ = alice_and_peer()
    carol.answer(carol.request, status)
    notify(carol)
    assert carol.response.status == 481
    world.settle()
    assert (alice.told, alice.last(NotSubscribed).reason) == (["NotSubscribed"], str(status))
    assert alice.leftovers == []


def test_a_subscribe_that_nobody_answers() -> None:
    world, alice, _, _ = alice_and_peer()
    world.settle()
    assert (alice.told, alice.leftovers) == (["NotSubscribed"], [])


def test_no_notify_comes() -> None:
    """§4.1.2.4: Timer N"""
    world, alice, carol, _ = alice_and_peer()
    carol.answer(carol.request, 200)
    world.run(31.9)
    assert alice.events == []
    world.settle()
    assert (alice.last(NotSubscribed).reason, alice.leftovers) == ("no NOTIFY", [])


@pytest.mark.parametrize(
    ("fields", "contact", "status"),
    [
        ([("Event", "sun"), ACTIVE[1]], "", 489),
        ([ACTIVE[1]], "", 489),
        ([ACTIVE[0]], "", 400),
        (ACTIVE, "<tel:+1>", 400),
        (ACTIVE, "<sip:a@h>, <sip:b@h>", 400),
        ([("Event", "@"), ACTIVE[1]], "", 400),
    ],
)
def test_a_notify_that_makes_no_subscription(
    fields: list[tuple[str, str]], contact: str, status: int
) -> None:
    _, _, carol, _ = alice_and_peer()
    notify(carol, fields=tuple(fields), contact=contact)
    statuses = [response.status for response in carol.responses]
    assert statuses == ([481] if status == 489 else [status])


def test_another_request_before_the_dialog_is_there_is_481() -> None:
    _, alice, carol, _ = alice_and_peer()
    heard = carol.request
    ends = [("From", heard.headers.get("To") + ";tag=x"), ("To", heard.headers.get("From"))]  # type: ignore[operator]
    headers = [*ends, ("Call-ID", heard.call_id), *ACTIVE]
    carol.send(alice.address, carol.write("OPTIONS", alice.uri, headers=headers))
    assert (carol.response.status, alice.core.counters.unmatched) == (481, 1)


# --- the subscriber ---


def test_a_notify_that_overtakes_the_2xx_makes_the_dialog() -> None:
    """§4.4.1"""
    world, alice, carol, subscriber = alice_and_peer()
    notify(carol)
    carol.answer(carol.request, 200)
    notify(carol, 2)
    (subscription,) = subscriber.subscriptions
    subscription.subscribe(world.now)
    carol.answer(carol.request, 200, None)
    notify(carol, 3, OVER)
    notify(carol, 4)
    world.run(40)
    assert world.ladder() == ladder("""
        alice -> carol    SUBSCRIBE sip:carol@192.0.2.3:5060 [1]
        carol -> alice    NOTIFY sip:alice@192.0.2.1:5060 [1]
        alice -> carol    200 OK [1 NOTIFY]
        carol -> alice    200 OK [1 SUBSCRIBE]
        carol -> alice    NOTIFY sip:alice@192.0.2.1:5060 [2]
        alice -> carol    200 OK [2 NOTIFY]
        alice -> carol    SUBSCRIBE sip:carol@192.0.2.3:5060 [2]
        carol -> alice    200 OK [2 SUBSCRIBE]
        carol -> alice    NOTIFY sip:alice@192.0.2.1:5060 [3]
        alice -> carol    200 OK [3 NOTIFY]
        carol -> alice    NOTIFY sip:alice@192.0.2.1:5060 [4]
        alice -> carol    200 OK [4 NOTIFY]
    """)


def test_two_forks_notify_and_each_is_a_dialog_of_its_own() -> None:
    world, alice, carol, subscriber = alice_and_peer()
    dave = ScriptedPeer(world, "dave", ("192.0.2.4", 5060))
    notify(carol, 1, tag="one")
    carol.answer(carol.request, 200, "one")
    notify(carol, 7, tag="two", contact=f"<{dave.uri}>")
    world.ladder()
    first, second = subscriber.subscriptions
    first.subscribe(world.now)
    second.subscribe(world.now)
    carol.answer(carol.request, 200, None)
    dave.answer(dave.request, 200, None)
    assert world.ladder() == ladder("""
        alice -> carol    SUBSCRIBE sip:carol@192.0.2.3:5060 [2]
        alice -> dave    SUBSCRIBE sip:dave@192.0.2.4:5060 [2]
        carol -> alice    200 OK [2 SUBSCRIBE]
        dave -> alice    200 OK [2 SUBSCRIBE]
    """)
    assert (carol.request.to.tag, dave.request.to.tag) == ("one", "two")
    notify(carol, 2, OVER, tag="one")
    notify(carol, 6, tag="two")
    assert [response.status for response in carol.responses[-2:]] == [200, 500]
    notify(carol, 8, OVER, tag="two")
    world.settle()
    assert (states(alice), alice.leftovers) == (["active", "active", "noresource", "noresource"], [])


@pytest.mark.parametrize("status", [481, 500])
def test_a_refresh_that_is_refused_ends_the_subscription(status: int) -> None:
    world, alice, carol, subscriber = alice_and_peer()
    notify(carol)
    carol.answer(carol.request, 200)
    subscriber.subscriptions[0].subscribe(world.now)
    carol.answer(carol.request, status, None)
    world.settle()
    assert (states(alice), alice.leftovers) == (["active", str(status)], [])


# --- the notifier ---


@pytest.mark.parametrize("event", ["sun", "moon.winfo", "MOON"])
def test_another_package_is_489_and_told_which_there_are(event: str) -> None:
    world, bob, carol, _ = bob_and_peer()
    bob.core.registry.add_package(Package("tide", None))
    carol.send(bob.address, carol.write("SUBSCRIBE", bob.uri, headers=[("Event", event)]))
    assert (carol.response.status, carol.response.headers.get("Allow-Events")) == (489, "moon, tide")
    world.settle()
    assert bob.leftovers == []


def test_a_subscribe_without_contact_makes_no_dialog() -> None:
    world, bob, carol, _ = bob_and_peer()
    carol.send(bob.address, carol.write("SUBSCRIBE", bob.uri, headers=[("Event", "moon"), ("Contact", "-")]))
    world.settle()
    assert (carol.response.status, bob.leftovers) == (400, [])


def test_a_subscriber_that_does_not_know_the_subscription_ends_it() -> None:
    world, bob, carol, notifier = bob_and_peer()
    carol.send(bob.address, carol.write("SUBSCRIBE", bob.uri, headers=[("Event", "moon")]))
    carol.answer(carol.request, 481, None)
    world.settle()
    assert (notifier.watchers, bob.leftovers) == ([], [])


def test_a_subscription_that_is_not_refreshed_ends() -> None:
    world, bob, carol, _ = bob_and_peer()
    headers = [("Event", "moon"), ("Expires", "60"), ("Record-Route", "<sip:192.0.2.3;lr>")]
    carol.on_request = lambda request: [request.response(200)]
    carol.send(bob.address, carol.write("SUBSCRIBE", bob.uri, headers=headers))
    answer = next(response for response in carol.responses if response.cseq.method == "SUBSCRIBE")
    world.settle()
    assert world.timed_ladder() == timed("""
        0.0   carol -> bob    SUBSCRIBE sip:bob@192.0.2.2:5060 [1]
        0.0   bob -> carol    200 OK [1 SUBSCRIBE]
        0.0   bob -> carol    NOTIFY sip:carol@192.0.2.3:5060 [1]
        0.0   carol -> bob    200 OK [1 NOTIFY]
        60.0  bob -> carol    NOTIFY sip:carol@192.0.2.3:5060 [2]
        60.0  carol -> bob    200 OK [2 NOTIFY]
    """)
    assert (answer.headers.get("Record-Route"), answer.headers.get("Expires")) == ("<sip:192.0.2.3;lr>", "60")
    assert carol.request.headers.get("Subscription-State") == "terminated;reason=timeout"
    assert (carol.request.headers.get("Route"), bob.leftovers) == ("<sip:192.0.2.3;lr>", [])


# --- both ---


def moon() -> tuple[World, CoreAgent, CoreAgent, Notifier]:
    world = World()
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060))
    bob = CoreAgent(world, "bob", ("192.0.2.2", 5060))
    watch(alice.core)
    return world, alice, bob, Notifier(bob.core)


def test_a_subscription_from_beginning_to_end() -> None:
    world, alice, bob, notifier = moon()
    subscriber = subscribe(alice, bob.uri)
    world.run(300)
    notifier.watchers[0].notify(world.now, b"full")
    world.run(200)
    subscriber.subscriptions[0].subscribe(world.now)
    world.run(500)
    subscriber.subscriptions[0].unsubscribe(world.now)
    world.settle()
    assert world.timed_ladder() == timed("""
        0.0     alice -> bob    SUBSCRIBE sip:bob@192.0.2.2:5060 [1]
        0.0     bob -> alice    200 OK [1 SUBSCRIBE]
        0.0     bob -> alice    NOTIFY sip:alice@192.0.2.1:5060 [1]
        0.0     alice -> bob    200 OK [1 NOTIFY]
        300.0   bob -> alice    NOTIFY sip:alice@192.0.2.1:5060 [2]
        300.0   alice -> bob    200 OK [2 NOTIFY]
        500.0   alice -> bob    SUBSCRIBE sip:bob@192.0.2.2:5060 [2]
        500.0   bob -> alice    200 OK [2 SUBSCRIBE]
        500.0   bob -> alice    NOTIFY sip:alice@192.0.2.1:5060 [3]
        500.0   alice -> bob    200 OK [3 NOTIFY]
        1000.0  alice -> bob    SUBSCRIBE sip:bob@192.0.2.2:5060 [3]
        1000.0  bob -> alice    200 OK [3 SUBSCRIBE]
        1000.0  bob -> alice    NOTIFY sip:alice@192.0.2.1:5060 [4]
        1000.0  alice -> bob    200 OK [4 NOTIFY]
    """)
    heard = [(event.state, event.body) for event in alice.events if isinstance(event, Notified)]
    assert heard == [("active", b"waxing"), ("active", b"full"), ("active", b"waxing"), ("timeout", b"")]
    assert (alice.leftovers, bob.leftovers) == ([], [])


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_a_subscription_in_the_dialog_of_a_call_and_the_call_ends_first(who: str) -> None:
    """RFC 5057 §4.1: two usages share From, To, Call-ID, CSeq; each ends for itself."""
    world = World()
    alice, bob = established(world)
    watch(alice.core)
    Notifier(bob.core)
    subscription = Subscription(alice.core, alice.session.usages, 600, "7")
    subscription.subscribe(world.now)
    world.run()
    caller = alice if who == "alice" else bob
    caller.hang_up()
    world.run()
    subscription.subscribe(world.now)
    world.run(100)
    assert [line for line in world.ladder() if "BYE" not in line] == ladder(f"""
        alice -> bob    SUBSCRIBE sip:bob@192.0.2.2:5060 [2]
        bob -> alice    200 OK [2 SUBSCRIBE]
        bob -> alice    NOTIFY sip:alice@192.0.2.1:5060 [1]
        alice -> bob    200 OK [1 NOTIFY]
        alice -> bob    SUBSCRIBE sip:bob@192.0.2.2:5060 [{4 if who == "alice" else 3}]
        bob -> alice    200 OK [{4 if who == "alice" else 3} SUBSCRIBE]
        bob -> alice    NOTIFY sip:alice@192.0.2.1:5060 [{2 if who == "alice" else 3}]
        alice -> bob    200 OK [{2 if who == "alice" else 3} NOTIFY]
    """)
    assert (alice.last(Ended).by == "local", bob.last(Ended).by == "local") == (who == "alice", who == "bob")
    assert (len(alice.leftovers), len(bob.leftovers)) == (1, 2)  # with the deadline of the notifier
    subscription.unsubscribe(world.now)
    world.settle()
    assert (alice.leftovers, bob.leftovers) == ([], [])


def test_the_subscription_ends_first_and_the_call_goes_on() -> None:
    world = World()
    alice, bob = established(world)
    watch(alice.core)
    notifier = Notifier(bob.core)
    Subscription(alice.core, alice.session.usages, 600).subscribe(world.now)
    world.run()
    notifier.watchers[0].end("giveup", world.now)
    world.run(40)
    assert states(alice) == ["active", "giveup"]
    alice.session.reoffer(OFFER, world.now)
    world.run()
    bob.session.accept_offer(ANSWER, world.now)
    world.run()
    alice.hang_up()
    world.settle()
    assert (bob.last(Ended).by, alice.leftovers, bob.leftovers) == ("remote", [], [])


def test_what_is_announced() -> None:
    _, alice, bob, _ = moon()
    assert [dict(agent.core.registry.fields) for agent in (alice, bob)] == [
        {"Allow": "ACK, BYE, CANCEL, INVITE, NOTIFY, OPTIONS", "Allow-Events": PACKAGE},
        {"Allow": "ACK, BYE, CANCEL, INVITE, OPTIONS, SUBSCRIBE", "Allow-Events": PACKAGE},
    ]


def test_the_dialog_goes_on_from_the_subscribe_that_was_let_in_and_by_the_way_of_the_notify() -> None:
    """CSeq counts from the SUBSCRIBE with credentials (§12.2.1.1), the routes are the NOTIFY's (§12.1.1)."""
    world = World()
    account = DigestAccount("alice", "secret")
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060), account=account)
    carol = ScriptedPeer(world, "carol", ("192.0.2.3", 5060))
    watch(alice.core)
    subscriber = subscribe(alice, carol.uri)
    carol.answer(carol.request, 401, headers=[("WWW-Authenticate", 'Digest realm="moon", nonce="1"')])
    routes = "<sip:192.0.2.3;lr>, <sip:p2.test;lr>"
    notify(carol, fields=(*ACTIVE, ("Record-Route", routes)), contact="<sip:carol@192.0.2.33>")
    carol.answer(carol.request, 200)
    subscriber.subscriptions[0].subscribe(world.now)
    assert ", ".join(carol.request.headers.raw("Route")) == routes
    assert world.ladder(by="alice") == ladder("""
        alice -> carol    SUBSCRIBE sip:carol@192.0.2.3:5060 [1]
        alice -> carol    SUBSCRIBE sip:carol@192.0.2.3:5060 [2]
        alice -> carol    200 OK [1 NOTIFY]
        alice -> carol    SUBSCRIBE sip:carol@192.0.2.33 [3]
    """)
