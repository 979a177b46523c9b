"""Calls with audio in a World, in virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sipstack import Invitation
from sipstack.errors import TransportError
from sipstack.media.tones import sine
from sipstack.testing.audio import SimulatedAudio
from sipstack.testing.ladders import ladder
from sipstack.testing.link import Link
from sipstack.testing.world import World
from tests.media.calls import pcm_of
from tests.media.hearing import purity

pytestmark = pytest.mark.virtual_time


async def echo(invitation: Invitation) -> None:
    async with invitation.accept() as call:
        async for frame in call.audio:
            await call.audio.send(frame)


async def greet(invitation: Invitation) -> None:
    async with invitation.accept() as call:
        await call.play(sine(1000.0, 2.0))


async def test_an_ivr_is_heard_to_its_end(tmp_path: Path) -> None:
    world = World(Link(delay=0.02), audio=True)
    async with world.user_agent("alice") as alice, world.user_agent("ivr") as ivr, ivr.serving(greet):
        async with alice.call("sip:ivr@ivr.test") as call:
            async with call.recording(tmp_path / "heard.wav"):
                assert (await call.ended()).by == "remote"
            assert call.statistics.packets_lost == 0
    assert purity(pcm_of(tmp_path / "heard.wav")[4000:-4000], 1000.0) > 0.99
    assert world.leftovers == []


async def test_what_is_said_comes_back_from_an_echo(tmp_path: Path) -> None:
    world = World(Link(delay=0.02, jitter=0.01, loss=0.02), seed=3)
    async with (
        world.user_agent("alice", media=world.audio_session) as alice,
        world.user_agent("bob", media=world.audio_session) as bob,
        bob.serving(echo),
        alice.call("sip:bob@bob.test") as call,
        call.recording(tmp_path / "echo.wav"),
    ):
        await call.play(sine(1000.0, 5.0))
    assert purity(pcm_of(tmp_path / "echo.wav")[16_000:], 1000.0) > 0.8
    assert world.leftovers == []


async def test_ladders_show_signalling_alone() -> None:
    world = World(audio=True)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(echo):
        async with alice.call("sip:bob@bob.test") as call:
            await call.play(sine(1000.0, 1.0))
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@bob.test [1]
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK sip:bob@10.0.0.2:5060 [1]
        alice -> bob    BYE sip:bob@10.0.0.2:5060 [2]
        bob -> alice    200 OK [2 BYE]
    """)
    assert len(world.sent) > 100


@pytest.mark.parametrize("icmp", [False, True])
async def test_a_peer_that_dies_ends_the_call_after_30_s(icmp: bool) -> None:
    """kill -9: no BYE, and no RTP any more."""
    world = World(audio=True, icmp=icmp)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(echo):
        async with alice.call("sip:bob@bob.test") as call:
            await asyncio.sleep(60)
            assert not call._ended.done
            world.network.down("10.0.0.2")
            before = asyncio.get_running_loop().time()
            end = await call.ended()
            assert end.by == "timeout"
            assert 30 <= asyncio.get_running_loop().time() - before < 30.1
    assert world.leftovers == []


async def test_a_peer_on_hold_may_be_silent() -> None:
    world = World(audio=True)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(echo):
        async with alice.call("sip:bob@bob.test") as call:
            await call.hold()
            world.network.down("10.0.0.2")
            await asyncio.sleep(300)
            assert not call._ended.done
            world.network.up("10.0.0.2")
            await call.resume()
            await asyncio.sleep(29)
            assert not call._ended.done


async def test_hold_stops_hearing_the_other_side(tmp_path: Path) -> None:
    world = World(audio=True)
    async with world.user_agent("alice") as alice, world.user_agent("ivr") as ivr, ivr.serving(greet):
        async with alice.call("sip:ivr@ivr.test") as call:
            await asyncio.sleep(0.5)
            await call.hold()
            async with call.recording(tmp_path / "held.wav"):
                await asyncio.sleep(0.5)
    assert set(pcm_of(tmp_path / "held.wav")) == {0}


def test_ports_can_be_used_up() -> None:
    world = World()
    audio = SimulatedAudio(world.simulated)
    first = audio.bind("10.0.0.1", (4001, 4005), lambda low, high: low)
    assert (first.port, first.rtcp_port) == (4002, 4003)
    assert audio.bind("10.0.0.1", (4001, 4005), lambda low, high: low).port == 4004
    with pytest.raises(TransportError, match="no pair of RTP ports"):
        audio.bind("10.0.0.1", (4001, 4005), lambda low, high: low)
    first.close()
    assert audio.bind("10.0.0.1", (4001, 4005), lambda low, high: low).port == 4002
