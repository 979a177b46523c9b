"""What a handler raises is told at once, whatever happens around it."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import Invitation, SipError
from sipstack.testing.world import World

pytestmark = pytest.mark.virtual_time


class Clumsy(Exception):
    """A mistake of the handler."""


@pytest.fixture
def reported() -> list[str]:
    """What goes to the loop's exception handler, once a test has asked for it."""
    return []


def report_to(reported: list[str]) -> None:
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: reported.append(repr(context["exception"]))
    )


async def calling(world: World) -> None:
    """Somebody whose call comes to nothing."""
    async with world.user_agent("alice") as alice:
        try:
            async with alice.call("sip:bob.test"):
                await asyncio.sleep(1000)
        except SipError:
            pass


@pytest.mark.parametrize("seconds", [0.0, 1.0, 3.9, 4.1, 10.0])
@pytest.mark.parametrize("accepts", [True, False])
async def test_while_the_agent_closes(
    world: World, seconds: float, accepts: bool, reported: list[str]
) -> None:
    """It is cancelled, tidies up for a while, and makes a mistake: before or after the agent has left."""
    report_to(reported)

    async def handler(invitation: Invitation) -> None:
        try:
            if accepts:
                async with invitation.accept():
                    await asyncio.sleep(100)
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(seconds)
            raise Clumsy

    async with world.user_agent("bob") as bob:
        serving = asyncio.create_task(bob.serve(handler))
        caller = asyncio.create_task(calling(world))
        await asyncio.sleep(2)
    await asyncio.sleep(20)
    assert reported == ["Clumsy()"]
    for task in (serving, caller):
        task.cancel()
    await asyncio.gather(serving, caller, return_exceptions=True)
    assert world.leftovers == []


async def test_while_the_caller_gives_up(world: World, reported: list[str]) -> None:
    report_to(reported)

    async def handler(invitation: Invitation) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            raise Clumsy

    async with world.user_agent("bob") as bob, bob.serving(handler):
        caller = asyncio.create_task(calling(world))
        await asyncio.sleep(1)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        assert reported == ["Clumsy()"]
    assert world.leftovers == []


async def test_a_mistake_of_ours_behind_the_handler_is_told_at_once(
    world: World, reported: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report_to(reported)

    async def broken(invitation: Invitation) -> None:
        raise Clumsy

    monkeypatch.setattr(Invitation, "_close", broken)

    async def handler(invitation: Invitation) -> None:
        """Leaves the call to be refused."""

    async with world.user_agent("bob") as bob, bob.serving(handler):
        await calling(world)
        assert reported == ["Clumsy()"]
