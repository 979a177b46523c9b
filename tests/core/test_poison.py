"""A quoted pair may hold NUL (§25.1): whatever we read we can write, wherever we have to give it back."""

from __future__ import annotations

import pytest

from sipstack.core.events import Answered, Ended, InvitationReceived, Refused, Registered, ResponseReceived
from sipstack.message.digest import DigestAccount
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.usage.invite.callers import alice_and_peer, bob_and_peer

NUL = '"\\\0"'
CHALLENGE = ("WWW-Authenticate", f'Digest realm={NUL}, nonce={NUL}, opaque={NUL}, qop="auth"')


def alice_with_account() -> tuple[World, CoreAgent, ScriptedPeer]:
    world = World()
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060), account=DigestAccount("alice", "secret"))
    return world, alice, ScriptedPeer(world, "bob", ("192.0.2.2", 5060))


def quiet(world: World, agent: CoreAgent) -> bool:
    """Nothing is left, and nothing has gone wrong."""
    world.settle()
    return (agent.leftovers, agent.core.counters.faults) == ([], 0)


# --- the realm of a challenge ---


def test_in_the_realm_of_a_401_to_an_invite() -> None:
    world, alice, bob = alice_with_account()
    alice.call(bob.uri)
    bob.answer(bob.request, 401, headers=[CHALLENGE])
    assert bob.methods == ["INVITE", "ACK", "INVITE"]
    assert f"realm={NUL}" in (bob.request.headers.get("Authorization") or "")
    bob.answer(bob.request, 200, body=ANSWER)
    assert bob.methods[3:] == ["ACK"]
    assert f"realm={NUL}" in (bob.request.headers.get("Authorization") or "")
    alice.hang_up()
    bob.answer(bob.request, 200, None)
    assert bob.methods[4:] == ["BYE"]
    assert quiet(world, alice)


def test_in_the_realm_of_a_401_to_a_register() -> None:
    world, alice, bob = alice_with_account()
    registration = alice.core.register(bob.uri, 600)
    registration.refresh(world.now)
    bob.answer(bob.request, 401, headers=[CHALLENGE])
    bob.answer(bob.request, 200)
    assert (alice.told, alice.last(Registered).expires) == (["Registered"], 600)


def test_in_the_realm_of_a_401_to_options() -> None:
    world, alice, bob = alice_with_account()
    alice.core.standalone("OPTIONS", bob.uri).start(world.now)
    bob.answer(bob.request, 401, headers=[CHALLENGE])
    bob.answer(bob.request, 200)
    assert alice.last(ResponseReceived).response.status == 200
    assert quiet(world, alice)


# --- what a dialog gives back ---


def test_in_the_to_and_the_record_route_of_a_200() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    route = f"{NUL} <{bob.uri};lr>"
    response = bob.request.response(200, headers=[("Contact", f"<{bob.uri}>"), ("Record-Route", route)])
    headers = response.headers.with_("To", f"{NUL} <{bob.uri}>;tag=b")
    bob.send(
        alice.address, response.replace(headers=headers.with_("Content-Type", "application/sdp"), body=ANSWER)
    )
    assert alice.told == ["Answered"]
    alice.hang_up()
    assert bob.methods == ["INVITE", "ACK", "BYE"]
    assert [each.headers.get("To") for each in bob.requests[1:]] == [f"{NUL} <{bob.uri}>;tag=b"] * 2
    bob.answer(bob.request, 200, None)
    assert alice.last(Ended).by == "local"
    assert quiet(world, alice)


def test_in_the_to_of_a_refusal() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    refusal = bob.request.response(486)
    bob.send(alice.address, refusal.replace(headers=refusal.headers.with_("To", f"{NUL} <{bob.uri}>;tag=b")))
    assert alice.last(Refused).response.status == 486
    assert bob.methods == ["INVITE", "ACK"]
    assert quiet(world, alice)


@pytest.mark.parametrize("field", ["From", "To", "Contact", "Record-Route"])
def test_in_a_field_of_an_invite(field: str) -> None:
    world, bob, carol = bob_and_peer()
    value = f"{NUL} <{carol.uri}>" + {"From": ";tag=peer", "Record-Route": ";x=y"}.get(field, "")
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=[(field, value)]))
    bob.accept()
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    bob.hang_up()
    world.run()
    assert carol.methods == ["BYE"]
    carol.answer(carol.request, 200, None)
    assert bob.told == ["InvitationReceived", "Acknowledged", "Ended"]
    assert quiet(world, bob)


@pytest.mark.parametrize("second", [";x=", ";rport;x="])
def test_in_a_second_via(second: str) -> None:
    world, bob, carol = bob_and_peer()
    top = "SIP/2.0/UDP far.invalid;branch=z9hG4bK1;rport"
    below = f"SIP/2.0/UDP further.invalid;branch=z9hG4bK2{second}{NUL}"
    invite = carol.write("INVITE", bob.uri, body=OFFER, headers=[("Via", f"{top}, {below}")])
    carol.send(bob.address, invite)
    bob.invitation.refuse(486, world.now)
    seen = "SIP/2.0/UDP far.invalid;branch=z9hG4bK1;rport=5060;received=192.0.2.3"
    assert [set(each.split(";")) for each in carol.response.headers.raw("Via")] == [
        set(seen.split(";")),
        set(below.split(";")),
    ]


def test_in_the_timestamp_and_the_call_id() -> None:
    world, bob, carol = bob_and_peer()
    fields = [("Timestamp", "54\\\0"), ("Call-ID", "a\\\0b@c")]
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=fields))
    world.run(1)
    assert bob.core.counters.faults == 0


def test_a_response_is_not_told_twice() -> None:
    """The event of the answered call, once, whatever its fields hold."""
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    bob.answer(bob.request, 200, headers=[("Server", NUL)], body=ANSWER)
    assert [type(event) for event in alice.events] == [Answered]


def test_the_events_of_an_invite_say_what_came() -> None:
    _, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, headers=[("Subject", NUL)]))
    assert bob.last(InvitationReceived).request.headers.get("Subject") == NUL
