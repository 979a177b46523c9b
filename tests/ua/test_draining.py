"""A node that leaves its cluster: what is new goes elsewhere, what is here goes on or is handed over."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import CallRejected, Invitation, LocalProtocolError, RequestFailed, UserAgent
from sipstack.store.memory import MemoryStore
from sipstack.testing.world import World
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time

BOB = "sip:bob@bob.test"


# -- what is refused ---------------------------------------------------------------------------------------


async def test_only_who_runs_can_leave(world: World) -> None:
    with pytest.raises(LocalProtocolError):
        await world.user_agent("bob").drain()


async def test_new_calls_and_options_get_503_with_retry_after(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
    ):
        await alice.options(BOB)
        assert await bob.drain() == 0
        with pytest.raises(CallRejected) as refused:
            async with alice.call(BOB):
                pass
        assert refused.value.status == 503
        assert refused.value.response.headers.get("Retry-After")
        assert (await alice.options(BOB)).status == 503
        assert (await alice.message(BOB, "hello")).status == 503


async def test_a_deadline_leaves_calls_that_the_end_hangs_up(world: World) -> None:
    async with world.user_agent("alice") as alice:
        async with world.user_agent("bob") as bob, bob.serving(Answering()):
            call = await alice.call(BOB).__aenter__()
            began = world.now
            assert await bob.drain(10.0) == 1
            assert 9.9 < world.now - began < 10.2
        assert (await call.ended()).by == "remote"


async def test_a_call_that_nobody_keeps_is_not_handed_over(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
        alice.call(BOB) as call,
    ):
        assert await bob.drain(5.0, hand_over=True) == 1
        await call.hold()


# -- what goes on ------------------------------------------------------------------------------------------


async def test_calls_go_on_until_their_ends(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
    ):
        async with alice.call(BOB) as call:
            draining = asyncio.create_task(bob.drain())
            await asyncio.sleep(100.0)
            await call.hold()
            assert not draining.done()
        assert await draining == 0


async def test_a_call_that_rings_is_waited_for(world: World) -> None:
    async def ring(invitation: Invitation) -> None:
        await invitation.progress(180)
        await asyncio.sleep(20.0)
        async with invitation.accept() as call:
            await call.ended()

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving(ring),
        alice.invite(BOB) as outgoing,
    ):
        await asyncio.sleep(1.0)
        draining = asyncio.create_task(bob.drain())
        call = await outgoing.answered()
        assert not draining.done()
        await call.hang_up()
        assert await draining == 0


# -- handing over ------------------------------------------------------------------------------------------


def node(world: World, store: MemoryStore, name: str) -> UserAgent:
    """One of several that answer as bob, with one store; the latest has his address."""
    return world.user_agent("bob", sessions=store, node=name)


async def test_a_kept_call_is_handed_over_at_once_and_the_next_node_goes_on_with_it(world: World) -> None:
    store, answering = MemoryStore(), Answering()
    async with world.user_agent("alice") as alice:
        async with node(world, store, "one") as one, one.serving(answering):
            call = await alice.call(BOB).__aenter__()
            await asyncio.sleep(1.0)
            began = world.now
            assert await one.drain(hand_over=True) == 0
            assert world.now - began < 1.0
            assert [by for by, _ in answering.ends] == ["elsewhere"]
            assert len(store) == 1
        async with node(world, store, "two"):
            await call.hold()
            await call.hang_up()
        assert len(store) == 0


async def test_a_call_that_we_had_changed_is_handed_over(world: World) -> None:
    store = MemoryStore()
    async with world.user_agent("alice") as alice:
        async with node(world, store, "one") as one, one.serving(Answering()):
            call = await alice.call(BOB).__aenter__()
            await one.calls[0].hold()
            assert await one.drain(5.0, hand_over=True) == 0
        async with node(world, store, "two"):
            await call.hang_up()
    assert len(store) == 0


async def test_a_request_in_a_call_that_was_handed_over_gets_503_and_never_481(world: World) -> None:
    store = MemoryStore()
    async with world.user_agent("alice") as alice:
        async with node(world, store, "one") as one, one.serving(Answering()):
            call = await alice.call(BOB).__aenter__()
            await asyncio.sleep(1.0)
            assert await one.drain(hand_over=True) == 0
            with pytest.raises(RequestFailed) as refused:
                await call.hold()
            assert refused.value.status == 503
            assert len(store) == 1
        async with node(world, store, "two"):
            await call.hang_up()
    assert len(store) == 0


async def test_a_call_that_is_being_changed_is_handed_over_when_that_is_done(world: World) -> None:
    store = MemoryStore()
    async with world.user_agent("alice") as alice:
        async with node(world, store, "one") as one, one.serving(Answering()):
            call = await alice.call(BOB).__aenter__()
            holding = asyncio.create_task(call.hold())
            assert await one.drain(5.0, hand_over=True) == 0
            await holding
        async with node(world, store, "two"):
            await call.hang_up()
    assert len(store) == 0


async def test_a_call_in_which_we_have_offered_anew_is_handed_over(world: World) -> None:
    store = MemoryStore()

    async def answer(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            await call.hold()
            await call.ended()

    async with world.user_agent("alice") as alice:
        async with node(world, store, "one") as one, one.serving(answer):
            call = await alice.call(BOB).__aenter__()
            await asyncio.sleep(1.0)
            assert await one.drain(5.0, hand_over=True) == 0
        async with node(world, store, "two"):
            await call.hang_up()
    assert len(store) == 0
