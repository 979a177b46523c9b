"""The task that awaits is cancelled at every moment of a call, in both roles: nothing is left over."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import Invitation
from sipstack.testing.link import Link
from sipstack.testing.media import SilentMedia
from sipstack.testing.world import World

pytestmark = pytest.mark.virtual_time

# A call over this link: INVITE at 0, 180 at 0.1, 200 at 0.3, hold at 0.6, BYE at 1.0, over at 1.2.
LINK = Link(delay=0.05)
MOMENTS = [moment / 100 for moment in range(0, 140, 2)]


async def answering(invitation: Invitation) -> None:
    await invitation.progress(180)
    await asyncio.sleep(0.2)
    async with invitation.accept() as call:
        await asyncio.sleep(0.45)
        await call.hold()
        await call.ended()


async def quiet(world: World) -> None:
    """Wait until every transaction has run out."""
    await asyncio.sleep(200)


@pytest.mark.parametrize("offer", [True, False], ids=["early-offer", "late-offer"])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_caller_is_cancelled(moment: float, offer: bool) -> None:
    world = World(link=LINK)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(answering):

        async def call() -> None:
            async with alice.invite("sip:bob@bob.test", offer=offer) as outgoing:
                async for _ in outgoing.provisionals():
                    pass
                established = await outgoing.answered()
                await asyncio.sleep(0.3)
                await established.hold()
                await asyncio.sleep(0.2)

        task = asyncio.create_task(call())
        await asyncio.sleep(moment)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await quiet(world)
        assert (alice.calls, bob.calls) == ([], [])
        assert (alice._runtime.core.leftovers(), bob._runtime.core.leftovers()) == ([], [])
    assert world.leftovers == []


@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_caller_leaves_at_once(moment: float) -> None:
    """Cancelled twice: the second time while it waits for the other side's answer to BYE or CANCEL."""
    world = World(link=LINK)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(answering):

        async def call() -> None:
            async with alice.call("sip:bob@bob.test"):
                await asyncio.sleep(0.5)

        task = asyncio.create_task(call())
        await asyncio.sleep(moment)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await quiet(world)
        assert (alice.calls, bob.calls) == ([], [])
        assert (alice._runtime.core.leftovers(), bob._runtime.core.leftovers()) == ([], [])
    assert world.leftovers == []


@pytest.mark.parametrize("offer", [True, False], ids=["early-offer", "late-offer"])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_callee_stops_serving(moment: float, offer: bool) -> None:
    world = World(link=LINK)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:

        async def call() -> None:
            async with alice.invite("sip:bob@bob.test", offer=offer) as outgoing:
                established = await outgoing.answered()
                await established.ended()

        task = asyncio.create_task(call())
        async with bob.serving(answering):
            await asyncio.sleep(moment)
        await asyncio.gather(task, return_exceptions=True)
        await quiet(world)
        assert (alice.calls, bob.calls) == ([], [])
        assert (alice._runtime.core.leftovers(), bob._runtime.core.leftovers()) == ([], [])
    assert world.leftovers == []


class SlowToClose(SilentMedia):
    """Media that takes a second to free what it holds."""

    async def close(self) -> None:
        await asyncio.sleep(1)
        await super().close()


@pytest.mark.parametrize("after", [0.5, 3])
async def test_media_is_closed_even_when_leaving_is_cancelled_meanwhile(world: World, after: float) -> None:
    made: list[SlowToClose] = []

    def media(host: str) -> SlowToClose:
        made.append(SlowToClose(host))
        return made[-1]

    async with world.user_agent("bob") as bob, bob.serving(answering):
        async with world.user_agent("alice", media=media) as alice:

            async def call() -> None:
                async with alice.call("sip:bob@bob.test"):
                    pass

            calling = asyncio.create_task(call())
            await asyncio.sleep(0.3 + after)
            calling.cancel()
            await asyncio.wait([calling])
            await asyncio.sleep(2)
            assert [media.closed for media in made] == [True]
    assert world.leftovers == []
