"""A node that leaves its cluster, with calls whose state their peers have: there is nothing to hand over."""

from __future__ import annotations

import asyncio
import logging
import random

import pytest

from sipstack import Invitation, RequestFailed, UserAgent
from sipstack.store.sealed import Sealed
from sipstack.testing.world import World
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time

BOB = "sip:bob@bob.test"
NOISE = random.Random(1).randbytes(300).hex()
"""Of call.data: it does not fit into a seal."""


def node(world: World, number: int) -> UserAgent:
    """One of several that answer as bob and have the same keys; the latest has his address."""
    sealed = Sealed([bytes(range(32))], number, clock=lambda: 1_800_000_000.0 + world.now)
    return world.user_agent("bob", sessions=sealed)


# -- what cannot be handed over ----------------------------------------------------------------------------


async def test_a_call_too_large_for_a_seal_is_left_until_the_deadline_and_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(invitation: Invitation) -> None:
        invitation.data["what"] = NOISE
        async with invitation.accept() as call:
            await call.ended()

    async with world.user_agent("alice") as alice:
        async with node(world, 0) as one, one.serving(answer):
            call = await alice.call(BOB).__aenter__()
            await asyncio.sleep(1.0)
            with caplog.at_level(logging.WARNING, "sipstack"):
                assert await one.drain(5.0, hand_over=True) == 1
            assert "1 calls cannot be handed over" in caplog.text
            await call.hold()  # it has lived on meanwhile
        assert (await call.ended()).by == "remote"


async def test_a_call_that_became_too_large_is_not_handed_over_as_it_was_before(world: World) -> None:
    async with world.user_agent("alice") as alice:
        async with node(world, 0) as one, one.serving(Answering()):
            call = await alice.call(BOB).__aenter__()
            await asyncio.sleep(1.0)
            one.calls[0].data["what"] = NOISE
            await asyncio.sleep(1.0)
            assert await one.drain(5.0, hand_over=True) == 1
        assert (await call.ended()).by == "remote"


async def test_a_call_whose_peer_does_not_hear_of_its_state_is_not_handed_over(world: World) -> None:
    async with world.user_agent("alice") as alice, alice.serving(Answering()):
        async with node(world, 0) as one:
            call = await one.call("sip:alice@alice.test").__aenter__()
            world.network.partition({"10.0.0.1"}, {"10.0.0.2"})
            assert await one.drain(5.0, hand_over=True) == 1
            world.network.heal()
        assert (await call.ended()).by == "local"


async def test_without_handing_over_calls_are_waited_for(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        node(world, 0) as one,
        one.serving(Answering()),
        alice.call(BOB),
    ):
        assert await one.drain(5.0) == 1


# -- what is -----------------------------------------------------------------------------------------------


async def test_a_call_that_came_in_goes_on_at_the_node_that_its_next_request_reaches(world: World) -> None:
    answering = Answering()
    async with world.user_agent("alice") as alice:
        async with node(world, 0) as one, one.serving(answering):
            call = await alice.call(BOB).__aenter__()
            await asyncio.sleep(1.0)
            world.ladder()
            began = world.now
            assert await one.drain(hand_over=True) == 0
            assert world.now - began < 1.0
            assert [by for by, _ in answering.ends] == ["elsewhere"]
            with pytest.raises(RequestFailed) as refused:
                await call.hold()
            assert refused.value.status == 503
        assert not any(" BYE " in line for line in world.ladder())
        async with node(world, 1) as two:
            await call.hold()
            assert [each.resumed for each in two.calls] == [True]
            await call.hang_up()


async def test_a_call_that_was_just_placed_is_handed_over_once_the_peer_was_told_of_it(world: World) -> None:
    async with world.user_agent("alice") as alice, alice.serving(Answering()):
        async with node(world, 0) as one:
            call = await one.call("sip:alice@alice.test").__aenter__()
            began = world.now
            assert await one.drain(5.0, hand_over=True) == 0
            assert 0.1 <= world.now - began < 1.0
            assert (await call.ended()).by == "elsewhere"
        async with node(world, 1) as two:
            (theirs,) = alice.calls
            await theirs.hold()
            assert [each.resumed for each in two.calls] == [True]
            await theirs.hang_up()


async def test_a_call_that_is_being_changed_is_handed_over_when_that_is_done(world: World) -> None:
    async with world.user_agent("alice") as alice:
        async with node(world, 0) as one, one.serving(Answering()):
            call = await alice.call(BOB).__aenter__()
            holding = asyncio.create_task(call.hold())
            assert await one.drain(5.0, hand_over=True) == 0
            await holding
        async with node(world, 1):
            await call.hang_up()


async def test_a_call_that_we_had_changed_is_handed_over_once_the_peer_was_told_its_answer(
    world: World,
) -> None:
    async with world.user_agent("alice") as alice:
        async with node(world, 0) as one, one.serving(Answering()):
            call = await alice.call(BOB).__aenter__()
            await one.calls[0].hold()
            assert await one.drain(5.0, hand_over=True) == 0
        async with node(world, 1) as two:
            await call.hold()
            (theirs,) = two.calls
            assert theirs.held  # by us, before
            await call.hang_up()
