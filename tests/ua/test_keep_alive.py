"""A registration keeps its way open: the keep-alives that a user agent sends, and those that it gets."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import LocalProtocolError, UserAgent
from sipstack.testing.registrar import ScriptedRegistrar
from sipstack.testing.world import World

pytestmark = pytest.mark.virtual_time


def alice_at(world: World, **options: object) -> UserAgent:
    return world.user_agent("alice", registrar="sip:registrar.test", **options)


def keep_alives(world: World, host: str = "10.0.0.2") -> list[float]:
    return [sent.time for sent in world.sent if sent.source[0] == host and sent.data == b"\r\n\r\n"]


async def test_while_registered_and_not_longer(world: World) -> None:
    async with ScriptedRegistrar(world), alice_at(world) as alice:
        async with alice.register():
            began = world.now
            await asyncio.sleep(600)
            sent = keep_alives(world)
            assert 24 <= len(sent) <= 30
            assert sent[0] - began <= 25.0
        await asyncio.sleep(600)
        assert keep_alives(world) == sent


async def test_not_before_the_registrar_has_agreed(world: World) -> None:
    async with ScriptedRegistrar(world) as registrar, alice_at(world) as alice:
        registrar.silent = True
        registering = asyncio.create_task(alice.register().__aenter__())
        await asyncio.sleep(31)
        assert keep_alives(world) == []
        registering.cancel()


async def test_two_registrations_over_one_way_share_them(world: World) -> None:
    async with ScriptedRegistrar(world), alice_at(world) as alice:
        async with alice.register():
            async with alice.register():
                await asyncio.sleep(300)
            both = len(keep_alives(world))
            await asyncio.sleep(300)
        assert 12 <= both <= 15
        assert 12 <= len(keep_alives(world)) - both <= 15


async def test_switched_off(world: World) -> None:
    async with ScriptedRegistrar(world), alice_at(world, keep_alive=None) as alice:
        async with alice.register():
            await asyncio.sleep(600)
        assert keep_alives(world) == []


@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.5, float("inf"), float("nan")])
def test_what_is_no_time(seconds: float) -> None:
    with pytest.raises(LocalProtocolError, match="a second at the least"):
        UserAgent(keep_alive=seconds)
