"""Calls that are set aside: they take no room here, and come back when somebody or something needs them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sipstack import Call, CallEnded, Invitation, LocalProtocolError, UserAgent
from sipstack.core.keeping import Keeping
from sipstack.store.memory import MemoryStore
from sipstack.testing.ladders import ladder
from sipstack.testing.world import World
from sipstack.usage.invite.expiry import Expiry
from sipstack.usage.invite.session_timer import SessionTimer

pytestmark = pytest.mark.virtual_time


class Stage:
    """Alice calls Bob, who sets each call aside once it is up, and again when it has come back, where he is
    ``patient`` for so many seconds.
    """

    def __init__(self, *, again: bool = True, patient: float = 0.2, **options: Any) -> None:
        self.world = World()
        self.store = MemoryStore()
        self.again, self.patient = again, patient
        self.options = options
        self.notes: dict[str, Any] = {}
        self.calls: list[Call] = []
        self.ends: list[CallEnded] = []

    def bob(self, name: str = "bob", **options: Any) -> UserAgent:
        chosen = {"sessions": self.store, "node": name, "on_resume": self.resumed, **self.options, **options}
        return self.world.user_agent("bob", **chosen)

    async def answer(self, invitation: Invitation) -> None:
        async with invitation.accept() as call:
            call.data.update(self.notes)
            await self.leave(call)

    async def resumed(self, call: Call) -> None:
        await asyncio.sleep(self.patient)
        if self.again:
            await self.leave(call)
        else:
            self.calls.append(call)
            await call.ended()

    async def leave(self, call: Call) -> None:
        self.calls.append(call)
        await call.set_aside()
        self.ends.append(await call.ended())

    @contextlib.asynccontextmanager
    async def aside(self, **options: Any) -> AsyncIterator[tuple[Call, UserAgent]]:
        """Alice's call, which Bob has set aside."""
        alice = self.world.user_agent("alice", **options)
        bob = self.bob()
        async with alice, bob, bob.serving(self.answer), alice.call("sip:bob@bob.test") as call:
            await asyncio.sleep(0.5)
            assert [end.by for end in self.ends] == ["elsewhere"]
            self.world.ladder()
            yield call, bob
        assert self.world.leftovers == []

    @contextlib.asynccontextmanager
    async def back(self) -> AsyncIterator[tuple[Call, UserAgent, Call]]:
        """The same, and Bob's side of it: Alice has asked for something, so it is here again."""
        async with self.aside() as (call, bob):
            await call.hold()
            await asyncio.sleep(0.5)
            yield call, bob, bob.calls[0]


def kept_here(agent: UserAgent) -> list[object]:
    """What the core of ``agent`` has of calls."""
    core = agent._runtime.core
    assert isinstance(core.keeper, Keeping)
    return [*core._dialogs, *core.keeper._epochs, *core.keeper.waiting()]


async def test_nothing_of_it_is_left_here_and_its_peer_hears_nothing() -> None:
    stage = Stage()
    async with stage.aside(session_timer=None) as (call, bob):
        assert bob.calls == []
        assert kept_here(bob) == []
        assert len(stage.store) == 1
        await asyncio.sleep(3600)
        assert stage.world.ladder() == []
        assert len(stage.calls) == 1
        assert [kept.id for kept in await bob.sessions()] == [call.id]


async def test_the_bye_of_the_peer_is_answered() -> None:
    stage = Stage(again=False)
    async with stage.aside() as (call, bob):
        await call.hang_up()
        assert stage.world.ladder() == ladder("""
            alice -> bob BYE sip:bob@10.0.0.2:5060 [2]
            bob -> alice 200 OK [2 BYE]
        """)
        assert (bob.calls, len(stage.store)) == ([], 0)


async def test_each_request_of_the_peer_brings_it_back_and_it_can_be_set_aside_again() -> None:
    stage = Stage()
    async with stage.aside() as (call, bob):
        for turn in range(1, 4):
            await call.hold()
            await call.resume()
            await asyncio.sleep(1.0)
            assert len(stage.calls) == 1 + turn
            assert bob.calls == []
            assert kept_here(bob) == []
        assert [end.by for end in stage.ends] == ["elsewhere"] * 4
        assert all(each.resumed for each in stage.calls[1:])


async def test_its_data_come_back() -> None:
    stage = Stage(again=False)
    stage.notes["ticket"] = 7
    async with stage.aside() as (call, _):
        await call.hold()
        await asyncio.sleep(1.0)
        assert stage.calls[-1].data["ticket"] == 7


