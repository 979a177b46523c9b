"""Calls over networks that lose, double, delay and reorder, that break, and whose hosts die."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import CallEnded, CallRejected, TransactionTimeout, UserAgent
from sipstack.errors import SipError
from sipstack.testing.link import Link
from sipstack.testing.world import World
from tests.ua.handlers import HUNG_UP, Answering, echo

pytestmark = pytest.mark.virtual_time

BAD = Link(delay=0.02, jitter=0.05, loss=0.1, duplicate=0.1, reorder=0.1, hold=0.5)
ALICE, BOB = "10.0.0.1", "10.0.0.2"


async def forgotten(*agents: UserAgent) -> None:
    """Wait until every transaction has run out, and see that nothing is left in the core."""
    await asyncio.sleep(200)
    assert [agent._runtime.core.leftovers() for agent in agents] == [[]] * len(agents)


# --- loss, duplicates, jitter, reordering ---


@pytest.mark.parametrize("seed", range(100))
async def test_a_call_survives_a_bad_network(seed: int) -> None:
    """As in the README."""
    world = World(seed=seed, link=Link(delay=0.02, jitter=0.05, loss=0.1, duplicate=0.1))
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(echo), alice.call(bob.contact) as call:
            await asyncio.sleep(3600)
            assert call.duration == pytest.approx(3600)
    assert world.leftovers == []


@pytest.mark.parametrize("seed", range(40))
async def test_both_sides_agree_on_all_that_happens(seed: int) -> None:
    world = World(seed=seed, link=BAD)
    callee = Answering(ring=1)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.invite("sip:bob@bob.test") as outgoing:
            async for response in outgoing.provisionals():
                assert response.status == 180
            call = await outgoing.answered()
            await asyncio.sleep(20)  # past the last repetition of the 2xx
            (other,) = callee.calls
            for _ in range(3):
                await asyncio.gather(call.hold(), other.hold())
                await asyncio.sleep(2)
                assert (call.held, other.remote_held, other.held, call.remote_held) == (True,) * 4
                await asyncio.gather(other.resume(), call.resume())
                await asyncio.sleep(2)
                assert (call.held, other.remote_held, other.held, call.remote_held) == (False,) * 4
        await asyncio.sleep(5)
        assert callee.ends == [HUNG_UP]
        await forgotten(alice, bob)
    assert world.leftovers == []


@pytest.mark.parametrize("seed", range(40))
async def test_a_caller_who_gives_up_ends_the_ringing(seed: int) -> None:
    world = World(seed=seed, link=BAD)
    callee = Answering(ring=2)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        with pytest.raises((TransactionTimeout, CallRejected, CallEnded)):
            async with alice.call("sip:bob@bob.test", ring_timeout=1.9 + seed / 200):  # crosses the answer
                raise CallEnded("local")
        await asyncio.sleep(40)
        assert (alice.calls, bob.calls) == ([], [])
        await forgotten(alice, bob)
    assert world.leftovers == []


@pytest.mark.parametrize("seed", range(20))
async def test_both_hang_up_at_once(seed: int) -> None:
    world = World(seed=seed, link=BAD)
    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.invite("sip:bob@bob.test") as outgoing:
            call = await outgoing.answered()
            await asyncio.sleep(10)
            await asyncio.gather(call.hang_up(), callee.calls[0].hang_up())
            assert {(await call.ended()).by, (await callee.calls[0].ended()).by} <= {"local", "remote"}
        await forgotten(alice, bob)
    assert world.leftovers == []


# --- partitions ---


async def test_leaving_a_call_that_is_cut_off_is_bounded(world: World) -> None:
    loop = asyncio.get_running_loop()
    callee = Answering()
    alice, bob = world.user_agent("alice"), world.user_agent("bob")
    async with bob, bob.serving(callee):
        async with alice:
            async with alice.call("sip:bob@bob.test") as call:
                world.network.partition({ALICE}, {BOB})
                left = loop.time()
            assert loop.time() == left + alice._grace
            assert str(await call.ended()) == "call ended by local: no answer to our BYE"
            assert alice.calls == []
        assert loop.time() == left + alice._grace  # nothing more to wait for
        assert [each for each in world.leftovers if ALICE in each] == []
    assert world.leftovers == []


async def test_leaving_both_sides_of_a_cut(world: World) -> None:
    loop = asyncio.get_running_loop()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(echo):
        async with alice.call("sip:bob@bob.test"), alice.call("sip:bob@bob.test"):
            world.network.partition({ALICE}, {BOB})
            left = loop.time()
            await asyncio.gather(alice.__aexit__(None, None, None), bob.__aexit__(None, None, None))
            assert loop.time() == left + alice._grace
            assert world.leftovers == []
        assert loop.time() == left + alice._grace


async def test_a_hold_that_is_cut_off_ends_the_call(world: World) -> None:
    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.call("sip:bob@bob.test") as call:
            world.network.partition({ALICE}, {BOB})
            with pytest.raises(CallEnded) as raised:
                await call.hold()
            assert raised.value.by == "timeout"
        assert len(callee.calls) == 1  # and knows nothing of it
        assert callee.ends == []
        await callee.calls[0].hang_up()
        await forgotten(alice, bob)
    assert world.leftovers == []


@pytest.mark.parametrize("seconds", [1, 10, 31])
async def test_a_cut_that_heals_is_bridged_by_retransmission(world: World, seconds: float) -> None:
    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.call("sip:bob@bob.test") as call:
            world.network.partition({ALICE}, {BOB})
            asyncio.get_running_loop().call_later(seconds, world.network.heal)
            await call.hold()
            assert (call.held, callee.calls[0].remote_held) == (True, True)
        await forgotten(alice, bob)
        assert callee.ends == [HUNG_UP]
    assert world.leftovers == []


async def test_an_answer_that_nobody_hears_is_taken_back(world: World) -> None:
    """RFC 3261 §13.3.1.4: without an ACK the callee says BYE, 64*T1 after its 2xx."""
    callee = Answering(ring=1)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        task = asyncio.create_task(_call(alice))
        await asyncio.sleep(0.5)
        world.network.partition({ALICE}, {BOB})
        await asyncio.sleep(40)
        assert callee.ends == [("timeout", "no ACK")]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await forgotten(alice, bob)
    assert world.leftovers == []


# --- hosts that die ---


async def test_the_callees_host_dies_while_it_rings(world: World) -> None:
    loop = asyncio.get_running_loop()
    callee = Answering(ring=1000)
    alice, bob = world.user_agent("alice"), world.user_agent("bob")
    async with bob, bob.serving(callee), alice:
        loop.call_later(30, world.network.down, BOB)
        left = loop.time() + 60
        with pytest.raises(TransactionTimeout, match="nobody answered within 60 s"):
            async with alice.call("sip:bob@bob.test", ring_timeout=60):
                raise AssertionError
        assert loop.time() == pytest.approx(left + alice._grace)  # nobody answers the CANCEL either
        await forgotten(alice)
        world.network.up(BOB)
    assert world.leftovers == []


async def test_the_callers_host_dies_while_it_rings(world: World) -> None:
    callee = Answering(ring=60)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        task = asyncio.create_task(_call(alice))
        await asyncio.sleep(30)
        world.network.down(ALICE)
        await asyncio.sleep(65)
        assert callee.ends == [("timeout", "no ACK")]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await forgotten(alice, bob)
    assert world.leftovers == []


async def test_the_other_host_dies_while_it_is_held(world: World) -> None:
    callee = Answering()
    alice, bob = world.user_agent("alice"), world.user_agent("bob")
    async with bob, bob.serving(callee), alice:
        async with alice.call("sip:bob@bob.test") as call:
            await call.hold()
            world.network.down(BOB)
            await asyncio.sleep(600)  # the session timer would find it a little later
            with pytest.raises(CallEnded) as raised:
                await call.resume()
            assert raised.value.by == "timeout"
            assert call.statistics.packets_sent == 0
        await forgotten(alice)
        world.network.up(BOB)
    assert world.leftovers == []


# --- an application that was started again ---


async def restarted(world: World) -> UserAgent:
    """Bob's host, back on the same address, and knowing nothing of what was."""
    world.network.up(BOB)
    return world.user_agent("bob")


