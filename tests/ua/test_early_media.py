"""Audio before the answer, on either side, and how it goes on in the call."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from sipstack import AudioSession, CallRejected, Invitation, LocalProtocolError, sdp
from sipstack.media.tones import sine
from sipstack.message import Request
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.media.hearing import Ear, loudness, purity

pytestmark = pytest.mark.virtual_time


def heard(ear: Ear, start: float, end: float) -> bytes:
    """What it heard between these seconds of its life."""
    return b"".join(ear.frames[round(start * 50) : round(end * 50)])


async def test_both_hear_each_other_before_the_answer() -> None:
    world = World(audio=True)
    at_bob, at_alice = Ear(), Ear()

    async def announce(invitation: Invitation) -> None:
        await invitation.progress(183, early_media=True)
        async with invitation.recording(at_bob), invitation.playing(sine(1000.0, 9.0)):
            await asyncio.sleep(3)
            assert invitation.codec == "PCMU"
            assert invitation.security is None
            assert invitation.statistics.packets_received > 100
        await invitation.reject(404)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(announce):
        async with alice.invite(bob.contact) as outgoing:
            async with outgoing.recording(at_alice), outgoing.playing(sine(400.0, 9.0)):
                with pytest.raises(CallRejected):
                    await outgoing.answered()
    assert purity(heard(at_alice, 0.5, 2.5), 1000.0) > 0.99
    assert purity(heard(at_bob, 0.5, 2.5), 400.0) > 0.99
    assert world.leftovers == []


async def test_it_goes_on_in_the_call_without_a_gap() -> None:
    world = World(audio=True)
    ear = Ear()

    async def announce(invitation: Invitation) -> None:
        await invitation.progress(183, early_media=True)
        audio = invitation.audio
        async with invitation.playing(sine(1000.0, 9.0)):
            await asyncio.sleep(2)
            async with invitation.accept() as call:
                assert call.audio is audio
                await call.ended()

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(announce):
        async with alice.invite(bob.contact) as outgoing, outgoing.recording(ear):
            call = await outgoing.answered()
            assert call.audio is outgoing.audio
            await asyncio.sleep(2)
            assert call.statistics.packets_lost == call.statistics.frames_concealed == 0
    assert len(ear.frames) >= 190
    assert all(purity(heard(ear, at / 10, at / 10 + 0.2), 1000.0) > 0.99 for at in range(5, 35))
    assert world.leftovers == []


async def test_who_listens_before_anything_comes_hears_silence() -> None:
    world = World(audio=True)
    ear = Ear()

    async def ring(invitation: Invitation) -> None:
        await invitation.progress(180)
        await asyncio.sleep(2)
        await invitation.reject(486)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(ring):
        async with alice.invite(bob.contact) as outgoing, outgoing.recording(ear):
            assert outgoing.codec is None
            with pytest.raises(CallRejected):
                await outgoing.answered()
    assert len(ear.frames) == pytest.approx(100, abs=2)
    assert loudness(b"".join(ear.frames)) == 0.0
    assert world.leftovers == []


async def test_an_invitation_has_no_media_before_and_its_call_has_it_after() -> None:
    world = World(audio=True)

    async def answer(invitation: Invitation) -> None:
        await invitation.progress(180)
        with pytest.raises(LocalProtocolError, match="early_media=True"):
            await invitation.play(sine(1000.0, 1.0))
        await invitation.progress(183, early_media=True)
        await invitation.play(sine(1000.0, 0.1))
        async with invitation.accept() as call:
            with pytest.raises(LocalProtocolError, match="until its call has it"):
                _ = invitation.audio
            await call.ended()

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(answer):
        async with alice.call(bob.contact):
            pass
    assert world.leftovers == []


async def test_the_caller_gives_up_during_an_announcement() -> None:
    world = World(audio=True)
    cancelled = asyncio.Event()

    async def announce(invitation: Invitation) -> None:
        await invitation.progress(183, early_media=True)
        try:
            await invitation.play(sine(1000.0, 60.0))
        finally:
            cancelled.set()

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(announce):
        async with alice.invite(bob.contact) as outgoing:
            await asyncio.sleep(2)
            assert outgoing.statistics.packets_received > 50
        await cancelled.wait()
    assert world.leftovers == []


# --- forks ---


class Phone:
    """One of several that ring: audio of its own, behind a proxy that passes its responses on."""

    def __init__(self, world: World, proxy: ScriptedPeer, tag: str, host: str, frequency: float) -> None:
        self.session: AudioSession = world.audio_session(host)
        self._proxy, self._tag, self._frequency = proxy, tag, frequency
        self._answer = b""

    async def respond(self, invite: Request, status: int) -> None:
        if not self._answer:
            self._answer = bytes(await self.session.answer(sdp.parse(invite.body)))
            self.session.confirmed()
        self._proxy.answer(invite, status, self._tag, body=self._answer)

    @contextlib.asynccontextmanager
    async def talking(self) -> AsyncIterator[None]:
        async with self.session.audio.playing(sine(self._frequency, 60.0)):
            yield
        await self.session.close()


async def test_of_two_forks_the_one_that_spoke_last_is_heard_and_then_the_one_that_answers() -> None:
    world = World(audio=True)
    ear = Ear()
    async with ScriptedPeer(world, "proxy") as proxy, world.user_agent("alice") as alice:
        one = Phone(world, proxy, "one", "10.0.9.1", 400.0)
        two = Phone(world, proxy, "two", "10.0.9.2", 1000.0)
        async with alice.invite("sip:proxy.test") as outgoing, one.talking(), two.talking():
            await proxy.received(1)
            invite = proxy.invite
            async with outgoing.recording(ear):
                await one.respond(invite, 183)
                await asyncio.sleep(2)
                await two.respond(invite, 183)
                await asyncio.sleep(2)
                await one.respond(invite, 200)
                call = await outgoing.answered()
                await asyncio.sleep(2)
            assert proxy.methods == ["INVITE", "ACK"]
            proxy.send((world.names["alice.test"][0], 5060), proxy.back("BYE", 1, "one"))
            assert (await call.ended()).by == "remote"
    for (start, end), frequency in {(0.5, 1.9): 400.0, (2.5, 3.9): 1000.0, (4.5, 5.9): 400.0}.items():
        assert purity(heard(ear, start, end), frequency) > 0.99
    assert world.leftovers == []
