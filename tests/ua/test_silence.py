"""What is given up where nobody ever answered is left at once: no CANCEL may go out (RFC 3261 §9.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from sipstack.message import Request, Response
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.registrar import ScriptedRegistrar
from sipstack.testing.world import World

pytestmark = pytest.mark.virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(("given_up", "left"), [(0.3, 1.0), (1.0, 1.0), (7.0, 7.0)])
async def test_an_invite_that_nobody_answers(world: World, given_up: float, left: float) -> None:
    async with ScriptedPeer(world, "bob") as bob, world.user_agent("alice") as alice:
        async with alice.invite("sip:bob@bob.test"):
            await asyncio.sleep(given_up)
        assert now() == left
        assert "CANCEL" not in [request.method for request in bob.requests]
    assert now() == left  # nor does the user agent wait
    assert world.leftovers == []


async def test_the_cancel_follows_when_a_response_comes_late(world: World) -> None:
    async with world.user_agent("alice") as alice:

        def late(request: Request) -> Iterator[Response]:
            if request.method == "INVITE" and now() > 5:
                yield request.response(180, to_tag="b")
            if request.method == "CANCEL":
                yield request.response(200, to_tag="b")

        async with ScriptedPeer(world, "bob", on_request=late) as bob:
            async with alice.invite("sip:bob@bob.test"):
                await asyncio.sleep(2)
            assert now() == 2.0
            await asyncio.sleep(10)
            assert "CANCEL" in [request.method for request in bob.requests]


async def test_a_phone_that_has_said_something_is_waited_for(world: World) -> None:
    def trying(request: Request) -> Iterator[Response]:
        if request.method == "INVITE":
            yield request.response(100)

    async with ScriptedPeer(world, "bob", on_request=trying), world.user_agent("alice") as alice:
        async with alice.invite("sip:bob@bob.test"):
            await asyncio.sleep(2)
        assert now() == 6.0  # a grace of 4 s


@pytest.mark.parametrize(("given_up", "left"), [(0.3, 1.0), (7.0, 7.0)])
async def test_a_registrar_that_never_answered(world: World, given_up: float, left: float) -> None:
    async with ScriptedRegistrar(world) as registrar:
        registrar.silent = True
        async with world.user_agent("alice", registrar="sip:registrar.test") as alice:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(given_up), alice.register():
                    pass
            assert now() == left
        assert now() == left
