"""A host that changes its address, or is seen at another: its registrations and calls go along."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipstack import Call, Invitation, UserAgent
from sipstack.media.tones import sine
from sipstack.message import Request, Response, parse
from sipstack.testing.hosted import HostedNetwork
from sipstack.testing.registrar import ScriptedRegistrar
from sipstack.testing.world import World
from tests.ua.handlers import Answering
from tests.ua.nat import Nat, SeeingRegistrar, behind

pytestmark = pytest.mark.virtual_time

OLD, NEW, BOB = "10.0.50.1", "10.0.77.1", "10.0.0.1"
PUBLIC, CHANGED = ("203.0.113.9", 61000), ("203.0.113.9", 62000)
LOOK = 5.5  # seconds: by then a change is noticed


def wild(world: World, **options: Any) -> tuple[UserAgent, HostedNetwork]:
    """Alice listens at a wildcard, on a host that can move."""
    network = HostedNetwork(world.simulated, OLD, world.streams)
    world.names["alice.test"] = [OLD]
    options = {"listen": "udp:0.0.0.0:5060", "registrar": "sip:registrar.test", "network": network} | options
    return world.user_agent("alice", **options), network


def sent(world: World, host: str, method: str) -> list[Request]:
    """The requests of this method that a host has sent, in order, repetitions too."""
    signalling = [each.data for each in world.sent if each.source[0] == host and each.data[:1].isalpha()]
    messages: list[Request | Response] = [parse(data) for data in signalling]
    return [each for each in messages if isinstance(each, Request) and each.method == method]


def packets(world: World, source: str, destination: str, since: float) -> int:
    """How many packets of RTP and RTCP have gone from one host to another."""
    return sum(
        each.time >= since
        and (each.source[0], each.destination[0]) == (source, destination)
        and each.source[1] >= 40_000
        for each in world.sent
    )


# -- another address of the host ---------------------------------------------------------------------------


async def test_a_registration_moves_and_takes_the_old_address_back(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar:
        alice, network = wild(world)
        async with alice, alice.register() as registration:
            assert list(registrar.bindings) == [f"sip:alice@{OLD}:5060"]
            network.move(NEW)
            await asyncio.sleep(LOOK)
            assert list(registrar.bindings) == [f"sip:alice@{NEW}:5060"]
            assert registration.active
    assert world.leftovers == []


async def test_a_call_moves_by_a_re_invite() -> None:
    world = World(audio=True)
    alice, network = wild(world)
    bob = world.user_agent("bob")
    async with alice, bob, bob.serving(Answering()), alice.call("sip:bob@bob.test") as call:
        async with call.playing(sine(400.0, 1.0), loop=True):
            await asyncio.sleep(1)
            network.move(NEW)
            await asyncio.sleep(LOOK)
            (invite,) = sent(world, NEW, "INVITE")
            assert f"c=IN IP4 {NEW}\r\n" in invite.body.decode()
            assert [str(contact.uri) for contact in invite.contacts] == [f"sip:alice@{NEW}:5060"]
            now = world.now
            await asyncio.sleep(1)
            there, back = packets(world, NEW, BOB, now), packets(world, BOB, NEW, now)
            assert there >= 49
            assert back >= 49
            assert packets(world, OLD, BOB, now) == 0
        (theirs,) = bob.calls
        await theirs.hang_up()  # their BYE finds us
        end = await call.ended()
        assert end.by == "remote"
    assert world.leftovers == []


async def test_a_call_on_hold_stays_so(world: World) -> None:
    alice, network = wild(world, media=world.audio_session)
    bob = world.user_agent("bob")
    async with alice, bob, bob.serving(Answering()), alice.call("sip:bob@bob.test") as call:
        await call.hold()
        network.move(NEW)
        await asyncio.sleep(LOOK)
        (invite,) = sent(world, NEW, "INVITE")
        assert "a=sendonly" in invite.body.decode()
        assert call.held


async def test_a_re_invite_that_is_not_heard_is_repeated(world: World) -> None:
    async def deaf(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            world.network.partition([BOB], [NEW])
            await call.ended()

    alice, network = wild(world, media=world.audio_session)
    bob = world.user_agent("bob")
    async with alice, bob, bob.serving(deaf), alice.call("sip:bob@bob.test") as call:
        network.move(NEW)
        await asyncio.sleep(LOOK)
        world.network.heal()
        await asyncio.sleep(3)
        assert len({invite.cseq for invite in sent(world, NEW, "INVITE")}) == 1
        await call.hold()  # agreed: there is room for the next one
    assert world.leftovers == []


async def test_a_call_whose_re_invite_is_never_answered_ends(world: World) -> None:
    """As any that a re-INVITE of ours finds without a peer (RFC 3261 §14.1)."""

    async def gone(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            world.network.partition([BOB], [NEW])
            await call.ended()

    alice, network = wild(world, media=world.audio_session)
    bob = world.user_agent("bob")
    async with alice, bob, bob.serving(gone), alice.call("sip:bob@bob.test") as call:
        network.move(NEW)
        end = await call.ended()
        assert end.by != "remote"
        world.network.heal()


async def test_media_that_cannot_move_is_offered_again(world: World) -> None:
    alice, network = wild(world)  # its media is silent, and knows of no address
    bob = world.user_agent("bob")
    async with alice, bob, bob.serving(Answering()), alice.call("sip:bob@bob.test"):
        network.move(NEW)
        await asyncio.sleep(LOOK)
        assert len(sent(world, NEW, "INVITE")) == 1


async def test_a_call_that_is_answered_after_the_move_is_answered_from_there() -> None:
    world = World(audio=True)
    alice, network = wild(world)
    bob = world.user_agent("bob")

    async def late(invitation: Invitation) -> None:
        await invitation.progress(180)
        network.move(NEW)
        await asyncio.sleep(LOOK)
        async with invitation.accept() as call:
            await call.ended()

    async with alice, alice.serving(late), bob, bob.call("sip:alice@alice.test") as call:
        async with call.playing(sine(400.0, 1.0), loop=True):
            await asyncio.sleep(3)
            now = world.now
            await asyncio.sleep(1)
            assert packets(world, BOB, NEW, now) >= 49
        assert len(alice.calls) == 1
    assert world.leftovers == []


async def test_calls_move_one_after_the_other(world: World) -> None:
    alice, network = wild(world)
    bob = world.user_agent("bob")
    async with alice, bob, bob.serving(Answering()):
        async with (
            alice.call("sip:bob@bob.test"),
            alice.call("sip:bob@bob.test"),
            alice.call("sip:bob@bob.test"),
        ):
            network.move(NEW)
            await asyncio.sleep(LOOK)
            times = [
                each.time for each in world.sent if each.source[0] == NEW and each.data.startswith(b"INVITE")
            ]
            assert [round(time - times[0], 2) for time in times] == [0.0, 0.02, 0.04]


async def test_a_call_that_ends_before_its_turn_is_left_alone(world: World) -> None:
    alice, network = wild(world)
    bob = world.user_agent("bob")
    async with alice, bob, bob.serving(Answering()):
        async with alice.call("sip:bob@bob.test"), alice.call("sip:bob@bob.test") as second:
            moved = asyncio.get_running_loop().create_task(hung_up_when_moving(second, world))
            network.move(NEW)
            await asyncio.sleep(LOOK)
            await moved
            assert len(sent(world, NEW, "INVITE")) == 1
    assert world.leftovers == []


async def hung_up_when_moving(call: Call, world: World) -> None:
    while True:
        await asyncio.sleep(0.001)
        if sent(world, NEW, "INVITE"):
            break
    await call.hang_up()


async def test_a_host_that_stays_is_not_bothered(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar:
        alice, _ = wild(world)
        bob = world.user_agent("bob")
        async with alice, alice.register(), bob, bob.serving(Answering()), alice.call("sip:bob@bob.test"):
            await asyncio.sleep(60)
            assert len(registrar.requests) == 1
            assert len(sent(world, OLD, "INVITE")) == 1


async def test_who_is_bound_to_an_address_stays_there(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar:
        alice, network = wild(world, listen=f"udp:{OLD}:5060")
        async with alice, alice.register():
            network.move(NEW)
            await asyncio.sleep(60)
            assert len(registrar.requests) == 1


# -- another address at which we are seen ------------------------------------------------------------------


async def test_advertise_auto_registers_the_address_that_the_registrar_sees(world: World) -> None:
    nat = Nat(world, PUBLIC)
    async with SeeingRegistrar(world) as registrar:
        alice, _ = wild(world, advertise="auto", network=behind(nat, "192.168.1.2"))
        async with alice, alice.register():
            await asyncio.sleep(1)
            assert list(registrar.bindings) == ["sip:alice@203.0.113.9:61000"]
            bob = world.user_agent("bob")
            async with alice.serving(Answering()), bob, bob.call("sip:alice@203.0.113.9:61000") as call:
                await asyncio.sleep(1)
                assert call in bob.calls
        assert registrar.bindings == {}
    assert world.leftovers == []


async def test_a_mapping_that_changes_is_learned_when_two_answers_agree(world: World) -> None:
    nat = Nat(world, PUBLIC)
    async with SeeingRegistrar(world) as registrar:
        registrar.longest = 60
        alice, _ = wild(world, advertise="auto", network=behind(nat, "192.168.1.2"))
        async with alice, alice.register():
            await asyncio.sleep(31)
            known = len(registrar.requests)
            nat.change(CHANGED)
            await asyncio.sleep(60)
            assert list(registrar.bindings) == ["sip:alice@203.0.113.9:62000"]
            # the refresh, the question whether it is so, the move; and the refreshes after that
            assert len(registrar.requests) - known <= 5
    assert world.leftovers == []


async def test_a_nat_that_changes_with_every_answer_does_not_make_us_register_for_ever(world: World) -> None:
    nat = Nat(world, PUBLIC)

    async def restless() -> None:
        for number in range(600):
            await asyncio.sleep(0.5)
            nat.change((PUBLIC[0], 50_000 + number))

    async with SeeingRegistrar(world) as registrar:
        registrar.longest = 60
        alice, _ = wild(world, advertise="auto", network=behind(nat, "192.168.1.2"))
        async with alice, alice.register():
            await restless()
            assert len(registrar.requests) <= 300 / 30 * 4  # a refresh, a question, a move; more at the start
    assert world.leftovers == []


async def test_a_host_that_moves_learns_its_address_anew(world: World) -> None:
    nat = Nat(world, PUBLIC)
    network = behind(nat, "192.168.1.2")
    async with SeeingRegistrar(world) as registrar:
        alice, _ = wild(world, advertise="auto", network=network)
        async with alice, alice.register():
            await asyncio.sleep(1)
            nat.change(CHANGED)
            network.move("192.168.9.9")
            await asyncio.sleep(LOOK)
            assert list(registrar.bindings) == ["sip:alice@203.0.113.9:62000"]
    assert world.leftovers == []
