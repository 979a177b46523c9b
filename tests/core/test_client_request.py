"""The way of a request: names, addresses, flows, and the next address when one fails (RFC 3263 §4.3)."""

from __future__ import annotations

import pytest

from sipstack.core.events import Failed, OfferRefused, Refused, Unanswered
from sipstack.core.outputs import Address, Target
from sipstack.errors import CallEnded, FlowClosed, ResolutionError, TransactionTimeout, TransportError
from sipstack.testing.agent import ANSWER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World

ONE, TWO, THREE = (("198.51.100.1", 5060), ("198.51.100.2", 5060), ("198.51.100.3", 5060))
NAMES = {"example.com": [address[0] for address in (ONE, TWO, THREE)]}


def calling(
    *, icmp: bool = False, unreachable: tuple[Address, ...] = ()
) -> tuple[World, CoreAgent, ScriptedPeer, ScriptedPeer]:
    """Alice calls bob@example.com, a name with three addresses; peers sit at the second and third."""
    world = World(icmp=icmp)
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060))
    alice.names, alice.unreachable = NAMES, set(unreachable)
    two, three = ScriptedPeer(world, "two", TWO), ScriptedPeer(world, "three", THREE)
    return world, alice, two, three


# --- names ---


def test_a_name_without_an_address() -> None:
    world, alice, *_ = calling()
    alice.call("sip:bob@nowhere.example")
    world.settle()
    assert (world.ladder(), alice.told, alice.leftovers) == ([], ["Failed"], [])
    assert isinstance(alice.last(Failed).error, ResolutionError)
    assert {query.name for query in alice.questions} == {"nowhere.example", "_sip._udp.nowhere.example"}


@pytest.mark.parametrize("uri", ["tel:+15550100", "sip:", "sips:bob@192.0.2.2"])
def test_a_uri_that_leads_nowhere(uri: str) -> None:
    world, alice, *_ = calling()
    alice.core.standalone("OPTIONS", uri).start(world.now)
    world.settle()
    assert (world.ladder(), alice.told) == ([], ["Unanswered"])
    assert isinstance(alice.last(Unanswered).error, (ResolutionError, ValueError))


def test_a_proxy_takes_what_the_uri_itself_cannot_lead_to() -> None:
    world, alice, two, _ = calling()
    caller = CoreAgent(world, "carol", ("192.0.2.3", 5060), proxy="<sip:198.51.100.2;lr>")
    caller.core.standalone("OPTIONS", "tel:+15550100").start(world.now)
    assert two.request.start_line == "OPTIONS tel:+15550100 SIP/2.0"
    assert two.request.headers.raw("Route") == ("<sip:198.51.100.2;lr>",)


def test_one_look_up_serves_all_who_ask_it_meanwhile() -> None:
    world, alice, *_ = calling()
    for _ in range(3):
        alice.core.standalone("OPTIONS", "sip:example.com").start(world.now)
    world.run()
    assert [query.type for query in alice.questions] == ["NAPTR", "SRV", "AAAA", "A"]
    assert world.ladder() == ["alice -> 198.51.100.1:5060 OPTIONS sip:example.com [1]"] * 3


# --- failing over ---


def test_an_address_that_refuses_is_followed_by_the_next_with_a_new_branch() -> None:
    world, alice, two, _ = calling(icmp=True)
    alice.call("sip:bob@example.com")
    world.run()
    assert world.ladder() == ladder("""
        alice -> 198.51.100.1:5060    INVITE sip:bob@example.com [1]
        alice -> two                  INVITE sip:bob@example.com [1]
    """)
    first, second = (data for *_, data in world.sent)
    old, new = (data.split(b"branch=")[1].split(b"\r\n")[0] for data in (first, second))
    assert old != new
    assert first.replace(old, new) == second  # nothing else differs, the CSeq neither
    two.answer(two.request, 200, body=ANSWER)
    assert alice.told == ["Answered"]


def test_an_address_without_a_way_to_it_is_skipped() -> None:
    world, alice, _, three = calling(unreachable=(ONE, TWO))
    alice.call("sip:bob@example.com")
    three.answer(three.request, 486)
    assert world.ladder() == ladder("""
        alice -> three    INVITE sip:bob@example.com [1]
        three -> alice    486 Busy Here [1 INVITE]
        alice -> three    ACK sip:bob@example.com [1]
    """)
    assert alice.opened == [Target("UDP", address) for address in (ONE, TWO, THREE)]


