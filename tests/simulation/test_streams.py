"""Calls over the package's own connections, on the simulated network: cut anywhere, and reset."""

from __future__ import annotations

import asyncio
import os

import pytest

from sipstack import Invitation, TransportError
from sipstack.testing.link import Link
from sipstack.testing.streams import Cut, anywhere, octet_by_octet, uncut
from sipstack.testing.world import World
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time

SEEDS = int(os.environ.get("SIPSTACK_SEEDS", "20"))
LISTEN = ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060", "tls:0.0.0.0:5061"]


async def hold(invitation: Invitation) -> None:
    """Accept, and take what comes until the end."""
    async with invitation.accept() as call:
        await call.ended()


@pytest.mark.parametrize("cut", [uncut, octet_by_octet, anywhere])
@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_call_over_one_connection(world: World, transport: str, cut: Cut) -> None:
    world.streams.cut = cut
    async with (
        world.user_agent("alice", listen=LISTEN) as alice,
        world.user_agent("bob", listen=LISTEN) as bob,
    ):
        async with bob.serving(hold), alice.call(f"sip:bob@bob.test;transport={transport}"):
            await asyncio.sleep(60)
            assert len(world.streams.streams) == 2
    await asyncio.sleep(0)
    assert world.leftovers == []


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_caller_that_listens_nowhere_is_reached_over_its_connection(
    world: World, transport: str
) -> None:
    callee = Answering()
    async with (
        world.user_agent("alice", dials=["tcp", "tls"]) as alice,
        world.user_agent("bob", listen=LISTEN) as bob,
        bob.serving(callee),
        alice.call(f"sip:bob@bob.test;transport={transport}") as call,
    ):
        await asyncio.sleep(60)
        await callee.calls[0].hold()
        await callee.calls[0].hang_up()
        assert (await call.ended()).by == "remote"
        assert len(world.streams.streams) == 2
        await asyncio.sleep(40)
    assert world.leftovers == []


async def test_a_connection_that_is_refused(world: World) -> None:
    async with world.user_agent("alice", listen=LISTEN) as alice, world.user_agent("bob"):
        with pytest.raises(TransportError, match=r"10\.0\.0\.2:5060: Connection refused"):
            await alice.options("sip:bob@bob.test;transport=tcp")
    assert world.leftovers == []


async def test_a_host_that_is_silent_is_given_up_after_the_limit(world: World) -> None:
    async with world.user_agent("alice", listen=LISTEN) as alice:
        world.names["bob.test"] = ["10.9.9.9"]
        world.network.down("10.9.9.9")
        with pytest.raises(TransportError, match=r"10\.9\.9\.9:5060: no connection within 4 s"):
            await alice.options("sip:bob@bob.test;transport=tcp")
        assert world.now == 4
    await asyncio.sleep(0)
    assert world.leftovers == []


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_calls_survive_connections_that_die(seed: int) -> None:
    """A connection that is reset in an established call is replaced when the call ends."""
    world = World(Link(delay=0.01, jitter=0.02), seed=seed)
    world.streams.cut = anywhere
    async with (
        world.user_agent("alice", listen=LISTEN) as alice,
        world.user_agent("bob", listen=LISTEN) as bob,
    ):
        async with bob.serving(hold), alice.call("sip:bob@bob.test;transport=tcp"):
            await asyncio.sleep(1 + seed % 7)
            world.streams.streams[seed % 2].abort()
            await asyncio.sleep(5)
        await asyncio.sleep(40)
        assert (alice.calls, bob.calls) == ([], [])
    await asyncio.sleep(1)
    assert world.leftovers == []
