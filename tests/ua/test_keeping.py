"""Calls that are kept beyond their user agent (``UserAgent(sessions=...)``)."""

from __future__ import annotations

import pytest

from sipstack.errors import CallRejected
from sipstack.store.memory import MemoryStore
from sipstack.testing.world import World
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time


async def test_a_call_is_in_the_store_while_it_lasts(world: World) -> None:
    store = MemoryStore()
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", sessions=store) as bob,
        bob.serving(Answering()),
    ):
        async with alice.call("sip:bob@bob.test"):
            assert len(store) == 1
        assert len(store) == 0


async def test_what_has_no_room_in_the_store_is_refused_for_now(world: World) -> None:
    store = MemoryStore(sessions=1)
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", sessions=store) as bob,
        bob.serving(Answering()),
        alice.call("sip:bob@bob.test"),
    ):
        with pytest.raises(CallRejected) as refused:
            async with alice.call("sip:bob@bob.test"):
                pass
        assert refused.value.status == 503
        assert len(store) == 1