def test_an_address_that_is_silent_is_followed_by_the_next_after_64_t1() -> None:
    world, alice, two, _ = calling()
    alice.core.standalone("OPTIONS", "sip:example.com").start(world.now)
    world.run(32)
    two.answer(two.request, 200)
    assert (alice.told, world.now) == (["ResponseReceived"], 32.0)


def test_503_is_followed_by_the_next_address() -> None:
    world, alice, two, three = calling(unreachable=(ONE,))
    alice.call("sip:bob@example.com")
    two.answer(two.request, 503)
    three.answer(three.request, 200, body=ANSWER)
    assert world.ladder() == ladder("""
        alice -> two      INVITE sip:bob@example.com [1]
        two -> alice      503 Service Unavailable [1 INVITE]
        alice -> two      ACK sip:bob@example.com [1]
        alice -> three    INVITE sip:bob@example.com [1]
        three -> alice    200 OK [1 INVITE]
        alice -> three    ACK sip:three@198.51.100.3:5060 [1]
    """)
    assert alice.told == ["Answered"]


def test_the_last_address_tells_the_outcome() -> None:
    world, alice, two, three = calling(unreachable=(ONE,))
    alice.call("sip:bob@example.com")
    two.answer(two.request, 503)
    three.answer(three.request, 503)
    assert (alice.told, alice.last(Refused).response.status) == (["Refused"], 503)


def test_no_address_answers() -> None:
    world, alice, *_ = calling(unreachable=(ONE, TWO, THREE))
    alice.call("sip:bob@example.com")
    world.settle()
    assert (world.ladder(), alice.told, alice.leftovers) == ([], ["Failed"], [])
    assert type(alice.last(Failed).error) is TransportError


def test_an_address_that_has_answered_is_kept() -> None:
    """A provisional response says that the server is alive."""
    world, alice, two, three = calling(unreachable=(ONE,))
    alice.call("sip:bob@example.com")
    invite = two.request
    two.answer(invite, 180)
    two.answer(invite, 503)
    world.settle()
    assert (three.heard, alice.told) == ([], ["Progressed", "Refused"])


def test_giving_up_between_two_addresses_is_heard_at_once() -> None:
    world, alice, two, three = calling(unreachable=(ONE,))
    outgoing = alice.call("sip:bob@example.com")
    invite = two.request
    outgoing.cancel(world.now)
    two.answer(invite, 503)
    world.settle()
    assert (three.heard, alice.told, alice.leftovers) == ([], ["Refused"], [])


def test_giving_up_while_the_name_is_looked_up() -> None:
    world, alice, *_ = calling()
    outgoing = alice.core.outgoing("sip:bob@example.com")
    outgoing.start(world.now)
    outgoing.cancel(world.now)
    world.settle()
    assert (world.ladder(), alice.told, alice.leftovers) == ([], ["Failed"], [])
    assert isinstance(alice.last(Failed).error, CallEnded)
    assert alice.opened == []


@pytest.mark.parametrize("unreachable", [(), (TWO,)])
def test_giving_up_while_the_flow_is_opened(unreachable: tuple[Address, ...]) -> None:
    world, alice, two, _ = calling(unreachable=unreachable)
    outgoing = alice.call("sip:bob@198.51.100.2")
    outgoing.cancel(world.now)
    world.settle()
    assert alice.opened == [Target("UDP", TWO)]
    assert (two.heard, alice.told, alice.leftovers) == ([], ["Failed"], [])


# --- inside a dialog ---


def test_a_dialog_finds_its_way_once() -> None:
    world, alice, two, _ = calling(unreachable=(ONE,))
    alice.call("sip:bob@example.com")
    two.answer(two.request, 200, contact="<sip:bob@example.com:5070>", body=ANSWER)
    alice.session.reoffer(b"v=0 hold", world.now)
    alice.session.hang_up(world.now)
    world.run()
    assert [query.type for query in alice.questions] == ["NAPTR", "SRV", "AAAA", "A"]


def test_a_dialog_looks_again_when_its_way_is_closed() -> None:
    world, alice, two, _ = calling(icmp=True, unreachable=(ONE,))
    alice.call("sip:bob@example.com")
    two.answer(two.request, 200, contact="<sip:bob@example.com:5070>", body=ANSWER)
    alice.session.reoffer(b"v=0 hold", world.now)
    world.run()
    alice.hang_up()
    world.settle()
    assert world.ladder(by="alice")[1:] == ladder("""
        alice -> 198.51.100.1:5070    ACK sip:bob@example.com:5070 [1]
        alice -> 198.51.100.1:5070    INVITE sip:bob@example.com:5070 [2]
        alice -> 198.51.100.1:5070    BYE sip:bob@example.com:5070 [3]
        alice -> 198.51.100.2:5070    BYE sip:bob@example.com:5070 [3]
        alice -> 198.51.100.3:5070    BYE sip:bob@example.com:5070 [3]
    """)
    assert (alice.told, alice.leftovers) == (["Answered", "OfferRefused", "Ended"], [])


