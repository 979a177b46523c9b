"""Octets in, octets out: what the endpoint does before and after any usage (RFC 3261 §8.1.3.3, §18.2)."""

from __future__ import annotations

from math import inf

import pytest

from sipstack.core.outputs import Target
from sipstack.core.router import MAXIMUM_FLOWS
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.simulation.pair import alice_and_bob


def bob_and_peer(address: tuple[str, int] = ("192.0.2.3", 5060)) -> tuple[World, CoreAgent, ScriptedPeer]:
    world = World()
    return world, CoreAgent(world, "bob", ("192.0.2.2", 5060)), ScriptedPeer(world, "carol", address)


def counted(agent: CoreAgent) -> tuple[int, int, int]:
    counters = agent.core.counters
    return counters.malformed, counters.unmatched, counters.overloaded


# --- octets that are no message ---

NOISE = {
    "nothing": b"",
    "zeros": b"\0" * 100,
    "text": b"hello\r\n\r\n",
    "HTTP": b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
    "a request without Via": b"OPTIONS sip:bob@192.0.2.2 SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n",
    "a request with a Via that cannot be read": b"OPTIONS sip:bob@192.0.2.2 SIP/2.0\r\nVia: x\r\n\r\n",
    "a response without Via": b"SIP/2.0 200 OK\r\nCSeq: 1 OPTIONS\r\n\r\n",
    "a response that breaks off": b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\n",
}


@pytest.mark.parametrize("data", NOISE.values(), ids=NOISE)
def test_noise_is_counted_and_dropped(data: bytes) -> None:
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, data)
    assert (carol.heard, counted(bob), bob.told, bob.leftovers) == ([], (1, 0, 0), [], [])


BROKEN = {
    "CSeq of another method": ([("CSeq", "1 INVITE")], 400),
    "CSeq that is no number": ([("CSeq", "one OPTIONS")], 400),
    "no Call-ID": ([("Call-ID", "-")], 400),
    "no From": ([("From", "-")], 400),
    "no To": ([("To", "-")], 400),
    "From that is no address": ([("From", "<sip:a")], 400),
    "two values of Content-Length": ([("Content-Length", "9999")], 400),
}


@pytest.mark.parametrize(("headers", "status"), BROKEN.values(), ids=BROKEN)
def test_a_broken_request_is_answered_and_forgotten(headers: list[tuple[str, str]], status: int) -> None:
    """RFC 4475 §3.1.2: with a Via that can be read, the sender can be told."""
    world, bob, carol = bob_and_peer()
    text = bytes(carol.write("OPTIONS", bob.uri, headers=headers))
    if headers[0][0] == "Content-Length":
        text = text.replace(b"Content-Length: 0", b"Content-Length: 9999")
    carol.send(bob.address, text)
    assert (carol.response.status, len(carol.heard)) == (status, 1)
    assert (counted(bob), bob.told, bob.leftovers) == ((1, 0, 0), [], [])


def test_another_version_of_sip_gets_505() -> None:
    _, bob, carol = bob_and_peer()
    carol.send(bob.address, bytes(carol.write("OPTIONS", bob.uri)).replace(b" SIP/2.0\r\n", b" SIP/3.0\r\n"))
    assert (carol.response.status, counted(bob)) == (505, (1, 0, 0))


def test_a_broken_ack_is_never_answered() -> None:
    _, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("ACK", bob.uri, headers=[("CSeq", "1 INVITE")]))
    assert (carol.heard, counted(bob)) == ([], (1, 0, 0))


def test_a_field_that_only_its_user_reads_is_answered_within_the_transaction() -> None:
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=[("Require", "a b")]))
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, branch=carol.branch))
    assert world.ladder(by="bob") == ["bob -> carol 400 Bad Request [1 INVITE]"] * 2
    assert (len(bob.core.transactions.servers), counted(bob)) == (1, (1, 0, 0))


# --- Via and the way back: §18.2.1, §18.2.2, RFC 3581 ---

