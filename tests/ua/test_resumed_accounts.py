"""Whose call a resumed one is: its requests go on in the name of its account, and what it holds counts."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from sipstack import Account, Call, CallRejected, Limits, UserAgent
from sipstack.store.memory import MemoryStore
from sipstack.testing.killing import kill
from sipstack.testing.world import World
from tests.ua.handlers import Answering
from tests.ua.resumption import Resumption

pytestmark = pytest.mark.virtual_time

WORK = Account("sip:work@bob.test", password="secret", display_name="Bob at Work")
BOB: dict[str, Any] = {"accounts": [WORK], "password": "mine"}


def identity(call: Call) -> Any:
    return call._session.usages.identity


def contacts(world: World, method: bytes) -> list[str]:
    """What Bob's requests of this kind gave as his Contact."""
    sent = [
        each.data for each in world.trace if each.source[0] == "10.0.0.2" and each.data.startswith(method)
    ]
    return [re.findall(rb"\r\nContact: <([^>]*)", data)[0].decode() for data in sent]


async def called(target: str) -> tuple[Call, Call, World]:
    """Alice calls ``target`` of Bob's, who is killed: his call before and after; he has held."""
    stage = Resumption(**BOB)
    world = stage.world
    async with world.user_agent("alice") as alice:
        first = stage.bob()
        async with first, first.serving(stage._answer), alice.call(target):
            await asyncio.sleep(0.5)
            await kill(first)
            async with stage.bob() as bob:
                (kept,) = await bob.sessions()
                call = await bob.resume(kept)
                await call.hold()
                await call.hang_up()
    assert stage.first is not None
    assert world.leftovers == []
    return stage.first, call, world


async def test_a_call_that_came_to_another_account_goes_on_as_its_call() -> None:
    before, after, world = await called("sip:work@bob.test")
    assert identity(after) == identity(before) == WORK._identity.for_callers
    assert [contact.partition("@")[0] for contact in contacts(world, b"INVITE")] == ["sip:work"]


async def test_one_that_came_to_the_first_account_needs_nothing_to_say_so() -> None:
    before, after, world = await called("sip:bob@bob.test")
    assert identity(after) == identity(before)
    assert "account" not in (after._session.application or {})
    assert [contact.partition("@")[0] for contact in contacts(world, b"INVITE")] == ["sip:bob"]


async def placed(**wishes: Any) -> tuple[Call, Call, World]:
    """Bob calls Alice as ``wishes`` say, and is killed: his call before and after; he has held."""
    world, store = World(), MemoryStore()

    def bob() -> UserAgent:
        return world.user_agent("bob", sessions=store, node="bob", **BOB)

    async with world.user_agent("alice") as alice, alice.serving(Answering()):
        first = bob()
        async with first, first.call("sip:alice@alice.test", **wishes) as before:
            await kill(first)
            async with bob() as second:
                (kept,) = await second.sessions()
                after = await second.resume(kept)
                await after.hold()
                await after.hang_up()
    assert world.leftovers == []
    return before, after, world


async def test_a_call_that_another_account_placed_goes_on_as_its_call() -> None:
    _, _, world = await placed(account=WORK)
    assert [contact.partition("@")[0] for contact in contacts(world, b"INVITE")] == ["sip:work"] * 2
    again = [each.data for each in world.trace if each.data.startswith(b"INVITE")][1]
    assert b'\r\nFrom: "Bob at Work" <sip:work@bob.test>;tag=' in again


@pytest.mark.parametrize("account", [WORK, None])
async def test_who_got_no_digest_of_our_password_gets_none_after_a_restart(account: Account | None) -> None:
    """Alice is no host of our account's: she could guess the password from the answer to a challenge."""
    before, after, _ = await placed(account=account)
    assert identity(before).accounts == identity(after).accounts == ()
    assert identity(after).withheld


async def test_who_was_not_to_be_known_is_not_after_a_restart() -> None:
    before, after, world = await placed(account=WORK, privacy="id")
    assert identity(after).user == identity(before).user == ""
    assert ["@" in contact for contact in contacts(world, b"INVITE")] == [False, False]


async def test_an_account_that_is_no_more_leaves_its_calls_to_the_first() -> None:
    stage = Resumption(**BOB)
    async with stage.world.user_agent("alice") as alice:
        first = stage.bob()
        async with first, first.serving(stage._answer), alice.call("sip:work@bob.test") as call:
            await asyncio.sleep(0.5)
            await kill(first)
            async with stage.bob(accounts=[]) as bob:
                (kept,) = await bob.sessions()
                resumed = await bob.resume(kept)
                assert identity(resumed).user == "bob"
                await resumed.hold()
                assert call.remote_held
                await resumed.hang_up()
    assert stage.world.leftovers == []


# -- limits ------------------------------------------------------------------------------------------------


async def refused(alice: UserAgent) -> bool:
    try:
        async with alice.call("sip:bob@bob.test"):
            return False
    except CallRejected as error:
        return error.status == 503


async def test_a_resumed_call_takes_the_room_of_a_new_one_until_it_is_over() -> None:
    stage = Resumption(limits=Limits(calls=1), on_resume=None)
    async with stage.again() as (call, bob), bob.serving(Answering()):
        (kept,) = await bob.sessions()
        assert stage.alice is not None
        assert not await refused(stage.alice)  # it is not here yet
        resumed = await bob.resume(kept)
        assert await refused(stage.alice)
        await resumed.hang_up()
        await call.ended()
        assert not await refused(stage.alice)


async def test_what_was_answered_before_goes_on_beyond_the_limit() -> None:
    stage = Resumption(limits=Limits(calls=1))
    async with stage.again() as (call, bob), bob.serving(Answering()):
        assert stage.alice is not None
        (kept,) = await bob.sessions()
        async with stage.alice.call("sip:bob@bob.test"):
            await bob.resume(kept)
            await call.hold()
            assert await refused(stage.alice)
        assert await refused(stage.alice)  # the resumed one is there
        await call.hang_up()
        await asyncio.sleep(1)
        assert not await refused(stage.alice)


async def test_a_call_that_we_placed_takes_no_room_as_before() -> None:
    world, store, limits = World(), MemoryStore(), Limits(calls=1)
    async with world.user_agent("alice") as alice, alice.serving(Answering()):
        first = world.user_agent("bob", sessions=store, node="bob", limits=limits)
        async with first, first.call("sip:alice@alice.test"):
            await kill(first)
            second = world.user_agent("bob", sessions=store, node="bob", limits=limits)
            async with second, second.serving(Answering()):
                (kept,) = await second.sessions()
                call = await second.resume(kept)
                assert not await refused(alice)
                await call.hang_up()
    assert world.leftovers == []
