"""Tables that fill: who is refused with 503, and who is not (RFC 3261 §21.5.4)."""

from __future__ import annotations

import pytest

from sipstack.core.admission import CROWD, Unacknowledged, has_room, network_of
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.toys.event_package import PACKAGE, Notifier


def bob_and_peers(**configuration: object) -> tuple[World, CoreAgent, ScriptedPeer, ScriptedPeer]:
    world = World()
    bob = CoreAgent(world, "bob", ("192.0.2.2", 5060), **configuration)
    flood = ScriptedPeer(world, "flood", ("192.0.2.66", 5060))
    return world, bob, flood, ScriptedPeer(world, "carol", ("192.0.2.3", 5060))


def invite(peer: ScriptedPeer, bob: CoreAgent, call_id: str) -> int:
    """Send one and return how it was answered, if bob answers by himself."""
    peer.send(bob.address, peer.write("INVITE", bob.uri, body=OFFER, call_id=call_id))
    return peer.response.status if peer.responses else 0


# --- the rule ---


@pytest.mark.parametrize(
    ("size", "held", "counted", "taken"),
    [
        (0, 0, 0, True),
        (69, 69, 69, True),  # alone, below seven eighths
        (70, 70, 70, False),  # alone, in the last eighth
        (70, 0, 70, True),
        (70, 35, 70, True),
        (70, 36, 70, False),
        (79, 1, 79, True),
        (80, 0, 80, False),  # full
    ],
)
def test_the_last_eighth_is_for_those_who_do_not_hold_most(
    size: int, held: int, counted: int, taken: bool
) -> None:
    assert has_room(size, 80, held, counted) is taken


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2"),
        ("2001:db8::1", "2001:db8:0:0"),
        ("2001:db8:1:2::", "2001:db8:1:2"),
        ("::1", "0:0:0:0"),
        ("fe80::1", "fe80:0:0:0"),
    ],
)
def test_one_source_is_an_address_or_an_ipv6_network(host: str, network: str) -> None:
    assert network_of(host) == network


# --- calls ---


def test_a_source_that_holds_most_calls_leaves_room_for_others() -> None:
    _, bob, flood, carol = bob_and_peers(maximum_dialogs=16)
    answers = []
    for number in range(20):
        flood.send(bob.address, flood.write("INVITE", bob.uri, body=OFFER, call_id=f"f{number}"))
        if bob.invitation.request.call_id == f"f{number}":
            bob.accept()
        answers.append(flood.response.status)
    assert answers == [200] * 14 + [503] * 6
    assert invite(carol, bob, "one") == 0  # bob's user has it
    bob.accept()
    assert carol.response.status == 200
    assert bob.core.counters.overloaded == 6


def test_subscriptions_and_calls_of_one_source_share_its_bound() -> None:
    """Whatever begins a dialog asks whether there is room, be it a toy's method."""
    _, bob, flood, carol = bob_and_peers(maximum_dialogs=16)
    Notifier(bob.core)
    moon = [("Event", PACKAGE)]
    answers = []
    for number in range(20):
        flood.send(bob.address, flood.write("SUBSCRIBE", bob.uri, call_id=f"f{number}", headers=moon))
        answers.append([each for each in flood.responses if each.cseq.method == "SUBSCRIBE"][-1])
    assert [each.status for each in answers] == [200] * 14 + [503] * 6
    assert answers[-1].headers.get("Retry-After") == "10"
    assert invite(flood, bob, "call") == 503
    assert bob.core.counters.overloaded == 7
    assert invite(carol, bob, "one") == 0  # bob's user has it
    bob.accept()
    assert carol.response.status == 200


def test_calls_that_end_make_room() -> None:
    _, bob, flood, _ = bob_and_peers(maximum_dialogs=1)
    invite(flood, bob, "one")
    session = bob.accept()
    flood.send(bob.address, flood.inside(flood.response, "ACK", 1))
    assert invite(flood, bob, "two") == 503
    flood.send(bob.address, flood.inside(flood.responses[0], "BYE", 2))
    assert not session.is_alive
    flood.send(bob.address, flood.write("INVITE", bob.uri, body=OFFER, call_id="three"))
    assert bob.invitation.request.call_id == "three"


# --- INVITEs without ACK ---


def test_invites_without_ack_are_bounded_for_one_source_and_the_others_call_on() -> None:
    world, bob, flood, carol = bob_and_peers(maximum_unacknowledged=16)
    for number in range(20):
        flood.send(bob.address, flood.write("INVITE", bob.uri, body=OFFER, call_id=f"f{number}"))
        if bob.invitation.request.call_id == f"f{number}":
            bob.accept()
    assert [each.status for each in flood.responses].count(503) == 6
    assert invite(carol, bob, "one") == 0
    bob.accept()
    assert carol.response.status == 200
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    world.settle()  # 64*T1: the flood is forgotten, and its calls are ended
    assert len(bob.leftovers) == 1  # carol's call
    flood.send(bob.address, flood.write("INVITE", bob.uri, body=OFFER, call_id="later"))
    assert bob.invitation.request.call_id == "later"


def test_an_ack_makes_room_and_one_that_matches_nothing_does_not() -> None:
    _, bob, flood, _ = bob_and_peers(maximum_unacknowledged=1)
    flood.send(bob.address, flood.write("INVITE", bob.uri, body=OFFER, call_id="one"))
    bob.accept()
    accepted = flood.response
    flood.send(bob.address, flood.write("ACK", bob.uri, call_id="one"))
    assert invite(flood, bob, "two") == 503
    flood.send(bob.address, flood.inside(accepted, "ACK", 1))
    flood.send(bob.address, flood.write("INVITE", bob.uri, body=OFFER, call_id="three"))
    assert bob.invitation.request.call_id == "three"


