"""The Session-ID of calls and messages, and through a back-to-back user agent (RFC 7989)."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import IncomingRequest, Invitation, LocalProtocolError, SessionId, bridge
from sipstack.testing.world import World
from tests.ua.handlers import echo

pytestmark = pytest.mark.virtual_time


def turned(session_id: SessionId | None) -> SessionId:
    """The same, as the other end sees it."""
    assert session_id is not None
    return SessionId(session_id.remote, session_id.local)


async def test_both_ends_know_it(world: World) -> None:
    seen: list[SessionId | None] = []

    async def answer(invitation: Invitation) -> None:
        seen.append(invitation.session_id)
        async with invitation.accept() as call:
            seen.append(call.session_id)
            await call.ended()

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(answer):
        async with alice.call(bob.contact) as call:
            ours = call.session_id
    assert ours is not None
    assert ours.is_complete
    assert seen == [turned(ours), turned(ours)]


async def test_without_it(world: World) -> None:
    seen: list[SessionId | None] = []

    async def take(request: IncomingRequest) -> None:
        seen.append(request.session_id)
        await request.respond(200)

    async with (
        world.user_agent("alice", session_ids=False) as alice,
        world.user_agent("bob") as bob,
        bob.serving(echo, {"MESSAGE": take}),
    ):
        async with alice.call(bob.contact) as call:
            assert call.session_id is None
        answer = await alice.message(bob.contact, "hello")
    assert seen[0] is not None
    assert not seen[0].is_complete
    assert "Session-ID" in answer.headers


async def test_a_switch_passes_on_who_calls_and_joins_both_ends(world: World) -> None:
    answered: list[SessionId | None] = []
    joined = asyncio.Event()

    async def answer(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            await joined.wait()
            await call.hold()
            answered.append(call.session_id)
            await call.ended()

    async def switch(invitation: Invitation) -> None:
        caller = invitation.session_id
        assert caller is not None
        further = {"Session-ID": SessionId(caller.remote)}
        async with agent.call(bob.contact, headers=further) as callee, invitation.accept() as call:
            asyncio.get_running_loop().call_later(1, joined.set)
            await bridge(call, callee)

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("switch") as agent,
        bob.serving(answer),
        agent.serving(switch),
    ):
        async with alice.call(agent.contact) as call:
            await joined.wait()
            await call.hold()
            await asyncio.sleep(1)
            ours = call.session_id
    assert answered == [turned(ours)]


async def test_a_side_without_it_keeps_what_the_switch_gave_it(world: World) -> None:
    heard: list[SessionId | None] = []

    async def answer(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            await asyncio.sleep(1)
            await call.hold()
            heard.append(call.session_id)
            await call.ended()

    async def switch(invitation: Invitation) -> None:
        async with agent.call(bob.contact) as callee, invitation.accept() as call:
            before = callee.session_id
            heard.append(turned(before))
            await bridge(call, callee)

    async with (
        world.user_agent("alice", session_ids=False) as alice,
        world.user_agent("bob") as bob,
        world.user_agent("switch") as agent,
        bob.serving(answer),
        agent.serving(switch),
    ):
        async with alice.call(agent.contact):
            await asyncio.sleep(2)
    assert len(heard) == 2
    assert heard[0] == heard[1]


@pytest.mark.parametrize("value", ["nonsense", "a" * 31, f"{'a' * 32};remote=b"])
async def test_what_is_none_cannot_be_given(world: World, value: str) -> None:
    async with world.user_agent("alice") as alice:
        with pytest.raises(LocalProtocolError, match="no Session-ID"):
            await alice.message("sip:bob@example.com", "hello", headers={"Session-ID": value})