def test_a_strict_router_takes_the_requests_of_the_dialog() -> None:
    """§12.2.1.1 and §8.1.2: the next hop is the Request-URI then."""
    world, alice, two, three = calling()
    alice.call("sip:bob@198.51.100.2")
    routes = [("Record-Route", "<sip:198.51.100.2;lr>"), ("Record-Route", "<sip:198.51.100.3>")]
    two.answer(two.request, 200, contact="<sip:bob@10.0.0.9>", headers=routes, body=ANSWER)
    assert world.ladder()[-1] == "alice -> three ACK sip:198.51.100.3 [1]"
    assert three.request.headers.raw("Route") == ("<sip:198.51.100.2;lr>", "<sip:bob@10.0.0.9>")


@pytest.mark.parametrize("ringing", [True, False])
def test_a_refused_datagram_ends_a_call_only_before_any_answer(ringing: bool) -> None:
    world, alice, two, _ = calling(unreachable=(ONE, THREE))
    alice.call("sip:bob@198.51.100.2")
    if ringing:
        two.answer(two.request, 180)
    world.run()
    alice.core.flow_failed(alice.flow(TWO), FlowClosed("connection refused"), world.now)
    world.run()
    assert alice.told == (["Progressed"] if ringing else ["Failed"])


def test_a_reinvite_that_is_not_delivered_leaves_the_call_as_it_was() -> None:
    """§8.1.3.1: a transport error is a 503; §14.1: then "the session parameters MUST remain unchanged"."""
    world, alice, two, _ = calling()
    alice.call("sip:bob@198.51.100.2")
    two.answer(two.request, 200, body=ANSWER)
    alice.session.reoffer(b"v=0 hold", world.now)
    world.run()
    alice.core.flow_failed(alice.flow(TWO), FlowClosed("connection refused"), world.now)
    world.settle()
    refused = alice.last(OfferRefused).response
    assert (alice.told, refused.status, refused.reason) == (
        ["Answered", "OfferRefused"],
        503,
        "connection refused",
    )
    alice.session.reoffer(b"v=0 hold", world.now)
    two.answer(two.request, 200, None, body=b"v=0 held")
    assert alice.told[2:] == ["OfferAnswered"]
    alice.hang_up()
    two.answer(two.request, 200, None)
    world.settle()
    assert alice.leftovers == []


def test_the_2xx_to_a_reinvite_that_was_only_said_to_be_lost_is_acknowledged() -> None:
    """Nobody verifies an ICMP error. The peer would end the call if it heard no ACK (§14.2)."""
    world, alice, two, _ = calling()
    alice.call("sip:bob@198.51.100.2")
    two.answer(two.request, 200, body=ANSWER)
    alice.session.reoffer(b"v=0 hold", world.now)
    reinvite = two.request
    alice.core.flow_failed(alice.flow(TWO), FlowClosed("connection refused"), world.now)
    for _ in range(2):
        two.answer(reinvite, 200, None, body=ANSWER)
    assert [(each.method, each.cseq.number) for each in two.requests[1:]] == [
        ("ACK", 1),
        ("INVITE", 2),
        ("ACK", 2),
        ("ACK", 2),
    ]
    assert (alice.told, alice.core.counters.unmatched) == (["Answered", "OfferRefused"], 0)
    future = reinvite.replace(headers=reinvite.headers.with_("CSeq", "9 INVITE"))
    two.send(alice.address, future.response(200))
    assert (two.methods[-1], len(two.requests), alice.core.counters.unmatched) == ("ACK", 5, 0)


def test_silence_is_a_timeout() -> None:
    world, alice, *_ = calling()
    alice.core.standalone("OPTIONS", "sip:198.51.100.1").start(world.now)
    world.settle()
    assert isinstance(alice.last(Unanswered).error, TransactionTimeout)


def test_its_repr_tells_what_is_on_its_way() -> None:
    world, alice, *_ = calling()
    alice.core.standalone("OPTIONS", "sip:example.com").start(world.now)
    assert alice.leftovers == ["<Route to sip:example.com>"]