def test_a_call_id_that_is_repeated_does_not_keep_the_others_in_the_table() -> None:
    waiting = Unacknowledged(8, timeout=32.0)
    assert waiting.enter("again", "192.0.2.1", 0.0)
    for number in range(6):
        assert waiting.enter(f"{number}", "192.0.2.1", 1.0)
    assert waiting.enter("again", "192.0.2.1", 31.0)
    assert not waiting.enter("new", "192.0.2.1", 31.0)
    assert waiting.enter("new", "192.0.2.1", 34.0)
    assert list(waiting.invites) == ["new"]


# --- transactions: live calls come first ---


def test_what_belongs_to_a_live_call_is_served_beyond_the_bound() -> None:
    world, bob, flood, carol = bob_and_peers(maximum_transactions=8)
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, call_id="one", branch="z9hG4bKone"))
    bob.accept()
    accepted = carol.response
    carol.send(bob.address, carol.inside(accepted, "ACK", 1))
    ringing = carol.write("INVITE", bob.uri, body=OFFER, call_id="two", branch="z9hG4bKtwo")
    carol.send(bob.address, ringing)
    for number in range(10):
        flood.send(bob.address, flood.write("OPTIONS", bob.uri, call_id=f"f{number}"))
    carol.send(bob.address, carol.write("OPTIONS", bob.uri, call_id="new", cseq=7))
    carol.send(bob.address, carol.inside(accepted, "INVITE", cseq=2, body=OFFER))
    bob.session.accept_offer(ANSWER, world.now)
    carol.send(bob.address, carol.inside(accepted, "BYE", cseq=3))
    carol.send(bob.address, carol.write("CANCEL", bob.uri, call_id="two", branch="z9hG4bKtwo"))
    assert world.ladder(by="bob")[-5:] == ladder("""
        bob -> carol    503 Service Unavailable [7 OPTIONS]
        bob -> carol    200 OK [2 INVITE]
        bob -> carol    200 OK [3 BYE]
        bob -> carol    200 OK [1 CANCEL]
        bob -> carol    487 Request Terminated [1 INVITE]
    """)


def test_a_flood_inside_of_one_call_is_bounded_too() -> None:
    _, bob, _, carol = bob_and_peers(maximum_transactions=8)
    invite(carol, bob, "one")
    bob.accept()
    accepted = carol.response
    for number in range(2, 100):
        carol.send(bob.address, carol.inside(accepted, "OPTIONS", cseq=number))
    assert len(bob.core.transactions.servers) == 8 + 64


def test_in_a_crowd_what_can_be_answered_again_is_not_remembered() -> None:
    world, bob, flood, _ = bob_and_peers()
    requests = [
        flood.write("OPTIONS", bob.uri, call_id=f"f{number}", branch=f"z9hG4bKf{number}")
        for number in range(CROWD + 100)
    ]
    for request in requests:
        bob.core.receive(bob.flow(flood.address), bytes(request), world.now)
    world.run(1.0)
    assert len(bob.core.transactions.servers) == CROWD
    assert [response.status for response in flood.responses] == [200] * len(requests)
    flood.send(bob.address, requests[-1])
    assert (flood.response.status, len(flood.responses)) == (200, len(requests) + 1)
    assert bob.core.counters.overloaded == 0


def test_in_a_crowd_a_request_for_the_application_is_remembered_as_ever() -> None:
    _, bob, flood, carol = bob_and_peers(maximum_transactions=64)
    bob.core.uas.hand_over("MESSAGE")
    for number in range(50):
        flood.send(bob.address, flood.write("MESSAGE", bob.uri, call_id=f"f{number}"))
    message = carol.write("MESSAGE", bob.uri, call_id="m", branch="z9hG4bKm")
    carol.send(bob.address, message)
    carol.send(bob.address, message)
    assert bob.told == ["RequestReceived"] * 51


# --- every method ---

METHODS = [
    *("INVITE", "BYE", "UPDATE", "INFO", "REFER", "PRACK", "NOTIFY", "SUBSCRIBE"),
    *("MESSAGE", "PUBLISH", "OPTIONS", "REGISTER", "X-NEW"),
]
NEEDS = [("Event", "x"), ("RAck", "1 1 INVITE"), ("Refer-To", "<sip:carol@carol.test>")]


@pytest.mark.parametrize("method", METHODS)
def test_a_full_table_refuses_every_method_and_serves_the_call(method: str) -> None:
    """Outside of dialogs, and in one that is invented; the call that is there goes on with all of them."""
    _, bob, flood, carol = bob_and_peers(maximum_transactions=64)
    invite(carol, bob, "the-call")
    bob.accept()
    accepted = carol.response
    carol.send(bob.address, carol.inside(accepted, "ACK", 1))
    tags = ["", f"<{bob.uri}>;tag=invented"]
    for number in range(200):
        parts = {"call_id": f"c{number}", "to": tags[number % 2], "headers": NEEDS}
        flood.send(bob.address, flood.write(method, bob.uri, **parts))  # type: ignore[arg-type]
    assert flood.response.status == 503
    assert len(bob.core.transactions) <= 64 + 64
    assert bob.core.counters.overloaded > 100
    if method != "BYE":
        carol.send(bob.address, carol.inside(accepted, method, 2, headers=NEEDS))
        assert carol.response.status != 503
    carol.send(bob.address, carol.inside(accepted, "BYE", 3))
    assert [each.status for each in carol.responses if each.cseq.method == "BYE"] == [200]
