"""A conversation goes on after a restart, and at another node, with what the application has noted."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from sipstack import Conversation, UserAgent
from sipstack.store.memory import MemoryStore
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.conversation import MAXIMUM_VALUE
from tests.ua.restarts import Mute, Trouble, keys, kill
from tests.ua.test_conversation import count, write

pytestmark = pytest.mark.virtual_time

BOB = "sip:bob@bob.test"


def alice_at(world: World, store: object, name: str = "alice", **options: Any) -> UserAgent:
    settings = {"sessions": store, "node": name, "aor": "sip:alice@alice.test"}
    return world.user_agent(name, **(settings | options))


async def told(bob: ScriptedPeer, alice: UserAgent, body: str, cseq: int) -> str:
    """What the service answers."""
    before = len([each for each in bob.requests if each.method == "MESSAGE"])
    write(bob, alice, body, ("From", "<sip:bob@bob.test>;tag=b"), cseq=cseq)
    await asyncio.sleep(2)
    said = [each for each in bob.requests if each.method == "MESSAGE"][before:]
    return said[-1].body.decode() if said else ""


def listener(world: World) -> ScriptedPeer:
    return ScriptedPeer(world, "bob", on_request=lambda request: [request.response(200, to_tag="b")])


# --- a service ---


async def test_a_service_that_was_killed_remembers_what_it_has_noted(world: World) -> None:
    store = MemoryStore()
    async with listener(world) as bob:
        async with alice_at(world, store) as alice, alice.conversations(count):
            assert await told(bob, alice, "Bob", 1) == "Bob 1"
            assert await told(bob, alice, "more", 2) == "Bob 2"
            await kill(alice)
        async with alice_at(world, store) as alice, alice.conversations(count):
            assert await told(bob, alice, "again", 3) == "Bob 3"
    assert world.leftovers == []


async def test_so_does_one_that_was_ended_in_order(world: World) -> None:
    store = MemoryStore()
    async with listener(world) as bob:
        for number in (1, 2, 3):
            async with alice_at(world, store) as alice, alice.conversations(count):
                assert await told(bob, alice, f"Bob{number}", number) == f"Bob1 {number}"


async def test_another_node_goes_on_and_the_one_before_is_over_for_it(world: World) -> None:
    """Of two owners one is left: the one that began last."""
    store = MemoryStore()
    async with (
        listener(world) as bob,
        alice_at(world, store) as one,
        alice_at(world, store, "two") as two,
        one.conversations(count),
        two.conversations(count),
    ):
        assert await told(bob, one, "Bob", 1) == "Bob 1"
        assert await told(bob, two, "moved", 2) == "Bob 2"
        assert await told(bob, two, "stays", 3) == "Bob 3"
        assert await told(bob, one, "stale", 4) == "Bob 2"  # it finds out as it writes
        assert await told(bob, one, "back", 5) == "Bob 4"
    assert world.leftovers == []


async def test_a_handler_that_returns_forgets_the_peer(world: World) -> None:
    store = MemoryStore()

    async def once(chat: Conversation) -> None:
        async for message in chat:
            chat.state["seen"] = chat.state.get("seen", 0) + 1
            await chat.send(f"{chat.state['seen']}")
            if message.text == "bye":
                return

    async with listener(world) as bob, alice_at(world, store) as alice, alice.conversations(once):
        assert await told(bob, alice, "hi", 1) == "1"
        assert keys(store) == ["conversation <sip:alice@alice.test> bob@bob.test"]
        assert await told(bob, alice, "bye", 2) == "2"
        assert keys(store) == []
        assert await told(bob, alice, "hi-again", 3) == "1"


async def test_it_is_kept_no_longer_than_it_lasts(world: World) -> None:
    store = MemoryStore()
    async with listener(world) as bob:
        async with alice_at(world, store) as alice, alice.conversations(count, idle=100):
            assert await told(bob, alice, "Bob", 1) == "Bob 1"
            await kill(alice)
        await asyncio.sleep(101)
        async with alice_at(world, store) as alice, alice.conversations(count, idle=100):
            assert await told(bob, alice, "Other", 2) == "Other 1"
            await asyncio.sleep(200)
            assert keys(store) == []


async def test_strangers_who_say_a_single_thing_fill_no_store(world: World) -> None:
    store = MemoryStore()

    async def listen(chat: Conversation) -> None:
        async for _ in chat:
            pass

    async with (
        alice_at(world, store) as alice,
        alice.conversations(listen),
        contextlib.AsyncExitStack() as all_,
    ):
        for number in range(20):
            peer = await all_.enter_async_context(ScriptedPeer(world, f"peer{number}"))
            write(peer, alice, f"hello {number}", ("From", f"<sip:p{number}@peer{number}.test>;tag=1"))
        await asyncio.sleep(1)
        assert len(keys(store)) == 0
        write(peer, alice, "and more", ("From", "<sip:p19@peer19.test>;tag=1"), cseq=2)
        await asyncio.sleep(1)
        assert len(keys(store)) == 1


@pytest.mark.parametrize("trouble", ["down", "silent", "late"])
async def test_a_store_in_trouble_does_not_keep_a_service_from_answering(world: World, trouble: str) -> None:
    store = Trouble()
    store.down, store.late = trouble == "down", 0.5 if trouble == "late" else 0.0
    used = Mute() if trouble == "silent" else store
    async with listener(world) as bob, alice_at(world, used) as alice, alice.conversations(count):
        assert await told(bob, alice, "Bob", 1) == "Bob 1"
        assert await told(bob, alice, "more", 2) == "Bob 2"
    assert world.leftovers == []


async def test_a_state_that_has_grown_too_long_is_told_and_not_kept(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()

    async def grow(chat: Conversation) -> None:
        words: list[str] = []
        chat.state["words"] = words
        async for message in chat:
            words.append(message.text * MAXIMUM_VALUE)  # behind the back of the state
            await chat.send("noted")

    async with listener(world) as bob, alice_at(world, store) as alice, alice.conversations(grow):
        assert await told(bob, alice, "Bob", 1) == "noted"
        assert await told(bob, alice, "more", 2) == "noted"
        assert "cannot be kept" in caplog.text


# --- one peer ---


async def test_a_conversation_with_one_peer_is_the_same_after_a_restart(world: World) -> None:
    store = MemoryStore()
    async with listener(world) as bob:
        async with alice_at(world, store) as alice, alice.conversation(BOB) as chat:
            chat.state["step"] = 3
            await chat.send("one")
            before = chat.session_id
            await kill(alice)
        async with alice_at(world, store) as alice, alice.conversation(BOB) as chat:
            assert chat.state == {"step": 3}
            assert before is not None
            assert chat.session_id is not None
            assert chat.session_id.local == before.local
            await chat.send("two")
        assert [each.body for each in bob.requests] == [b"one", b"two"]
        assert keys(store) == []  # it was left
    assert world.leftovers == []


async def test_what_is_left_by_a_cancellation_stays(world: World) -> None:
    store = MemoryStore()
    async with listener(world), alice_at(world, store) as alice:
        task = asyncio.create_task(_note_and_wait(alice))
        await asyncio.sleep(5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with alice.conversation(BOB) as chat:
            assert chat.state == {"step": 1}


async def _note_and_wait(alice: UserAgent) -> None:
    async with alice.conversation(BOB) as chat:
        chat.state["step"] = 1
        await anext(chat)


async def test_two_at_a_time_with_one_peer_do_not_share_a_record(world: World) -> None:
    store = MemoryStore()
    async with listener(world), alice_at(world, store) as alice:
        async with alice.conversation(BOB) as one, alice.conversation(BOB) as other:
            one.state["step"] = 1
            await one.send("one")
            await other.send("other")
            assert other.state == {}
            assert one.session_id != other.session_id
            assert len(keys(store)) == 1


@pytest.mark.parametrize(
    "record",
    [
        "7",
        "{}",
        '{"peer":"bob@bob.test"}',
        '{"peer":"carol@bob.test","local":"%s","remote":"%s"}',
        '{"state":[1]}',
    ],
)
async def test_a_record_that_is_none_is_begun_without(world: World, record: str) -> None:
    store = MemoryStore()
    rest = '"confirmed":false,"state":{"x":1},"idle":null,"left":null}'
    whole = record.replace("%s", "a" * 32).removesuffix("}") + "," + rest if "local" in record else record
    key = "conversation <sip:alice@alice.test> bob@bob.test"
    store.put(key, f'{{"is":{whole}}}'.encode(), 0, 1000.0, lambda _: None)
    async with listener(world), alice_at(world, store) as alice, alice.conversation(BOB) as chat:
        assert chat.state == {}
        assert (await chat.send("hi")).status == 200
