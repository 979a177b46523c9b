"""Connections that die in mid-call, over the toy transport: the call lives, or its end is told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from sipstack import CallEnded, Invitation, TransportError, UserAgent
from sipstack.errors import SipError
from sipstack.testing.ladders import ladder, timed
from sipstack.testing.link import Link
from sipstack.testing.stream import SimulatedStream
from sipstack.testing.streams import anywhere
from sipstack.testing.world import World
from tests.toys.stream_transport import end_of, opened, toy, user_agent
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time

BOB = "sip:bob@bob.test;transport=toy"
AT_BOB, AT_ALICE = "sip:bob@10.0.0.2:5060;transport=toy", "sip:alice@10.0.0.1:5060;transport=toy"
SET_UP = ladder(f"""
    alice -> bob    INVITE {BOB} [1]
    bob -> alice    200 OK [1 INVITE]
    alice -> bob    ACK {AT_BOB} [1]
""")


async def hold(invitation: Invitation) -> None:
    """Accept, and take what comes until the end."""
    async with invitation.accept() as call:
        await call.ended()


# --- the connection dies in mid-call ---


def cut_off(stream: SimulatedStream) -> None:
    """This end is gone without a word: the other one finds out when it sends."""
    stream.vanish()


DEATHS: dict[str, Callable[[SimulatedStream], None]] = {
    "closed": SimulatedStream.close,
    "reset": SimulatedStream.abort,
    "in silence": cut_off,
}


@pytest.mark.parametrize("die", DEATHS.values(), ids=DEATHS)
async def test_the_call_lives_and_the_callers_next_request_opens_another(
    world: World, die: Callable[[SimulatedStream], None]
) -> None:
    async with user_agent(world, "alice") as alice, user_agent(world, "bob") as bob, bob.serving(hold):
        async with alice.call(BOB) as call:
            assert world.ladder() == SET_UP
            await asyncio.sleep(1)
            die(end_of(world, bob))
            await asyncio.sleep(1)
            await call.hold()
            assert alice.calls == [call]
        wanted = ladder(f"""
            alice -> bob    INVITE {AT_BOB} [2]
            bob -> alice    200 OK [2 INVITE]
            alice -> bob    ACK {AT_BOB} [2]
            alice -> bob    BYE {AT_BOB} [3]
            bob -> alice    200 OK [3 BYE]
        """)
        if die is cut_off:  # found by sending over it
            wanted = [wanted[0], *wanted]
        assert (world.ladder(), opened(alice, bob)) == (wanted, 2)
    await asyncio.sleep(1)
    assert world.leftovers == []


@pytest.mark.parametrize("die", DEATHS.values(), ids=DEATHS)
async def test_the_call_lives_and_the_callees_bye_opens_another(
    world: World, die: Callable[[SimulatedStream], None]
) -> None:
    callee = Answering()
    async with user_agent(world, "alice") as alice, user_agent(world, "bob") as bob, bob.serving(callee):
        async with alice.call(BOB) as call:
            assert world.ladder() == SET_UP
            await asyncio.sleep(1)
            die(end_of(world, alice))
            await asyncio.sleep(1)
            await callee.calls[0].hang_up()
            assert (await call.ended()).by == "remote"
        bye, ok = ladder(f"""
            bob -> alice    BYE {AT_ALICE} [1]
            alice -> bob    200 OK [1 BYE]
        """)
        assert (world.ladder(), opened(alice, bob)) == ([bye, bye, ok] if die is cut_off else [bye, ok], 2)


async def test_a_peer_that_is_gone_for_good_ends_the_call(world: World) -> None:
    async with user_agent(world, "alice") as alice:
        async with user_agent(world, "bob") as bob, bob.serving(hold):
            async with alice.call(BOB) as call:
                toy(bob).close()
                await asyncio.sleep(1)
                with pytest.raises(CallEnded, match=r"10\.0\.0\.2:5060: Connection refused"):
                    await call.hold()
                assert (await call.ended()).by == "transport"
    await asyncio.sleep(1)
    assert world.leftovers == []


async def test_a_refused_connection_does_not_hold_up_the_goodbye(world: World) -> None:
    async with user_agent(world, "alice") as alice:
        async with user_agent(world, "bob") as bob, bob.serving(hold):
            async with alice.call(BOB):
                toy(bob).close()
                await asyncio.sleep(1)
            assert world.now == 1


async def test_the_connection_dies_while_it_rings(world: World) -> None:
    """The callee has the INVITE: it is not sent again, and its response has no way back."""

    async def ring(invitation: Invitation) -> None:
        await invitation.progress(180)
        await asyncio.sleep(100)

    async with user_agent(world, "alice") as alice, user_agent(world, "bob") as bob, bob.serving(ring):
        asyncio.get_running_loop().call_at(5, lambda: end_of(world, bob).abort())
        with pytest.raises(TransportError, match="Connection reset by peer"):
            async with alice.call(BOB):
                pass
        assert world.now == 5
        assert world.timed_ladder() == timed(f"""
            0.0    alice -> bob    INVITE {BOB} [1]
            0.0    bob -> alice    180 Ringing [1 INVITE]
        """)


async def test_a_request_under_way_goes_over_another_connection(world: World) -> None:
    """A server that has restarted resets the old connection: the request is sent again, not failed."""
    async with user_agent(world, "alice") as alice, user_agent(world, "bob") as bob:
        await alice.options(BOB)
        for number in range(2, 5):
            end = end_of(world, alice).peer
            assert end is not None
            end.vanish()
            assert (await alice.options(BOB)).status == 200
            assert opened(alice, bob) == number


# --- connections that die at any moment ---


@pytest.mark.parametrize("seed", range(40))
async def test_whatever_dies_whenever_nothing_is_left_over(seed: int) -> None:
    world = World(Link(delay=0.05, jitter=0.05, loss=0.05), seed=seed)
    world.streams.cut = anywhere
    chance = random.Random(seed)
    outcomes: list[object] = []

    async def reaper() -> None:
        while True:
            await asyncio.sleep(chance.uniform(0.05, 2))
            for stream in chance.sample(world.streams.streams, min(1, len(world.streams.streams))):
                chance.choice([SimulatedStream.close, SimulatedStream.abort])(stream)

    async def talk(agent: UserAgent, callee: str) -> None:
        await asyncio.sleep(chance.uniform(0, 5))
        try:
            async with agent.call(callee, ring_timeout=20) as call:
                await asyncio.sleep(chance.uniform(0, 3))
                await call.hold()
        except SipError as error:
            outcomes.append(type(error))
        else:
            outcomes.append("talked")

    async with user_agent(world, "alice") as alice, user_agent(world, "bob") as bob:
        async with bob.serving(hold), alice.serving(hold):
            death = asyncio.ensure_future(reaper())
            caller = "sip:alice@alice.test;transport=toy"
            await asyncio.gather(
                *(talk(alice, BOB) for _ in range(4)), *(talk(bob, caller) for _ in range(4))
            )
            death.cancel()
            assert len(outcomes) == 8
            await asyncio.sleep(200)
            waiting = alice._runtime.core.transactions, bob._runtime.core.transactions
            assert [len(transactions) for transactions in waiting] == [0, 0]
    # a callee whom no BYE has reached holds its call until it leaves itself: see session timers (RFC 4028)
    await asyncio.sleep(200)
    assert world.leftovers == []
