"""Calls that end by themselves, as an application chooses it: by age, and by idleness."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipstack import Expiry, MediaStatistics, SessionTimer
from sipstack.testing.media import SilentMedia
from sipstack.testing.world import World
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time


def sent(world: World, by: str = "alice") -> list[str]:
    return [line.split()[3] for line in world.ladder(by)]


# --- idle ---


async def test_a_call_in_which_nothing_is_heard_or_asked_ends(world: World) -> None:
    callee = Answering()
    async with world.user_agent("bob", expiry=Expiry(idle=60.0)) as bob, bob.serving(callee):
        async with world.user_agent("alice") as alice, alice.call("sip:bob.test") as call:
            end = await call.ended()
            assert 60 <= call.duration <= 75
            assert end.by == "remote"
            assert end.reason == 'SIP;cause=408;text="nothing heard and no request for 60 s"'
    assert callee.ends == [("expired", "nothing heard and no request for 60 s")]
    assert world.leftovers == []


async def test_a_request_of_the_peer_is_a_sign(world: World) -> None:
    callee = Answering()
    async with world.user_agent("bob", expiry=Expiry(idle=60.0)) as bob, bob.serving(callee):
        async with world.user_agent("alice") as alice, alice.call("sip:bob.test") as call:
            for number in range(10):
                await asyncio.sleep(40)
                await (call.resume() if number % 2 else call.hold())
            assert callee.ends == []
            await call.ended()
            assert 400 + 60 <= call.duration <= 400 + 75


async def test_what_we_send_is_none(world: World) -> None:
    async with world.user_agent("bob") as bob, bob.serving(Answering()):
        async with world.user_agent("alice", expiry=Expiry(idle=60.0)) as alice:
            async with alice.call("sip:bob.test") as call:
                await asyncio.sleep(50)
                await call.hold()
                end = await call.ended()
                assert end.by == "expired"
                assert 60 <= call.duration <= 75


class Heard(SilentMedia):
    """Hears a packet each time that it is looked."""

    packets = 0

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self.audio._statistics = self._count

    def _count(self) -> MediaStatistics:
        return MediaStatistics(packets_received=self.packets)


async def test_audio_of_the_peer_is_a_sign(world: World) -> None:
    medias: list[Heard] = []

    def heard(host: str) -> Heard:
        medias.append(Heard(host))
        return medias[-1]

    callee = Answering()
    async with world.user_agent("bob", expiry=Expiry(idle=60.0), media=heard) as bob, bob.serving(callee):
        async with world.user_agent("alice") as alice, alice.call("sip:bob.test") as call:
            for _second in range(300):
                await asyncio.sleep(1)
                medias[0].packets += 50
            assert callee.ends == []
            await call.ended()
            assert 360 <= call.duration <= 376


async def test_a_call_that_ends_otherwise_is_watched_no_longer(world: World) -> None:
    async with world.user_agent("bob", expiry=Expiry(idle=60.0)) as bob, bob.serving(callee := Answering()):
        async with world.user_agent("alice") as alice:
            async with alice.call("sip:bob.test"):
                await asyncio.sleep(30)
            await asyncio.sleep(100)
            assert [by for by, _ in callee.ends] == ["remote"]
    assert world.leftovers == []


# --- age, and the choice of one call ---


@pytest.mark.parametrize("default", [None, Expiry(age=60.0)])
async def test_a_caller_chooses_for_one_call(world: World, default: Expiry | None) -> None:
    async with world.user_agent("bob") as bob, bob.serving(callee := Answering()):
        async with world.user_agent("alice", expiry=default) as alice:
            async with alice.call("sip:bob.test", expiry=Expiry(age=7200.0)) as call:
                end = await call.ended()
                assert (end.by, end.reason) == ("expired", "the call has lasted 7200 s")
                assert call.duration == pytest.approx(7200, abs=1)
        assert [by for by, _ in callee.ends] == ["remote"]


@pytest.mark.parametrize("default", [None, Expiry(age=60.0)])
async def test_a_callee_chooses_for_one_call(world: World, default: Expiry | None) -> None:
    ends = []

    async def answer(invitation: Any) -> None:
        async with invitation.accept(expiry=Expiry(age=7200.0, idle=10_000.0)) as call:
            ends.append((await call.ended(), call.duration))

    async with world.user_agent("bob", expiry=default, session_timer=None) as bob, bob.serving(answer):
        async with world.user_agent("alice") as alice, alice.call("sip:bob.test") as call:
            await call.ended()
        await asyncio.sleep(1)
    ((end, duration),) = ends
    assert (end.by, duration) == ("expired", pytest.approx(7200, abs=1))
    assert world.leftovers == []


async def test_refreshes_do_not_make_a_call_younger(world: World) -> None:
    timer = SessionTimer(90)
    async with world.user_agent("bob") as bob, bob.serving(Answering()):
        async with world.user_agent("alice", expiry=Expiry(age=300.0), session_timer=timer) as alice:
            async with alice.call("sip:bob.test") as call:
                assert (await call.ended()).by == "expired"
                assert call.duration == pytest.approx(300, abs=1)
    assert "UPDATE" in sent(world)


async def test_without_it_a_call_lasts(world: World) -> None:
    async with world.user_agent("bob") as bob, bob.serving(Answering()):
        async with world.user_agent("alice") as alice, alice.call("sip:bob.test") as call:
            assert call._idleness is None
            await asyncio.sleep(100_000)
            call._check_alive()
