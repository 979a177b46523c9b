"""Connections that die in each state of a call, over the package's own connections on the simulated network.

Both sides listen, so whoever has something to send opens another connection (RFC 3261 §18.2.2, §18.4).
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable

import pytest

from sipstack import CallEnded, Invitation, UserAgent
from sipstack.errors import FlowClosed, SipError
from sipstack.testing.ladders import shown
from sipstack.testing.link import Link
from sipstack.testing.stream import SimulatedStream
from sipstack.testing.streams import anywhere
from sipstack.testing.world import World

pytestmark = pytest.mark.virtual_time

SEEDS = int(os.environ.get("SIPSTACK_SEEDS", "30"))
LISTEN = ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"]
BOB = "sip:bob@bob.test;transport=tcp"
CALLER, CALLEE = 0, 1
"""Whose end of the first connection."""
DEATHS: dict[str, Callable[[SimulatedStream], None]] = {
    "closed": SimulatedStream.close,
    "reset": SimulatedStream.abort,
    "in silence": SimulatedStream.vanish,
}
WHOLE = ["established", "held", "local"]
EARLY = {
    "with the INVITE under way": "INVITE sip:bob@bob",
    "while it rings": "180 ",
}
LATER = {
    "with the ACK under way": "ACK ",
    "with a re-INVITE under way": "INVITE sip:bob@10",
    "with the BYE under way": "BYE ",
}
ANSWERS = {
    "with the answer to a re-INVITE under way": "200 OK [2 INVITE]",
    "with the answer to the BYE under way": "[3 BYE]",
}


async def ring_and_hold(invitation: Invitation) -> None:
    await invitation.progress(180)
    await asyncio.sleep(2)
    async with invitation.accept() as call:
        await call.ended()


def when_sent(world: World, words: str, do: Callable[[], None]) -> None:
    """When a message with these words has just been sent, in the next minute."""

    def look() -> None:
        if any(words in shown(each.data) for each in world.sent if each.data.strip()):
            do()
        elif world.now < 60:
            world.later(0.001, look)

    look()


async def speak(alice: UserAgent, stages: list[str]) -> None:
    """A call with a re-INVITE; ``stages`` is how far it came. Raises what the application would see."""
    async with alice.call(BOB) as call:
        stages.append("established")
        await asyncio.sleep(1)
        await call.hold()
        stages.append("held")
        await asyncio.sleep(1)
    stages.append((await call.ended()).by)


async def outcome(words: str, die: Callable[[SimulatedStream], None], whose: int) -> list[str]:
    """How far a call comes whose connection dies then, and its error. Nothing may be left of it."""
    world, stages = World(Link(delay=0.05)), list[str]()
    async with (
        world.user_agent("alice", listen=LISTEN) as alice,
        world.user_agent("bob", listen=LISTEN) as bob,
        bob.serving(ring_and_hold),
    ):
        died: list[SimulatedStream] = []

        def end() -> None:
            died.append(world.streams.streams[whose])
            die(died[0])

        when_sent(world, words, end)
        try:
            await speak(alice, stages)
        except SipError as error:
            stages.append(type(error).__name__)
        await asyncio.sleep(100)
        assert (len(died), alice.calls, bob.calls) == (1, [], [])
    assert world.leftovers == []
    return stages


@pytest.mark.parametrize("whose", [CALLER, CALLEE], ids=["by the caller", "by the callee"])
@pytest.mark.parametrize("die", [DEATHS["closed"], DEATHS["reset"]], ids=["closed", "reset"])
@pytest.mark.parametrize("words", EARLY.values(), ids=EARLY)
async def test_before_the_answer_the_caller_is_told(
    words: str, die: Callable[[SimulatedStream], None], whose: int
) -> None:
    assert await outcome(words, die, whose) == [FlowClosed.__name__]


@pytest.mark.parametrize("whose", [CALLER, CALLEE], ids=["by the caller", "by the callee"])
@pytest.mark.parametrize("die", [DEATHS["closed"], DEATHS["reset"]], ids=["closed", "reset"])
@pytest.mark.parametrize("words", (LATER | ANSWERS).values(), ids=LATER | ANSWERS)
async def test_an_established_call_goes_on_over_another_connection(
    words: str, die: Callable[[SimulatedStream], None], whose: int
) -> None:
    assert await outcome(words, die, whose) == WHOLE


@pytest.mark.parametrize("words", LATER.values(), ids=LATER)
async def test_a_half_open_connection_is_found_by_sending_and_the_call_goes_on(words: str) -> None:
    """The callee's system has forgotten the connection, and answers what still comes with a reset."""
    assert await outcome(words, DEATHS["in silence"], CALLEE) == WHOLE


async def test_a_half_open_connection_is_found_by_the_invite(world: World) -> None:
    assert await outcome("INVITE sip:bob@bob", DEATHS["in silence"], CALLEE) == [FlowClosed.__name__]


async def test_a_200_is_sent_again_when_its_connection_is_closed_behind_it() -> None:
    assert await outcome("200 OK [1 INVITE]", DEATHS["closed"], CALLEE) == WHOLE


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_connections_that_die_at_any_time_leave_nothing_behind(seed: int) -> None:
    """Whatever becomes of the calls, it is told, and they end on both sides."""
    draw = random.Random(seed)
    world = World(Link(delay=0.02, jitter=0.02), seed=seed)
    world.streams.cut = anywhere
    stages, raised = list[str](), list[str]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(repr(context)))

    async def mow() -> None:
        while True:
            await asyncio.sleep(draw.expovariate(1.0))
            if world.streams.streams:
                draw.choice([SimulatedStream.close, SimulatedStream.abort])(
                    draw.choice(world.streams.streams)
                )

    async with (
        world.user_agent("alice", listen=LISTEN) as alice,
        world.user_agent("bob", listen=LISTEN) as bob,
        bob.serving(ring_and_hold),
    ):
        mower = asyncio.create_task(mow())
        for _ in range(5):
            try:
                await speak(alice, stages)
            except CallEnded as error:
                stages.append(error.by)
            except SipError as error:
                stages.append(type(error).__name__)
        mower.cancel()
        await asyncio.sleep(100)
        assert alice.calls == []
        assert len(bob.calls) <= stages.count("transport")  # the BYE found no way: alice was told, bob cannot
        await speak(alice, stages)
        assert stages[-3:] == WHOLE
    await asyncio.sleep(1)
    assert (world.leftovers, raised) == ([], [])
