"""Whose call it is, and that he proves it again, as applications meet it (RFC 3261 §22.2)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipstack import (
    Authentication,
    Call,
    Expiry,
    Invitation,
    LocalProtocolError,
    RequestFailed,
    SessionTimer,
    UserAgent,
)
from sipstack.core.outputs import DialogKey, Load, Loaded
from sipstack.outcome import Absent, Outcome
from sipstack.store.memory import MemoryStore
from sipstack.testing.killing import kill
from sipstack.testing.world import World
from sipstack.ua.keeping import Json, Keeper, key_of

pytestmark = pytest.mark.virtual_time

REALM = "bob.test"
USERS = {"alice": "open sesame", "carol": "s3cret"}
AGAIN = Authentication(REALM, USERS, again_after=100.0)


class Front:
    """Takes calls, and keeps them."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.ends: list[str] = []

    async def __call__(self, invitation: Invitation) -> None:
        async with invitation.accept() as call:
            self.calls.append(call)
            self.ends.append((await call.ended()).by)


def caller(world: World, **options: Any) -> UserAgent:
    known = {REALM: ("alice", USERS["alice"])}
    return world.user_agent("alice", credentials=known, credentials_to=["bob.test"], **options)


def answers(world: World, status: int) -> int:
    """How often bob has answered so."""
    return sum(f" {status} " in line for line in world.ladder("bob"))


async def test_a_call_tells_whose_it_is_and_its_requests_are_asked_again_after_a_time(world: World) -> None:
    front = Front()
    async with world.user_agent("bob") as bob, bob.serving(front, authenticate=AGAIN), caller(world) as alice:
        async with alice.call("sip:bob.test") as call:
            assert (front.calls[0].user, call.user) == ("alice", None)
            assert answers(world, 401) == 1
            await call.hold()
            assert answers(world, 401) == 0  # it is not due
            await asyncio.sleep(101)
            await call.resume()
            assert answers(world, 401) == 1
    assert front.ends == ["remote"]
    assert world.leftovers == []


async def test_refreshes_prove_it_and_the_call_lasts(world: World) -> None:
    front, timer = Front(), SessionTimer(90)
    async with world.user_agent("bob") as bob, bob.serving(front, authenticate=AGAIN):
        async with caller(world, session_timer=timer) as alice, alice.call("sip:bob.test") as call:
            await asyncio.sleep(3600)
            call._check_alive()
    assert answers(world, 401) > 10


async def test_who_has_forgotten_the_password_loses_the_call_by_its_timer(world: World) -> None:
    front, timer = Front(), SessionTimer(90)
    async with world.user_agent("bob") as bob, bob.serving(front, authenticate=AGAIN):
        async with caller(world, session_timer=timer) as alice, alice.call("sip:bob.test") as call:
            for each in alice._runtime.core._authenticators.values():
                each._client = None  # it can answer no challenge any more
            await asyncio.sleep(101)
            with pytest.raises(RequestFailed, match="401"):
                await call.hold()
            assert (await call.ended()).by == "remote"
            assert 101 + 45 < call.duration < 101 + 90
        await asyncio.sleep(1)
    assert front.ends == ["session timer"]


async def test_without_a_time_nobody_is_asked_inside(world: World) -> None:
    guard = Authentication(REALM, USERS)
    async with world.user_agent("bob") as bob, bob.serving(Front(), authenticate=guard):
        async with caller(world) as alice, alice.call("sip:bob.test") as call:
            await asyncio.sleep(1700)
            await call.hold()
    assert answers(world, 401) == 1


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_nobody_can_prove_himself_again_at_once(seconds: float) -> None:
    with pytest.raises(LocalProtocolError, match="prove himself again"):
        Authentication(REALM, USERS, again_after=seconds)


# --- stolen records ---


class Told:
    """A driver that keeps what it is told."""

    def __init__(self) -> None:
        self.keep: Any = None
        self.found: list[Loaded | Absent] = []

    def now(self) -> float:
        return 0.0

    def loaded(self, load: Load, found: Loaded | Absent) -> None:
        self.found.append(found)


async def test_a_record_that_was_put_under_another_key_is_none(world: World) -> None:
    """Who can write into the store, and has stolen the record of a call, gets no call under other tags."""
    store = MemoryStore()
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", sessions=store) as bob,
        bob.serving(Front()),
        alice.call("sip:bob@bob.test"),
    ):
        (usages,) = bob._runtime.core._dialogs.values()
        key: DialogKey = usages.dialog.key
        stolen: list[Any] = []
        store.take_over(key_of(key), stolen.append)
        await asyncio.sleep(0)
        other: DialogKey = ("another", "dialog", "of eve")
        outcomes: list[Outcome] = []
        store.put(key_of(other), stolen[0].record, 0, 100.0, outcomes.append)
        driver = Told()
        keeper = Keeper(driver, store, Json(), 100.0)  # type: ignore[arg-type]
        keeper.perform(Load(other))
        keeper.perform(Load(key))
        await asyncio.sleep(0)
        assert outcomes == [Outcome.DONE]
        assert driver.found[0] is Absent.UNKNOWN
        assert isinstance(driver.found[1], Loaded)


# --- started again ---


async def test_a_call_that_is_gone_on_with_knows_its_user_and_when_it_is_to_end(world: World) -> None:
    store, expiry, ends = MemoryStore(), Expiry(idle=200.0), []
    resumed: list[Call] = []

    async def take(call: Call) -> None:
        resumed.append(call)
        ends.append((await call.ended()).by)

    def bob() -> UserAgent:
        return world.user_agent("bob", sessions=store, node="bob", expiry=expiry, on_resume=take)

    async with caller(world) as alice:
        first = bob()
        async with first, first.serving(Front(), authenticate=AGAIN), alice.call("sip:bob.test") as call:
            await asyncio.sleep(1)
            await kill(first)
            world.ladder()
            second = bob()
            async with second, second.serving(Front(), authenticate=AGAIN):
                await asyncio.sleep(1)
                assert [each.user for each in resumed] == ["alice"]
                await call.hold()
                assert answers(world, 401) == 0
                await asyncio.sleep(101)
                await call.resume()
                assert answers(world, 401) == 1
                await asyncio.sleep(300)
            assert ends == ["expired"]