STAMPED = {
    "as it is": ("192.0.2.3:5060;branch=z9hG4bK1", ""),
    "another host": ("10.0.0.1:5060;branch=z9hG4bK1", ";received=192.0.2.3"),
    "a name": ("pc.example.com;branch=z9hG4bK1", ";received=192.0.2.3"),
}


@pytest.mark.parametrize(("sent_by", "stamp"), STAMPED.values(), ids=STAMPED)
def test_the_source_address_is_noted_in_the_via(sent_by: str, stamp: str) -> None:
    _, bob, carol = bob_and_peer()
    via = f"SIP/2.0/UDP {sent_by}"
    carol.send(bob.address, carol.write("OPTIONS", bob.uri, headers=[("Via", via)]))
    assert carol.response.headers.get("Via") == via + stamp


def test_the_brackets_of_an_ipv6_address_make_no_difference() -> None:
    world = World()
    bob, carol = (
        CoreAgent(world, "bob", ("2001:db8::2", 5060)),
        ScriptedPeer(world, "carol", ("2001:db8::3", 5060)),
    )
    via = "SIP/2.0/UDP [2001:db8::3]:5060;branch=z9hG4bK1"
    carol.send(bob.address, carol.write("OPTIONS", "sip:bob@[2001:db8::2]", headers=[("Via", via)]))
    assert carol.response.headers.get("Via") == via


def test_rport_is_filled_in_and_the_response_goes_to_the_source_port() -> None:
    """RFC 3581 §4"""
    world, bob, carol = bob_and_peer(("192.0.2.3", 40000))
    for number, port in enumerate(["rport", "rport=9"], 1):
        via = f"SIP/2.0/UDP 192.0.2.3:5060;{port};branch=z9hG4bK{number}"
        carol.send(bob.address, carol.write("OPTIONS", bob.uri, headers=[("Via", via)], cseq=number))
        parameters = carol.response.via.parameters
        assert (parameters.get("received"), parameters.get("rport")) == ("192.0.2.3", "40000")
    assert len(carol.heard) == 2


def test_without_rport_the_response_goes_to_the_port_of_the_via() -> None:
    world, bob, carol = bob_and_peer(("192.0.2.3", 40000))
    via = [("Via", "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1")]
    carol.send(bob.address, carol.write("OPTIONS", bob.uri, headers=via))
    assert world.ladder() == ladder("""
        carol -> bob            OPTIONS sip:bob@192.0.2.2:5060 [1]
        bob -> 192.0.2.3:5070   200 OK [1 OPTIONS]
    """)


def test_the_vias_of_proxies_come_back_in_order() -> None:
    _, bob, carol = bob_and_peer()
    request = carol.write("OPTIONS", bob.uri, headers=[("Via", "SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK9")])
    below = ("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK2", "SIP/2.0/TCP 10.0.0.2:5062;branch=z9hG4bK1")
    for via in below:
        request = request.replace(headers=request.headers.append("Via", via))
    carol.send(bob.address, request)
    assert carol.response.headers.raw("Via") == ("SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK9", *below)


# --- what matches nothing ---


def test_a_request_for_a_dialog_that_is_not_ours_gets_481() -> None:
    _, bob, carol = bob_and_peer()
    for number, method in enumerate(["BYE", "OPTIONS", "INVITE", "INFO"], 1):
        request = carol.write(method, bob.uri, to="<sip:bob@example.com>;tag=unknown", cseq=number)
        carol.send(bob.address, request)
        assert carol.response.status == 481
    assert bob.told == []


def test_an_ack_that_nobody_waits_for_is_counted() -> None:
    _, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("ACK", bob.uri, to="<sip:bob@example.com>;tag=unknown"))
    assert (carol.heard, counted(bob)) == ([], (0, 1, 0))


def test_a_response_that_nobody_waits_for_is_counted() -> None:
    _, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("OPTIONS", bob.uri).response(200, to_tag="x"))
    assert (carol.heard, counted(bob)) == ([], (0, 1, 0))


