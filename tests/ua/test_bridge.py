"""Two calls joined: what is said in one is heard in the other."""

from __future__ import annotations

import asyncio
import random

import pytest

from sipstack import CallEnded, Frame, Invitation, MediaError, bridge
from sipstack.identifiers import Identifiers
from sipstack.media.io import PcmSource
from sipstack.media.session import AudioSession
from sipstack.testing.world import World
from tests.media.hearing import Ear, purity
from tests.media.wire import Wire
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time

SECOND = 8000


def tone(half_period: int, seconds: float) -> PcmSource:
    """A square wave."""
    period = (4000).to_bytes(2, "little", signed=True) * half_period
    period += (-4000).to_bytes(2, "little", signed=True) * half_period
    return PcmSource(period * int(seconds * SECOND / half_period / 2))


class Switch:
    """Alice and Bob, each in a call with the switch, and the audio of all over a wire in memory."""

    def __init__(self, world: World) -> None:
        self._wire = Wire(delay=0.02)
        self.alice, self.bob, self.switch = (
            world.user_agent(name, media=self._media) for name in ("alice", "bob", "switch")
        )

    def _media(self, host: str) -> AudioSession:
        return AudioSession(host, bind=self._wire.bind, random=Identifiers(random.Random(1)))

    async def connect(self, invitation: Invitation) -> None:
        async with self.switch.call(self.bob.contact) as callee, invitation.accept() as caller:
            await bridge(caller, callee)


async def test_both_hear_one_another(world: World) -> None:
    stage = Switch(world)
    heard_by_alice, heard_by_bob = Ear(), Ear()

    async def speak(invitation: Invitation) -> None:
        async with invitation.accept() as call, call.recording(heard_by_bob):
            await call.play(tone(4, 2))
            await call.ended()

    async with stage.alice as alice, stage.bob as bob, stage.switch as switch:
        async with bob.serving(speak), switch.serving(stage.connect):
            async with alice.call(switch.contact) as call, call.recording(heard_by_alice):
                await call.play(tone(10, 2))
    for heard, frequency in ((heard_by_alice, 1000), (heard_by_bob, 400)):
        assert purity(b"".join(heard.frames[50:75]), frequency) > 0.8
    assert world.leftovers == []


@pytest.mark.parametrize("leaver", ["caller", "callee"])
async def test_it_ends_with_either_call(world: World, leaver: str) -> None:
    done: list[float] = []
    callee = Answering()

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("switch") as switch,
        bob.serving(callee),
    ):

        async def connect(invitation: Invitation) -> None:
            async with switch.call("sip:bob.test") as outgoing, invitation.accept() as incoming:
                await bridge(incoming, outgoing)
                done.append(asyncio.get_running_loop().time())
                assert len(switch.calls) == 1  # the other one is still ours

        async with switch.serving(connect):
            async with alice.call("sip:switch.test") as call:
                await asyncio.sleep(10)
                await (call if leaver == "caller" else callee.calls[0]).hang_up()
                await call.ended()
                await asyncio.sleep(1)
        assert done == [10]
        assert switch.calls == []
    assert world.leftovers == []


async def test_being_cancelled_leaves_the_calls_alone(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(Answering()):
            async with alice.call("sip:bob.test") as one, alice.call("sip:bob.test") as other:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(5):
                        await bridge(one, other)
                assert alice.calls == [one, other]
                assert len(asyncio.all_tasks()) == 3  # ours and the two handlers'
    assert world.leftovers == []


async def test_packets_are_passed_on_as_they_are_and_never_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(audio=True)
    heard_by_alice, heard_by_bob = Ear(), Ear()

    async def speak(invitation: Invitation) -> None:
        async with invitation.accept() as call, call.recording(heard_by_bob):
            await call.play(tone(4, 2))
            await call.ended()

    async def connect(invitation: Invitation) -> None:
        async with switch.call("sip:bob.test") as callee, invitation.accept() as caller:
            joined = asyncio.create_task(bridge(caller, callee))
            await asyncio.sleep(1)
            assert not caller.audio.wanted
            assert not callee.audio.wanted
            await joined

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("switch") as switch,
    ):
        async with bob.serving(speak), switch.serving(connect):
            async with alice.call("sip:switch.test") as call, call.recording(heard_by_alice):
                await call.play(tone(10, 2))
                assert call.statistics.packets_lost == 0
    for heard, frequency in ((heard_by_alice, 1000), (heard_by_bob, 400)):
        assert purity(b"".join(heard.frames[50:75]), frequency) > 0.8
    assert world.leftovers == []


async def test_what_cannot_be_sent_on_is_raised(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(Answering()):
            async with alice.call("sip:bob.test") as one, alice.call("sip:bob.test") as other:

                async def refuse(frame: Frame) -> None:
                    raise MediaError("no resampler")

                monkeypatch.setattr(other.audio, "send", refuse)
                joined = asyncio.create_task(bridge(one, other))
                await asyncio.sleep(1)
                one.audio.write(bytes(320))
                with pytest.raises(MediaError, match="no resampler"):
                    await joined


async def test_calls_that_are_over_are_not_bridged(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(Answering()):
            async with alice.call("sip:bob.test") as one, alice.call("sip:bob.test") as other:
                await one.hang_up()
                async with asyncio.timeout(1):
                    await bridge(one, other)
                with pytest.raises(CallEnded):
                    await one.hold()
    assert world.leftovers == []
