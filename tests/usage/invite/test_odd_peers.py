"""What peers write that the grammar forbids and a user agent only gives back: the call goes on."""

from __future__ import annotations

import pytest

from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World

ALICE, BOB = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
CONTACTS = {
    "a parameter with quotes (a deployed phone)": '<sip:192.0.2.2;thinfo="VG8+PoI=">',
    "a URI parameter twice": "<sip:bob@192.0.2.2;nat=yes;nat=yes>",
    "a URI parameter with two values": "<sip:bob@192.0.2.2;x=a;x=b>",
    "no user before the @": "<sip:@192.0.2.2>",
    "a semicolon at the end of the URI": "<sip:bob@192.0.2.2;ob;>",
    "a semicolon at the end of the field": "<sip:bob@192.0.2.2>;",
    "a comma at the end of the field": "<sip:bob@192.0.2.2>,",
    "a header without value": "<sip:bob@192.0.2.2?x>",
}
ROUTES = {
    "a comma at the end": "<sip:192.0.2.2;lr>,",
    "a URI parameter twice": "<sip:192.0.2.2;lr;nat=yes;nat=yes>",
    "a parameter with quotes": '<sip:192.0.2.2;lr;x="a,b">',
    "a semicolon at the end": "<sip:192.0.2.2;lr>;",
    "no user": "<sip:@192.0.2.2;lr>",
}
FIELDS = {
    "an Expires that is a word": {"Expires": "never"},
    "an Expires that is a date": {"Expires": "Thu, 24 May 2018 05:52:55 GMT"},
    "an Expires with a fraction": {"Expires": "60.5"},
    "a semicolon at the end of From": {"From": "<sip:bob@example.com>;tag=peer;"},
    "a semicolon at the end of To": {"To": "<sip:alice@192.0.2.1:5060>;"},
    "no user in From": {"From": "<sip:@example.com>;tag=peer"},
    "a tag twice": {"From": "<sip:bob@example.com>;tag=peer;tag=peer"},
    "a Call-ID with two @": {"Call-ID": "a@b@c"},
    "a Supported that is none": {"Supported": "a b, timer"},
    "no Content-Type": {"Content-Type": "-"},
}


def uri_of(field: str) -> str:
    return field[1 : field.index(">")]


def called(**headers: str) -> tuple[World, CoreAgent, ScriptedPeer]:
    """Bob has called alice, who has accepted."""
    world = World()
    alice, bob = CoreAgent(world, "alice", ALICE), ScriptedPeer(world, "bob", BOB)
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    bob.send(ALICE, bob.write("INVITE", alice.uri, body=OFFER, headers=fields))
    assert alice.told == ["InvitationReceived"], bob.response
    alice.accept()
    bob.send(ALICE, bob.inside(bob.response, "ACK", 1))
    return world, alice, bob


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_an_invite_with_an_odd_field_is_a_call(fields: dict[str, str]) -> None:
    world, alice, bob = called(**fields)
    bob.send(ALICE, bob.inside(bob.responses[0], "BYE", 2))
    world.settle()
    statuses = [response.status for response in bob.responses]
    assert (statuses, alice.told[-1], alice.leftovers) == ([200, 200], "Ended", [])
    assert alice.invitation.request.body == OFFER


@pytest.mark.parametrize("contact", CONTACTS.values(), ids=CONTACTS)
def test_an_odd_contact_of_a_caller_is_given_back_to_the_letter(contact: str) -> None:
    _, alice, bob = called(Contact=contact)
    alice.hang_up()
    assert (bob.request.method, bob.request.uri_text) == ("BYE", uri_of(contact))


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_an_odd_record_route_is_given_back_to_the_letter(route: str) -> None:
    _, alice, bob = called(Record_Route=route)
    alice.hang_up()
    written = (bob.request.method, bob.request.uri_text, bob.request.headers.get("Route"))
    assert written == ("BYE", bob.uri, f"<{uri_of(route)}>")


def calling() -> tuple[World, CoreAgent, ScriptedPeer]:
    world = World()
    alice, bob = CoreAgent(world, "alice", ALICE), ScriptedPeer(world, "bob", BOB)
    alice.call(bob.uri)
    return world, alice, bob


@pytest.mark.parametrize("contact", CONTACTS.values(), ids=CONTACTS)
def test_an_odd_contact_of_a_callee_is_given_back_to_the_letter(contact: str) -> None:
    _, alice, bob = calling()
    bob.answer(bob.request, 200, contact=contact, body=ANSWER)
    assert (alice.told, bob.request.method, bob.request.uri_text) == (["Answered"], "ACK", uri_of(contact))


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_an_odd_record_route_of_a_200_is_no_reason_to_hang_up(route: str) -> None:
    _, alice, bob = calling()
    bob.answer(bob.request, 200, body=ANSWER, headers=[("Record-Route", route)])
    assert (alice.told, bob.methods) == (["Answered"], ["INVITE", "ACK"])
    assert bob.request.headers.get("Route") == f"<{uri_of(route)}>"


@pytest.mark.parametrize("tags", [";tag=x;tag=x", ";tag=x;tag=y", ";tag=x;"])
def test_a_to_with_its_tag_twice_is_still_an_answer(tags: str) -> None:
    """What is appended without looking."""
    world, alice, bob = calling()
    ok = bob.request.response(200, headers=[("Contact", f"<{bob.uri}>")], body=ANSWER)
    headers = ok.headers.with_("To", f"{ok.headers.get('To')}{tags}").with_("Content-Type", "application/sdp")
    bob.send(ALICE, ok.replace(headers=headers))
    alice.hang_up()
    assert (alice.told, bob.methods) == (["Answered"], ["INVITE", "ACK", "BYE"])
    assert bob.request.headers.get("To") == headers.get("To")
    again = bob.request.response(200)
    bob.send(
        ALICE,
        again.replace(headers=again.headers.with_("To", f"{(headers.get('To') or '').rstrip(';')};tag=z")),
    )
    world.settle()
    assert (alice.told, alice.leftovers, len(bob.heard)) == (["Answered", "Ended"], [], 3)


def test_an_answer_without_a_content_type() -> None:
    _, alice, bob = calling()
    bob.send(ALICE, bob.request.response(200, to_tag="x", headers=[("Contact", f"<{bob.uri}>")], body=ANSWER))
    assert (alice.told, alice.session.exchange.remote) == (["Answered"], ANSWER)


def test_an_answer_in_an_ack_without_a_content_type() -> None:
    world = World()
    alice, bob = CoreAgent(world, "alice", ALICE), ScriptedPeer(world, "bob", BOB)
    bob.send(ALICE, bob.write("INVITE", alice.uri))
    alice.accept(OFFER)
    bob.send(ALICE, bob.inside(bob.response, "ACK", 1, body=ANSWER, headers=[("Content-Type", "-")]))
    assert (alice.told, alice.session.exchange.remote) == (
        ["InvitationReceived", "Acknowledged"],
        ANSWER,
    )
