"""The scripted peer before applications of every kind: a user agent, a bare core, a process."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import CallRejected, UserAgent
from sipstack.message import Request, Response
from sipstack.testing.agent import ANSWER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.loopback import Loopback
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.registrar import Challenger, ScriptedRegistrar
from sipstack.testing.world import World


def busy(request: Request) -> list[Response]:
    return [] if request.method == "ACK" else [request.response(486, to_tag="busy")]


# --- before a bare core, by hand ---


def test_where_nobody_listens_is_written_down() -> None:
    world = World(icmp=True)
    carol = ScriptedPeer(world, "carol")
    carol.send(("10.0.0.9", 5060), carol.write("OPTIONS", "sip:10.0.0.9"))
    assert (carol.refused, carol.heard) == ([("10.0.0.9", 5060)], [])


def test_a_peer_that_has_left_hears_nothing() -> None:
    world = World()
    alice, carol = CoreAgent(world, "alice"), ScriptedPeer(world, "carol")
    carol.close()
    alice.call(carol.uri)
    world.run(10)
    assert carol.heard == []


def test_a_call_answered_by_hand_and_ended_by_the_peer() -> None:
    world = World()
    alice, carol = CoreAgent(world, "alice"), ScriptedPeer(world, "carol")
    alice.call(carol.uri)
    carol.answer(carol.request, 180)
    carol.answer(carol.request, 200, body=ANSWER)
    carol.send(alice.address, carol.back("BYE", 1))
    assert (carol.methods, carol.response.status) == (["INVITE", "ACK"], 200)
    assert world.ladder() == ladder("""
        alice -> carol    INVITE sip:carol@10.0.0.2:5060 [1]
        carol -> alice    180 Ringing [1 INVITE]
        carol -> alice    200 OK [1 INVITE]
        alice -> carol    ACK sip:carol@10.0.0.2:5060 [1]
        carol -> alice    BYE sip:alice@10.0.0.1:5060 [1]
        alice -> carol    200 OK [1 BYE]
    """)


def test_a_call_refused_by_a_function() -> None:
    world = World()
    alice, carol = CoreAgent(world, "alice"), ScriptedPeer(world, "carol", on_request=busy)
    alice.call(carol.uri)
    world.settle()
    assert (alice.told, carol.methods, carol.times) == (["Refused"], ["INVITE", "ACK"], [0.0, 0.0])
    assert world.leftovers == []


def test_hosts_have_names_and_ipv6_addresses_too() -> None:
    world = World()
    carol = ScriptedPeer(world, "carol", ("2001:db8::3", 5070))
    bob = CoreAgent(world, "bob", ("2001:db8::2", 5060))
    assert (carol.uri, world.names["carol.test"]) == ("sip:carol@[2001:db8::3]:5070", ["2001:db8::3"])
    carol.send(bob.address, carol.write("OPTIONS", bob.uri))
    assert carol.response.status == 200
    assert carol.response.via.host == "[2001:db8::3]"


# --- before a user agent, under the loop ---


async def test_a_call_refused_under_the_loop(sip_world: World) -> None:
    carol = ScriptedPeer(sip_world, "carol", on_request=busy)
    async with sip_world.user_agent("alice") as alice:
        with pytest.raises(CallRejected, match="486"):
            async with alice.call("sip:carol@carol.test"):
                raise AssertionError
        await carol.received(2)
    assert sip_world.ladder() == ladder("""
        alice -> carol    INVITE sip:carol@carol.test [1]
        carol -> alice    486 Busy Here [1 INVITE]
        alice -> carol    ACK sip:carol@carol.test [1]
    """)
    assert sip_world.leftovers == []


async def test_a_core_and_a_user_agent_do_not_share_a_world_under_the_loop(sip_world: World) -> None:
    with pytest.raises(RuntimeError, match="the event loop moves this world"):
        sip_world.run()


# --- before a process, at a port of this machine ---


async def test_a_registration_at_a_port_of_this_machine() -> None:
    challenger = Challenger("secret")
    async with ScriptedRegistrar(Loopback(), challenger) as registrar:
        options = {"registrar": registrar.uri, "listen": "udp:127.0.0.1:0", "password": "secret"}
        async with UserAgent("sip:alice@example.com", **options) as alice:  # type: ignore[arg-type]
            async with alice.register(expires=600):
                assert list(registrar.bindings) == [alice.contact]
            assert (registrar.asked, registrar.bindings) == ([600, 600, 0], {})
    assert challenger.accepted == ["SHA-256", "SHA-256"]


async def test_a_port_that_is_taken_is_an_error_and_a_closed_one_is_free_again() -> None:
    first = ScriptedPeer(Loopback(), "carol")
    with pytest.raises(OSError, match="in use"):
        ScriptedPeer(Loopback(), "dave", first.address)
    first.close()
    first.close()
    async with ScriptedPeer(Loopback(), "dave", first.address) as second:
        assert second.address == first.address


async def test_ipv6_and_answers_between_two_peers() -> None:
    async with (
        ScriptedPeer(Loopback(), "carol", ("::1", 0), on_request=busy) as carol,
        ScriptedPeer(Loopback(), "dave", ("::1", 0)) as dave,
    ):
        dave.send(carol.address, dave.write("OPTIONS", carol.uri))
        async with asyncio.timeout(5):
            await carol.received(1)
            await dave.responded(1)
        assert dave.response.status == 486


async def test_a_refusal_by_the_system_does_no_harm() -> None:
    async with ScriptedPeer(Loopback(), "carol") as carol, ScriptedPeer(Loopback(), "dave") as dave:
        gone = ScriptedPeer(Loopback(), "gone")
        gone.close()
        dave.send(gone.address, dave.write("OPTIONS", gone.uri))
        dave.send(carol.address, dave.write("OPTIONS", carol.uri))
        async with asyncio.timeout(5):
            await carol.received(1)