def test_a_response_with_two_vias_was_never_meant_for_us() -> None:
    """§8.1.3.3"""
    _, bob, carol = bob_and_peer()
    bob.call(carol.uri)
    ok = carol.request.response(200, to_tag="c", headers=[("Contact", f"<{carol.uri}>")], body=ANSWER)
    second = ok.headers.append("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx")
    carol.send(bob.address, ok.replace(headers=second))
    assert (bob.told, counted(bob)) == ([], (0, 1, 0))


@pytest.mark.parametrize(("field", "value"), [("From", "<"), ("To", "<"), ("Call-ID", "a b")])
def test_a_response_whose_identity_cannot_be_read_is_dropped(field: str, value: str) -> None:
    _, bob, carol = bob_and_peer()
    bob.call(carol.uri)
    ok = carol.request.response(200, to_tag="c", headers=[("Contact", f"<{carol.uri}>")], body=ANSWER)
    carol.send(bob.address, ok.replace(headers=ok.headers.with_(field, value)))
    assert (bob.told, counted(bob)) == ([], (1, 0, 0))
    carol.send(bob.address, ok.replace(headers=ok.headers.with_("Content-Type", "application/sdp")))
    assert bob.told == ["Answered"]


# --- flows and time ---


def test_a_flow_is_asked_for_once_and_used_for_all() -> None:
    world = World()
    alice, bob = alice_and_bob(world)
    for _ in range(3):
        alice.core.standalone("OPTIONS", bob.uri).start(world.now)
    world.settle()
    alice.core.standalone("OPTIONS", bob.uri).start(world.now)
    world.settle()
    assert (alice.opened, alice.told) == ([Target("UDP", bob.address)], ["ResponseReceived"] * 4)


def test_an_idle_endpoint_waits_for_nothing() -> None:
    _, bob, _ = bob_and_peer()
    assert (bob.core.deadline, bob.leftovers) == (inf, [])
    bob.core.timeout(1000.0)
    assert not bob.core.outputs


def test_its_contact_names_its_user_and_the_flow() -> None:
    world = World()
    named = CoreAgent(world, "bob", ("192.0.2.2", 5060))
    nameless = CoreAgent(world, "x", ("2001:db8::1", 5070), user="")
    flows = [agent.flow(("192.0.2.9", 5060)) for agent in (named, nameless)]
    assert named.core.configuration.identity.contact(flows[0]) == "sip:bob@192.0.2.2:5060"
    assert nameless.core.configuration.identity.contact(flows[1]) == "sip:[2001:db8::1]:5070"


def test_leftovers_tell_what_is_alive() -> None:
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.invitation.progress(180, world.now)
    bob.core.standalone("OPTIONS", carol.uri).start(world.now)
    kinds = [line.split()[0].strip("<") for line in bob.leftovers]
    assert kinds == ["DialogUsages", "Route", "TransactionLayer", "IncomingInvite"]


def test_only_so_many_flows_are_remembered() -> None:
    world, bob, carol = bob_and_peer()
    first = Target("UDP", carol.address)
    for number in range(MAXIMUM_FLOWS + 1):
        target = Target("UDP", (carol.address[0], carol.address[1] + number))
        bob.core.flow_opened(target, bob.flow(target.address), world.now)
    bob.core.standalone("OPTIONS", carol.uri).start(world.now)
    world.run()
    assert bob.opened == [first]


def test_an_endpoint_may_call_itself() -> None:
    world = World()
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060))
    alice.call(alice.uri)
    world.run()
    session = alice.accept()
    world.run()
    session.hang_up(world.now)
    world.settle()
    assert world.ladder() == ladder("""
        alice -> alice    INVITE sip:alice@192.0.2.1:5060 [1]
        alice -> alice    200 OK [1 INVITE]
        alice -> alice    ACK sip:alice@192.0.2.1:5060 [1]
        alice -> alice    BYE sip:alice@192.0.2.1:5060 [1]
        alice -> alice    200 OK [1 BYE]
    """)
    assert (alice.told, alice.leftovers) == (
        ["InvitationReceived", "Answered", "Acknowledged", "Ended", "Ended"],
        [],
    )
