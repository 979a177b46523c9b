"""Blocks that end with a call: what waits for something else is told when the call ends."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import CallEnded, Invitation
from sipstack.testing.world import World

pytestmark = pytest.mark.virtual_time


async def stay(invitation: Invitation) -> None:
    async with invitation.accept() as call:
        await call.ended()


async def leave_after_a_second(invitation: Invitation) -> None:
    async with invitation.accept():
        await asyncio.sleep(1)


async def test_the_block_is_cancelled_when_the_call_ends(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(leave_after_a_second), alice.call("sip:bob@bob.test") as call:
            with pytest.raises(CallEnded) as ended:
                async with call.scope():
                    await asyncio.Event().wait()
            assert ended.value.by == "remote"
            assert asyncio.get_running_loop().time() == pytest.approx(1.0, abs=0.1)
            await asyncio.sleep(1)  # the task itself was not cancelled
    assert world.leftovers == []


async def test_a_call_that_is_over_lets_no_block_begin(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(stay), alice.call("sip:bob@bob.test") as call:
            await call.hang_up()
            with pytest.raises(CallEnded) as ended:
                async with call.scope():
                    pytest.fail("began")
            assert ended.value.by == "local"


async def test_a_block_that_ends_first_hears_no_more_of_it(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(leave_after_a_second), alice.call("sip:bob@bob.test") as call:
            async with call.scope():
                await asyncio.sleep(0.5)
            await asyncio.sleep(5)
            assert (await call.ended()).by == "remote"
    assert world.leftovers == []


async def test_an_error_in_the_block_is_the_blocks(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(stay), alice.call("sip:bob@bob.test") as call:
            with pytest.raises(ZeroDivisionError):
                async with call.scope():
                    raise ZeroDivisionError


async def test_a_cancellation_from_elsewhere_stays_one(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(stay), alice.call("sip:bob@bob.test") as call:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1), call.scope():
                    await asyncio.Event().wait()


async def test_both_at_the_same_moment_is_a_cancellation(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(stay), alice.call("sip:bob@bob.test") as call:

            async def wait() -> None:
                async with call.scope():
                    await asyncio.Event().wait()

            task = asyncio.create_task(wait())
            await asyncio.sleep(0.1)
            await call.hang_up()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_the_second_leg_of_two_is_cancelled_with_the_first(world: World) -> None:
    """Click-to-dial: the caller hangs up while the callee's phone rings."""
    rang = asyncio.get_running_loop().create_future()

    async def ring(invitation: Invitation) -> None:
        await invitation.progress(180)
        try:
            await asyncio.sleep(60)
        finally:
            rang.set_result((invitation.cancelled, asyncio.get_running_loop().time()))

    async with (
        world.user_agent("switch") as switch,
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        alice.serving(leave_after_a_second),
        bob.serving(ring),
    ):

        async def dial() -> None:
            async with switch.call("sip:alice@alice.test") as one, one.scope():
                async with switch.call("sip:bob@bob.test"):
                    pytest.fail("answered")

        with pytest.raises(CallEnded):
            await dial()
        assert await rang == (True, pytest.approx(1.0, abs=0.1))
    assert world.leftovers == []