async def test_ours_to_refresh_it_comes_back_in_time_and_is_refreshed() -> None:
    stage = Stage(session_timer=SessionTimer(expires=200, refresher="local"))
    async with stage.aside() as (call, bob):
        await asyncio.sleep(99.0)
        assert stage.world.ladder() == []
        await asyncio.sleep(2.0)
        (request, answer) = stage.world.ladder()
        assert ("UPDATE" in request, "200 OK" in answer) == (True, True)
        assert bob.calls == []
        await asyncio.sleep(1000.0)
        assert not call._is_over
        assert len(stage.ends) == 12


async def test_of_a_peer_that_refreshes_no_more_the_end_comes_in_time() -> None:
    stage = Stage(session_timer=SessionTimer(expires=200, refresher="remote"))
    async with stage.aside() as (call, _):
        runtime = call._runtime
        runtime.driver._draining = True  # the peer is dead
        await asyncio.sleep(210.0)
        assert len(stage.store) == 0
        assert (await stage.calls[-1].ended()).by == "session timer"
        runtime.driver._draining = False


async def test_its_age_ends_it() -> None:
    stage = Stage(session_timer=None, expiry=Expiry(age=60))
    async with stage.aside(session_timer=None) as (call, _):
        end = await call.ended()
        assert end.by == "remote"
        assert call.duration == pytest.approx(60, abs=1)


async def test_being_idle_for_too_long_ends_it() -> None:
    stage = Stage(again=False, session_timer=None, expiry=Expiry(idle=60))
    async with stage.aside(session_timer=None) as (call, _):
        await asyncio.sleep(61.0)
        assert len(stage.calls) == 2  # counted anew from here on
        assert (await call.ended()).by == "remote"
        assert call.duration < 130


async def test_a_call_in_which_something_is_under_way_waits_until_it_is_done() -> None:
    stage = Stage(again=False)
    async with stage.back() as (call, bob, back):
        holding = asyncio.create_task(back.hold())
        await asyncio.sleep(0)
        await back.set_aside()
        assert holding.done()
        await holding
        assert len(stage.store) == 1


async def test_what_is_set_aside_while_the_call_ends_is_over() -> None:
    stage = Stage(again=False)
    async with stage.back() as (call, bob, back):
        stage.store._most = 0  # what is new is refused; and this is none
        ending = asyncio.create_task(call.hang_up())
        offering = asyncio.create_task(back.hold())
        await asyncio.sleep(0)
        with pytest.raises(CallEnded):
            await back.set_aside()
        with pytest.raises(CallEnded):
            await back.set_aside()
        with pytest.raises(CallEnded):
            await offering
        await ending


async def test_cancelling_it_leaves_the_call_as_it_is() -> None:
    stage = Stage(again=False)
    async with stage.back() as (call, bob, back):
        holding = asyncio.create_task(back.hold())
        await asyncio.sleep(0)
        leaving = asyncio.create_task(back.set_aside())
        await asyncio.sleep(0)
        leaving.cancel()
        await holding
        await asyncio.sleep(1.0)
        assert bob.calls == [back]


async def test_the_application_can_have_it_back_by_itself() -> None:
    stage = Stage(again=False)
    async with stage.aside() as (call, bob):
        (kept,) = await bob.sessions()
        back = await bob.resume(kept)
        assert back.id == call.id
        await back.hang_up()
        assert (await call.ended()).by == "remote"


async def test_after_a_restart_it_is_there_as_any_other() -> None:
    stage = Stage(again=False)
    async with stage.aside() as (call, bob):
        await bob.__aexit__(None, None, None)
        async with stage.bob():
            await asyncio.sleep(1.0)
            assert [each.id for each in stage.calls[1:]] == [call.id]
            await call.hang_up()


async def test_without_a_store_there_is_nowhere_to_set_it_aside() -> None:
    world = World()
    alice, bob = world.user_agent("alice"), world.user_agent("bob")

    async def answer(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            await call.ended()

    async with alice, bob, bob.serving(answer), alice.call("sip:bob@bob.test") as call:
        with pytest.raises(LocalProtocolError, match="only a call that a store has can be set aside"):
            await call.set_aside()
        await call.hold()
    assert world.leftovers == []


async def test_while_its_store_is_away_it_stays_here() -> None:
    stage = Stage(again=False)
    async with stage.back() as (call, bob, back):
        stage.store._most_octets = 1  # no record fits any more
        back.data["note"] = "x" * 500
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await back.set_aside()
        assert bob.calls == [back]
        await call.hang_up()
