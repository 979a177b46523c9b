"""How a request is inspected, and which methods need no usage (RFC 3261 §8.2, §11.2)."""

from __future__ import annotations

import pytest

from sipstack.testing.agent import OFFER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World

ALLOW = ("ACK", "BYE", "CANCEL", "INVITE", "OPTIONS")


def bob_and_peer(**configuration: object) -> tuple[World, CoreAgent, ScriptedPeer]:
    world = World()
    bob = CoreAgent(world, "bob", ("192.0.2.2", 5060), **configuration)
    return world, bob, ScriptedPeer(world, "carol", ("192.0.2.3", 5060))


REFUSED = {
    "a method that nobody knows": ("NEWMETHOD", {}, b"", 501),
    "a method that is another word for INVITE": ("invite", {}, OFFER, 501),
    "a method that we do not serve": ("REGISTER", {}, b"", 405),
    "a method of dialogs": ("INFO", {}, b"", 405),
    "a BYE for a call that is gone": ("BYE", {}, b"", 481),
    "an extension that we lack": ("OPTIONS", {"Require": "foo"}, b"", 420),
    "a body that is not SDP": ("INVITE", {"Content-Type": "text/plain"}, b"hello", 415),
    "a packed body": ("INVITE", {"Content-Encoding": "gzip"}, OFFER, 415),
    "no SDP wanted in the answer": ("INVITE", {"Accept": "text/plain"}, b"", 406),
    "no Contact": ("INVITE", {"Contact": "-"}, OFFER, 400),
    "two Contacts": ("INVITE", {"Contact": "<sip:a@h>, <sip:b@h>"}, OFFER, 400),
    "a Contact that is no URI": ("INVITE", {"Contact": "<sip:>"}, OFFER, 400),
    "a Contact that is no SIP URI": ("INVITE", {"Contact": "<tel:+1>"}, OFFER, 400),
    "a Record-Route that is no route": ("INVITE", {"Record-Route": "<"}, OFFER, 400),
    "a Require that is no token": ("OPTIONS", {"Require": "@"}, b"", 400),
}


@pytest.mark.parametrize(("method", "headers", "body", "status"), REFUSED.values(), ids=REFUSED)
def test_refused(method: str, headers: dict[str, str], body: bytes, status: int) -> None:
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write(method, bob.uri, headers=headers.items(), body=body))
    assert (carol.response.status, bob.told, len(carol.heard)) == (status, [], 1)
    assert carol.response.to.tag is not None
    if method.upper() == "INVITE":
        carol.send(bob.address, carol.write("ACK", bob.uri, branch=carol.branch))
    world.settle()
    assert bob.leftovers == []


def test_a_request_uri_that_is_no_sip_uri() -> None:
    world, bob, carol = bob_and_peer()
    for number, uri in enumerate(["tel:+15550100", "mailto:bob@example.com"], 1):
        carol.send(bob.address, carol.write("OPTIONS", uri, cseq=number))
    assert world.ladder(by="bob") == ladder("""
        bob -> carol    416 Unsupported URI Scheme [1 OPTIONS]
        bob -> carol    416 Unsupported URI Scheme [2 OPTIONS]
    """)


def test_405_tells_what_is_allowed_and_420_what_is_not_supported() -> None:
    _, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("SUBSCRIBE", bob.uri))
    assert (carol.response.status, carol.response.allow) == (405, ALLOW)
    require = [("Require", "foo, 100rel")]
    carol.send(bob.address, carol.write("OPTIONS", bob.uri, headers=require, cseq=2))
    assert (carol.response.status, carol.response.headers.get("Unsupported")) == (420, "foo, 100rel")


def test_options_are_answered_with_all_that_we_can() -> None:
    _, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("OPTIONS", bob.uri))
    response, headers = carol.response, carol.response.headers
    assert (response.status, response.allow) == (200, ALLOW)
    assert (headers.get("Accept"), headers.get("Accept-Encoding")) == ("application/sdp", "identity")
    assert bob.told == []


def test_what_is_announced_is_what_is_answered() -> None:
    """Each method of Allow is served somehow, and none other."""
    _, bob, carol = bob_and_peer()
    asked = ["BYE", "INFO", "INVITE", "MESSAGE", "OPTIONS", "PRACK", "REFER", "REGISTER", "UPDATE"]
    served = []
    for number, method in enumerate(asked, 1):
        carol.send(bob.address, carol.write(method, bob.uri, cseq=number))
        if method == "INVITE":
            bob.invitation.refuse(486, 0.0)
        if carol.response.status != 405:
            served.append(method)
    assert ("ACK", "CANCEL", *served) == ("ACK", "CANCEL", "BYE", "INVITE", "OPTIONS")


def test_a_message_that_nobody_takes_is_refused() -> None:
    """RFC 3428 §7: 200 would say that it was delivered."""
    _, bob, carol = bob_and_peer()
    text = carol.write("MESSAGE", bob.uri, headers=[("Content-Type", "text/plain")], body=b"hello")
    carol.send(bob.address, text)
    assert (carol.response.status, carol.response.allow, bob.told) == (405, ALLOW, [])


def test_the_same_request_by_two_ways_is_a_merged_one() -> None:
    """§8.2.2.2"""
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, call_id="another"))
    assert world.ladder() == ladder("""
        carol -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        carol -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        bob -> carol    482 Loop Detected [1 INVITE]
        carol -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
    """)
    assert bob.told == ["InvitationReceived"] * 2


def test_a_call_more_than_configured_is_refused_for_now() -> None:
    _, bob, carol = bob_and_peer(maximum_dialogs=1)
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, call_id="another"))
    assert (carol.response.status, carol.response.headers.get("Retry-After")) == (503, "10")
    carol.send(bob.address, carol.write("OPTIONS", bob.uri, cseq=3))
    assert (carol.response.status, bob.told) == (200, ["InvitationReceived"])


def test_a_flood_is_refused_without_remembering_it_and_what_is_under_way_goes_on() -> None:
    world, bob, carol = bob_and_peer(maximum_transactions=1)
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, branch="z9hG4bKone"))
    bob.invitation.progress(180, world.now)
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, call_id="another"))
    carol.send(bob.address, carol.write("OPTIONS", bob.uri, cseq=2))
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, branch="z9hG4bKone"))
    assert world.ladder(by="bob") == ladder("""
        bob -> carol    180 Ringing [1 INVITE]
        bob -> carol    503 Service Unavailable [1 INVITE]
        bob -> carol    503 Service Unavailable [2 OPTIONS]
        bob -> carol    180 Ringing [1 INVITE]
    """)
    assert (bob.core.counters.overloaded, len(bob.core.transactions.servers)) == (2, 1)
