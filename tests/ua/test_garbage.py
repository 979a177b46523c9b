"""Calls leave nothing to the garbage collector: a process that holds many can do without its long pauses."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from sipstack import Accept, CallRejected, Invitation
from sipstack.testing.world import World
from sipstack.transaction.machine import Transaction
from sipstack.usage.invite.session import Session
from tests.ua.handlers import Answering, busy

pytestmark = pytest.mark.virtual_time
ANSWER = b"v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


@pytest.fixture(autouse=True)
def _without_collecting() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


async def place(world: World, calls: int, callee: str, *, hold: bool = False) -> None:
    """Some calls of a second each; then every transaction runs out."""
    async with world.user_agent("alice") as alice:
        for round_ in range(2):
            for _ in range(calls):
                async with alice.call(callee) as call:
                    await asyncio.sleep(1)
                    if hold:
                        await call.hold()
            await asyncio.sleep(100)
            assert gc.collect() == 0 or not round_  # the first finds what starting a user agent left


async def test_calls_that_a_handler_answers_leave_no_cycles(world: World) -> None:
    async with world.user_agent("bob") as bob, bob.serving(Answering(ring=1)):
        await place(world, 5, "sip:bob@bob.test", hold=True)
    assert world.leftovers == []


async def test_calls_that_the_policy_answers_leave_no_cycles(world: World) -> None:
    async with world.user_agent("bob", policy=lambda received: Accept(ANSWER)):
        await place(world, 5, "sip:bob@bob.test")
    assert world.leftovers == []


def transactions() -> int:
    """How many there are in this process, alive or over."""
    return sum(isinstance(thing, Transaction) for thing in gc.get_objects())


async def test_refused_calls_leave_no_transactions_behind(world: World) -> None:
    """The exception that the caller catches refers to the caller's frames, and that is the caller's."""
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(busy):
        before = transactions()
        for _ in range(5):
            with pytest.raises(CallRejected):
                async with alice.call("sip:bob@bob.test"):
                    raise AssertionError
        during = transactions()
        await asyncio.sleep(100)
        assert (during - before, transactions() - before) == (10, 0)
    assert world.leftovers == []


async def test_a_session_that_is_over_is_freed_at_once(world: World) -> None:
    """Deadlines that nobody needs any more stay in their heap for a while; they hold no session."""
    async with world.user_agent("bob") as bob, bob.serving(ring_and_answer):
        async with world.user_agent("alice") as alice:
            before = sessions()
            for _ in range(3):
                async with alice.call("sip:bob@bob.test"):
                    await asyncio.sleep(0.2)
            await asyncio.sleep(0.1)
            assert sessions() == before


async def ring_and_answer(invitation: Invitation) -> None:
    await invitation.progress(180)
    async with invitation.accept() as call:
        await call.ended()


def sessions() -> int:
    return sum(isinstance(each, Session) for each in gc.get_objects())
