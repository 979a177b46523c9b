"""Registrations whose connection dies, over the toy transport: they are back at once (RFC 5626 §4.4)."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import IncomingRequest
from sipstack.errors import FlowClosed
from sipstack.testing.world import World
from tests.toys.stream_transport import toy, user_agent

pytestmark = pytest.mark.virtual_time

REGISTRAR = "sip:registrar.test;transport=toy"


async def grant(request: IncomingRequest) -> None:
    await request.respond(200, headers={"Contact": str(request.request.contacts[0]), "Require": "outbound"})


@pytest.mark.parametrize("stable", [1, 300], ids=["soon", "after a while"])
async def test_a_connection_that_is_closed_is_replaced_at_once(world: World, stable: int) -> None:
    async with user_agent(world, "registrar") as registrar, user_agent(world, "alice") as alice:
        async with registrar.serving(requests={"REGISTER": grant}):
            async with alice.register(outbound=[REGISTRAR]) as registration:
                await asyncio.sleep(stable)
                for connection in list(toy(registrar).connections.values()):
                    connection.stream.close()
                await asyncio.sleep(0)
                states = registration.states()
                assert (await anext(states)).active
                lost = await anext(states)
                assert (lost.active, isinstance(lost.error, FlowClosed)) == (False, True)
                await asyncio.sleep(1)
                assert (registration.active, len(toy(alice).dialled)) == (True, 2)
    await asyncio.sleep(1)  # for the last connection to be closed at both ends
    assert world.leftovers == []


async def test_a_registrar_that_hangs_up_each_time_is_not_asked_in_a_circle(world: World) -> None:
    async with user_agent(world, "registrar") as registrar, user_agent(world, "alice") as alice:
        async with registrar.serving(requests={"REGISTER": grant}), alice.register(outbound=[REGISTRAR]):
            for _ in range(600):
                for connection in list(toy(registrar).connections.values()):
                    connection.stream.close()
                await asyncio.sleep(1)
        assert 2 < len(toy(alice).dialled) < 9  # the waits of RFC 5626 §4.5: 30 s, 60 s, 120 s, ...
    await asyncio.sleep(1)  # for the last connection to be closed at both ends
    assert world.leftovers == []
