"""Calls whose state the peer keeps (``UserAgent(sessions=Sealed(...))``)."""

from __future__ import annotations

import asyncio

import pytest

from sipstack.core.trace import TracedMessage
from sipstack.store.sealed import Sealed
from sipstack.testing.world import World
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time
KEYS = [bytes(range(32))]


def contacts(trace: list[TracedMessage], beginning: bytes) -> list[bytes]:
    """The Contact fields of what begins so and was sent."""
    sent = [bytes(each.data) for each in trace if each.sent and each.data.startswith(beginning)]
    return [line for data in sent for line in data.split(b"\r\n") if line.startswith(b"Contact:")]


async def test_a_call_that_we_answer_is_in_our_contact(world: World) -> None:
    trace: list[TracedMessage] = []
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", sessions=Sealed(KEYS), trace=trace.append) as bob,
        bob.serving(Answering()),
        alice.call("sip:bob@bob.test"),
    ):
        (accepted,) = contacts(trace, b"SIP/2.0 200 OK\r\n")
        assert 200 < len(accepted) < 530
        assert b"bob@" not in accepted
        await asyncio.sleep(5)
        assert contacts(trace, b"UPDATE ") == []  # all has been told


async def test_a_call_that_we_place_is_told_to_the_peer_which_refreshes(world: World) -> None:
    trace: list[TracedMessage] = []
    async with (
        world.user_agent("alice", sessions=Sealed(KEYS), trace=trace.append) as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
        alice.call("sip:bob@bob.test") as call,
    ):
        (begun,), none = contacts(trace, b"INVITE "), contacts(trace, b"UPDATE ")
        assert (len(begun) < 100, none) == (True, [])
        await asyncio.sleep(1)
        (told,) = contacts(trace, b"UPDATE ")
        assert 200 < len(told) < 530
        update = next(each for each in trace if each.data.startswith(b"UPDATE "))
        assert b"refresher=uas" in update.data
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call.ended(), 3600)
        assert len(contacts(trace, b"UPDATE ")) == 1
