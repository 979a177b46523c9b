"""Another codec in mid-call, by a re-INVITE of either side (RFC 3264 §8.3.2)."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import Call, CallEnded, Invitation, MediaError, RequestFailed, TracedMessage
from sipstack.media.session import AudioSession
from sipstack.media.tones import sine
from sipstack.testing.link import Link
from sipstack.testing.world import World
from tests.media.hearing import Ear, loudness, purity

pytestmark = pytest.mark.virtual_time


class Phone:
    """A user agent whose media are kept, and who says a tone in its calls."""

    def __init__(self, world: World, name: str, *codecs: str) -> None:
        self.media: list[AudioSession] = []
        self.calls: list[Call] = []
        self.trace: list[TracedMessage] = []

        def make(host: str) -> AudioSession:
            self.media.append(AudioSession(host, bind=world._rtp.bind, codecs=codecs, is_ours=lambda _: True))
            return self.media[-1]

        self.agent = world.user_agent(name, media=make, trace=self.trace.append)

    async def answer(self, invitation: Invitation) -> None:
        async with invitation.accept() as call:
            self.calls.append(call)
            async with call.playing(sine(500.0, 1.0), loop=True):
                await call.ended()

    def sent(self, line: bytes) -> int:
        """How many messages of ours begin with this."""
        return sum(1 for message in self.trace if message.sent and message.data.startswith(line))


async def hears(call: Call, frequency: float) -> bool:
    ear = Ear()
    async with call.recording(ear):
        await asyncio.sleep(1.0)
    return purity(b"".join(ear.frames[10:]), frequency) > 0.99


@pytest.mark.parametrize("changer", ["caller", "callee"])
async def test_either_side_changes_the_codec_and_back_and_not_a_word_is_lost(changer: str) -> None:
    world = World(seed=1)
    alice, bob = (Phone(world, name, "PCMU", "PCMA") for name in ("alice", "bob"))
    async with alice.agent, bob.agent, bob.agent.serving(bob.answer):
        async with alice.agent.call(bob.agent.contact) as call, call.playing(sine(1000.0, 1.0), loop=True):
            assert await hears(call, 500.0)
            ears = Ear(), Ear()
            async with call.recording(ears[0]), bob.calls[0].recording(ears[1]):
                for codec in ("PCMA", "PCMU"):
                    (alice if changer == "caller" else bob).media[0].use_codecs(codec)
                    await asyncio.sleep(1.0)
                    assert (call.codec, bob.calls[0].codec) == (codec, codec)
            for ear, frequency in zip(ears, (500.0, 1000.0), strict=True):
                assert purity(b"".join(ear.frames[10:]), frequency) > 0.99
                assert min(map(loudness, ear.frames[10:])) > 1000
            assert call.statistics.packets_lost == bob.calls[0].statistics.packets_lost == 0
            assert call.statistics.packets_invalid == bob.calls[0].statistics.packets_invalid == 0
    assert (alice.sent(b"INVITE"), bob.sent(b"INVITE")) == ((3, 0) if changer == "caller" else (1, 2))
    assert world.leftovers == []


async def test_a_peer_that_has_not_that_codec_refuses_it_and_the_call_goes_on() -> None:
    world = World(seed=2)
    alice, bob = Phone(world, "alice", "PCMU", "PCMA"), Phone(world, "bob", "PCMU")
    async with alice.agent, bob.agent, bob.agent.serving(bob.answer):
        async with alice.agent.call(bob.agent.contact) as call:
            alice.media[0].use_codecs("PCMA")
            await asyncio.sleep(1.0)
            assert bob.sent(b"SIP/2.0 488") == 1
            assert call.codec == "PCMU"
            assert await hears(call, 500.0)
            with pytest.raises(RequestFailed):
                await call.hold()
            alice.media[0].use_codecs("PCMA", "PCMU")
            await call.hold()
            await call.resume()
            assert await hears(call, 500.0)
    assert world.leftovers == []


async def test_the_hold_stays() -> None:
    world = World(seed=3)
    alice, bob = (Phone(world, name, "PCMU", "PCMA") for name in ("alice", "bob"))
    async with alice.agent, bob.agent, bob.agent.serving(bob.answer):
        async with alice.agent.call(bob.agent.contact) as call:
            await call.hold()
            alice.media[0].use_codecs("PCMA")
            await asyncio.sleep(1.0)
            assert call.codec == "PCMA"
            assert (call.held, bob.calls[0].remote_held) == (True, True)
            await call.resume()
            assert await hears(call, 500.0)
    assert world.leftovers == []


async def test_both_change_at_once() -> None:
    """Each refuses the other's offer with 491 and offers again later."""
    world = World(Link(delay=0.02), seed=4)
    alice, bob = (Phone(world, name, "PCMU", "PCMA") for name in ("alice", "bob"))
    async with alice.agent, bob.agent, bob.agent.serving(bob.answer):
        async with alice.agent.call(bob.agent.contact) as call:
            await asyncio.sleep(1.0)
            alice.media[0].use_codecs("PCMA", "PCMU")
            bob.media[0].use_codecs("PCMA")
            await asyncio.sleep(10.0)
            assert alice.sent(b"SIP/2.0 491") + bob.sent(b"SIP/2.0 491") > 0
            assert (call.codec, bob.calls[0].codec) == ("PCMA", "PCMA")
            assert await hears(call, 500.0)
    assert world.leftovers == []


async def test_the_call_ends_while_the_codec_changes() -> None:
    world = World(seed=5)
    alice, bob = (Phone(world, name, "PCMU", "PCMA") for name in ("alice", "bob"))
    async with alice.agent, bob.agent, bob.agent.serving(bob.answer):
        async with alice.agent.call(bob.agent.contact) as call:
            alice.media[0].use_codecs("PCMA")
            await asyncio.sleep(0)
            await call.hang_up()
            assert isinstance(await bob.calls[0].ended(), CallEnded)
    assert world.leftovers == []


@pytest.mark.parametrize("codecs", [(), ("G729",), ("PCMA", "L16/44100")], ids=str)
async def test_a_codec_that_the_call_was_not_made_with_is_refused(codecs: tuple[str, ...]) -> None:
    world = World(seed=6)
    alice, bob = (Phone(world, name, "PCMU", "PCMA") for name in ("alice", "bob"))
    async with alice.agent, bob.agent, bob.agent.serving(bob.answer):
        async with alice.agent.call(bob.agent.contact) as call:
            with pytest.raises(MediaError, match="codec"):
                alice.media[0].use_codecs(*codecs)
            await asyncio.sleep(1.0)
            assert call.codec == "PCMU"
    assert alice.sent(b"INVITE") == 1
