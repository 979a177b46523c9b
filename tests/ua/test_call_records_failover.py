"""Calls that change their process have one record, by whoever sees the end."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

import sipstack
from sipstack import CallRejected, SipError, UserAgent
from sipstack.outcome import Absent, Outcome
from sipstack.records.reading import read
from sipstack.records.signing import has_signed
from sipstack.store.memory import MemoryStore
from sipstack.testing.link import Link
from sipstack.testing.world import World
from tests.ua.books import Books, how
from tests.ua.handlers import CLEARED, Answering

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


async def kill(agent: sipstack.UserAgent) -> None:
    """The process is gone: it sends and hears nothing more, and writes nothing either."""
    assert agent._running is not None
    await agent._running.driver.close()
    records = agent._records
    assert records is not None
    assert agent._running.recorder is not None
    agent._running.recorder._calls.clear()
    await records.close()


async def test_a_call_that_is_taken_over_has_one_record_with_both_nodes(world: World, books: Books) -> None:
    store, loop = MemoryStore(), asyncio.get_running_loop()
    one, two = (books.of(name, clock=lambda: 1_790_000_000 + loop.time()) for name in ("one", "two"))
    first = world.user_agent("bob", records=one, sessions=store, node="node 1")
    async with world.user_agent("alice") as alice:
        bob = await first.__aenter__()
        async with bob.serving(Answering()), alice.call("sip:bob@bob.test") as call:
            await asyncio.sleep(10)
            await kill(bob)
            async with world.user_agent("bob", records=two, sessions=store, node="node 2"):
                await asyncio.sleep(20)
                await call.hang_up()
        await first.__aexit__(None, None, None)
    assert books.read("one") == ([], [])
    (record,), findings = books.read("two")
    assert [each.kind for each in findings] == ["node"]  # whose chain has to be looked at, too
    assert how(record) == ("answered", None, "remote", CLEARED)
    assert (record.nodes, record.epoch, record.incoming) == (("node 1", "node 2"), 1, True)
    assert (record.local, record.remote) == ("sip:bob@bob.test", "sip:alice@alice.test")
    assert record.answered is not None
    assert record.began <= record.answered
    assert abs(record.ended - record.answered - 30_000) <= 1000
    assert abs(record.duration - 30_000) <= 1000


async def test_a_call_that_we_placed_is_taken_over_with_its_beginning(world: World, books: Books) -> None:
    store = MemoryStore()
    first = world.user_agent("bob", records=books.of("one"), sessions=store, node="node 1")
    alices = Answering()
    async with world.user_agent("alice") as alice, alice.serving(alices):
        bob = await first.__aenter__()
        placing = bob.call("sip:alice@alice.test")
        await placing.__aenter__()
        await asyncio.sleep(10)
        await kill(bob)
        async with world.user_agent("bob", records=books.of("two"), sessions=store, node="node 2"):
            await alices.calls[0].hang_up()
            await asyncio.sleep(1)
        await first.__aexit__(None, None, None)
    (record,), _ = books.read("two")
    assert (record.incoming, record.nodes, record.epoch) == (False, ("node 1", "node 2"), 1)
    assert record.answered is not None


async def test_a_process_whose_call_another_has_taken_writes_nothing_of_it(
    world: World, books: Books
) -> None:
    """It was slow, not dead: the store says so when it wants to write. Here the call comes back to it."""
    store = MemoryStore()
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", records=books.of("bob"), sessions=store) as bob,
        bob.serving(Answering()),
        alice.call("sip:bob@bob.test") as call,
    ):
        (listed,) = await owned(store)
        store.take_over(listed, lambda taken: None)
        with pytest.raises(sipstack.RequestFailed):
            await call.hold()
        await asyncio.sleep(1)
        assert bob.calls == []
        assert bob._runtime.recorder is not None
        assert bob._runtime.recorder._calls == {}
    record = books.only("bob")
    assert (record.epoch, record.by) == (2, "remote")


async def owned(store: MemoryStore) -> list[str]:
    found: list[str] = []
    store.owned(lambda listed: found.extend(() if isinstance(listed, Absent) else [e.key for e in listed]))
    return found


async def test_a_call_that_cannot_be_kept_has_failed(world: World, books: Books) -> None:
    async with (
        world.user_agent("alice", records=books.of("alice")) as alice,
        world.user_agent("bob", records=books.of("bob"), sessions=MemoryStore(sessions=1)) as bob,
        bob.serving(Answering()),
        alice.call("sip:bob@bob.test"),
    ):
        with pytest.raises(CallRejected):
            async with alice.call("sip:bob@bob.test"):
                pass
    (refused, answered), findings = books.read("bob")
    assert findings == []
    assert how(refused) == ("failed", None, "local", "the session could not be kept")
    assert answered.outcome == "answered"


class Stuck(MemoryStore):
    """Forgets nothing while it is stuck."""

    stuck = True

    def forget(self, key: str, epoch: int, answer: Callable[[Outcome], None]) -> None:
        if not self.stuck:
            super().forget(key, epoch, answer)


async def test_killed_between_record_and_store_two_records_are_one_call(world: World, books: Books) -> None:
    """The store did not hear of the end: the heir is told of it again by the peer, and cannot know."""
    store = Stuck()
    first = world.user_agent("bob", records=books.of("one"), sessions=store, node="node 1")
    async with world.user_agent("alice") as alice:
        bob = await first.__aenter__()
        async with bob.serving(Answering()), alice.call("sip:bob@bob.test") as call:
            await asyncio.sleep(10)
            leaving = asyncio.create_task(call.hang_up())
            await asyncio.sleep(1)
            await kill(bob)
            store.stuck = False
            async with world.user_agent("bob", records=books.of("two"), sessions=store, node="node 2"):
                await leaving
                await asyncio.sleep(1)
        await first.__aexit__(None, None, None)
    assert (len(books.read("one")[0]), len(books.read("two")[0])) == (1, 1)
    evidence = read([books.path("one"), books.path("two")], has_signed)
    assert [each.kind for each in evidence.findings.all] == ["duplicate"]
    (record,) = evidence.calls
    assert (record.nodes, record.epoch, record.by) == (("node 1", "node 2"), 1, "remote")


async def test_killed_before_the_record_was_written_the_heir_writes_it(
    world: World, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, records = MemoryStore(), books.of("one")
    monkeypatch.setattr(records, "write", lambda record: None)  # its thread did not come to it
    monkeypatch.setattr(records, "when_written", lambda then: None)
    first = world.user_agent("bob", records=records, sessions=store, node="node 1")
    async with world.user_agent("alice") as alice:
        bob = await first.__aenter__()
        async with bob.serving(Answering()), alice.call("sip:bob@bob.test") as call:
            await asyncio.sleep(10)
            leaving = asyncio.create_task(call.hang_up())
            await asyncio.sleep(1)
            await kill(bob)
            async with world.user_agent("bob", records=books.of("two"), sessions=store, node="node 2"):
                await leaving
                await asyncio.sleep(1)
        await first.__aexit__(None, None, None)
    assert books.read("one") == ([], [])
    (record,), _ = books.read("two")
    assert (record.outcome, record.epoch) == ("answered", 1)


async def test_our_bye_goes_out_when_the_call_has_its_record(world: World, books: Books) -> None:
    world = World(audio=True)
    store = MemoryStore()
    async with (
        world.user_agent("alice", records=books.of("alice"), sessions=store) as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
    ):
        async with alice.call("sip:bob@bob.test"):
            await asyncio.sleep(3)
            world.network.down(world.names["bob.test"][0])
            assert alice._runtime.recorder is not None
            assert len(alice._runtime.recorder._calls) == 1
        assert alice._runtime.recorder._calls == {}
    call = books.only("alice")
    assert how(call)[:3] == ("answered", None, "local")
    assert call.quality is not None
    assert call.quality["packets_received"] > 100


# -- by the hundred ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(int(os.environ.get("SIPSTACK_SEEDS", "60"))))
async def test_wherever_a_process_dies_each_answered_call_has_one_record(seed: int, tmp_path: Path) -> None:
    """Killed at any moment, before, in or after the end of a call, over a network that loses and doubles."""
    chance = random.Random(seed)
    books, store = Books(tmp_path), MemoryStore()
    world = World(seed=seed, link=Link(delay=0.05, jitter=0.1, loss=0.1, duplicate=0.1))
    first = world.user_agent("bob", records=books.of("one"), sessions=store, node="node 1")
    answered: list[str] = []
    async with world.user_agent("alice") as alice:
        bob = await first.__aenter__()
        async with bob.serving(Answering()):
            calling = [asyncio.create_task(_call(alice, chance.uniform(0, 6), answered)) for _ in range(4)]
            await asyncio.sleep(chance.uniform(2, 9))
            await kill(bob)
            await asyncio.sleep(chance.uniform(0, 3))
            async with world.user_agent(
                "bob", records=books.of("two"), sessions=store, node="node 2"
            ) as heir:
                async with heir.serving(Answering()):
                    await asyncio.wait(calling)
                    await asyncio.sleep(40)
        await first.__aexit__(None, None, None)
    evidence = read([books.path("one"), books.path("two")], has_signed)
    assert not evidence.findings.any_wrong
    recorded = [call.call_id for call in evidence.calls if call.outcome == "answered"]
    assert len(recorded) == len(set(recorded))
    assert answered
    assert set(answered) <= set(recorded)


async def _call(alice: UserAgent, talk: float, answered: list[str]) -> None:
    try:
        async with alice.call("sip:bob@bob.test") as call:
            answered.append(call.id)
            await asyncio.sleep(talk)
    except SipError:
        pass