async def die(world: World, agent: UserAgent) -> None:
    """Take the application away without a word."""
    world.network.down(BOB)
    await agent.__aexit__(None, None, None)


@pytest.mark.parametrize("doing", ["hold", "hang_up"])
async def test_a_peer_that_was_started_again_does_not_know_the_call(world: World, doing: str) -> None:
    async with world.user_agent("alice") as alice:
        bob = world.user_agent("bob")
        await bob.__aenter__()
        async with bob.serving(Answering()):
            async with alice.call("sip:bob@bob.test") as call:
                await die(world, bob)
                async with await restarted(world):
                    if doing == "hold":
                        with pytest.raises(CallEnded, match="481"):
                            await call.hold()
                    else:
                        async with asyncio.timeout(1):
                            await call.hang_up()
                    assert (await call.ended()).by == ("remote" if doing == "hold" else "local")
        await forgotten(alice)
    assert world.leftovers == []


async def test_an_invite_that_is_repeated_to_a_peer_that_was_started_again_is_a_new_call(
    world: World,
) -> None:
    """The caller's INVITE was answered 180 by an application that is gone: the caller gives up by itself."""
    callee = Answering(ring=1000)
    async with world.user_agent("alice") as alice:
        bob = world.user_agent("bob")
        await bob.__aenter__()
        async with bob.serving(callee):
            async with alice.invite("sip:bob@bob.test") as outgoing:
                await anext(outgoing.provisionals())
                await die(world, bob)
                async with await restarted(world):
                    await outgoing.cancel()  # 481: this one has never heard of the INVITE
        await forgotten(alice)
    assert world.leftovers == []


async def _call(agent: UserAgent) -> None:
    try:
        async with agent.call("sip:bob@bob.test") as call:
            await call.ended()
    except SipError:
        pass
