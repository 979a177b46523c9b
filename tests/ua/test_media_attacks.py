"""What a stranger may try with the media of calls: flood a third party, take audio over, never hang up."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import Invitation
from sipstack.media.speaking import UNCONFIRMED
from sipstack.media.tones import sine
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World

pytestmark = pytest.mark.virtual_time

VICTIM = ("10.9.9.9", 40_000)
OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 10.9.9.9\r\ns=-\r\nc=IN IP4 10.9.9.9\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0\r\na=sendrecv\r\n"
)


async def play(invitation: Invitation) -> None:
    async with invitation.accept() as call:
        await call.play(sine(1000.0, 600.0))


async def announce(invitation: Invitation) -> None:
    await invitation.progress(183, early_media=True)
    await asyncio.sleep(20)
    await invitation.reject(486)


def packets_to_the_victim(world: World) -> int:
    return sum(each.destination == VICTIM and len(each.data) > 12 for each in world.sent)


@pytest.mark.parametrize("handler", [play, announce])
async def test_an_invite_with_a_forged_source_gets_a_third_party_a_few_packets(handler: object) -> None:
    world = World(audio=True)
    async with world.user_agent("bob") as bob, bob.serving(handler):  # type: ignore[arg-type]
        forger = ScriptedPeer(world, "forger")
        forger.send(("10.0.0.1", 5060), forger.write("INVITE", "sip:bob@10.0.0.1", body=OFFER))
        await asyncio.sleep(40)
        assert packets_to_the_victim(world) == UNCONFIRMED


async def test_the_greeting_waits_for_the_ack_and_loses_nothing() -> None:
    world = World(audio=True)
    async with world.user_agent("bob") as bob, bob.serving(play):
        caller = ScriptedPeer(world, "caller")
        caller.send(("10.0.0.1", 5060), caller.write("INVITE", "sip:bob@10.0.0.1", body=OFFER))
        await asyncio.sleep(1)
        assert packets_to_the_victim(world) == UNCONFIRMED
        caller.send(("10.0.0.1", 5060), caller.inside(caller.response, "ACK", 1))
        await asyncio.sleep(1)
        assert packets_to_the_victim(world) - UNCONFIRMED in (49, 50, 51)


async def test_a_caller_that_falls_silent_is_gone_after_30_s() -> None:
    """INVITE and ACK, and nothing more: each such call would keep its ports for good."""
    world = World(audio=True)
    async with world.user_agent("bob") as bob, bob.serving(play):
        caller = ScriptedPeer(world, "caller")
        for number in range(5):
            invite = caller.write("INVITE", "sip:bob@10.0.0.1", body=OFFER, call_id=f"silent-{number}")
            caller.send(("10.0.0.1", 5060), invite)
            await asyncio.sleep(0.01)
            caller.send(("10.0.0.1", 5060), caller.inside(caller.response, "ACK", 1))
        await asyncio.sleep(1)
        assert len(bob.calls) == 5
        await asyncio.sleep(31)
        assert len(bob.calls) == 0
        assert caller.methods.count("BYE") >= 5
    assert world.leftovers == []


async def test_spraying_every_port_takes_no_audio_over() -> None:
    """What became known as RTP bleed: a packet to each port of the range, again and again."""
    world = World(audio=True)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(play):
        async with alice.call("sip:bob@bob.test") as call:
            for sweep in range(20):
                for port in range(40_000, 40_020, 2):
                    for host in ("10.0.0.1", "10.0.0.2"):
                        packet = b"\x80\x00" + sweep.to_bytes(2, "big") + bytes(8) + b"\xff" * 160
                        world.send(("10.9.9.9", 40_000), (host, port), packet)
                await asyncio.sleep(0.02)
            assert call.statistics.packets_invalid == 20
            assert packets_to_the_victim(world) == 0
            await asyncio.sleep(2)
            assert packets_to_the_victim(world) == 0
