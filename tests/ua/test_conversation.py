"""Conversations over instant messages (RFC 3428): with one peer, and a service for everybody who writes."""

from __future__ import annotations

import asyncio
import contextlib
import os
from datetime import UTC, datetime, timedelta

import pytest

from sipstack import (
    Account,
    AuthenticationFailed,
    Conversation,
    IncomingRequest,
    LocalProtocolError,
    RequestFailed,
    UserAgent,
)
from sipstack.message import Date, SessionId
from sipstack.testing.link import Link
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.ua.handlers import echo
from tests.ua.test_digits import SDP

pytestmark = pytest.mark.virtual_time

SEEDS = int(os.environ.get("SIPSTACK_SEEDS", "20"))


async def count(chat: Conversation) -> None:
    """A service: the first text is a name, and each further one is numbered."""
    async for message in chat:
        name = chat.state.setdefault("name", message.text)
        number = chat.state["number"] = chat.state.get("number", 0) + 1
        await chat.send(f"{name} {number}")


def write(peer: ScriptedPeer, to: UserAgent, body: str, *fields: tuple[str, object], cseq: int = 1) -> None:
    port = to.listening[0]
    request = peer.write(
        "MESSAGE",
        "sip:alice@alice.test",
        cseq=cseq,
        call_id=f"call-of-{body.replace(' ', '-')}",
        headers=[("Content-Type", "text/plain"), ("Contact", "-"), *fields],
        body=body.encode(),
    )
    peer.send((port[1], port[2]), request)


# --- two of us ---


async def test_both_talk(world: World) -> None:
    heard: list[str] = []

    async def talk(agent: UserAgent, peer: str, *words: str) -> None:
        async with agent.conversation(peer) as chat:
            await asyncio.sleep(0.1)  # the other has begun, too
            for word in words:
                await chat.send(word)
            for _ in range(2):
                heard.append((await anext(chat)).text)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        await asyncio.gather(
            talk(alice, "sip:bob@bob.test", "hi", "Bob"), talk(bob, "sip:alice@alice.test", "hello", "Alice")
        )
    assert sorted(heard) == ["Alice", "Bob", "hello", "hi"]
    assert world.leftovers == []


async def test_they_are_one_session_and_one_call_id(world: World) -> None:
    """RFC 7989: both UUIDs as soon as both are known."""
    async with (
        world.user_agent("alice") as alice,
        ScriptedPeer(world, "bob") as bob,
        alice.conversation("sip:bob@bob.test") as chat,
    ):
        bob.on_request = lambda request: [
            request.response(200, to_tag="b", headers=[("Session-ID", "b" * 32)])
        ]
        for word in ("one", "two"):
            assert (await chat.send(word, expires=60)).status == 200
        first, second = bob.requests
        assert chat.session_id == SessionId(first.headers.typed("Session-ID").local, "b" * 32)
        assert second.headers.get("Session-ID") == str(chat.session_id)
        assert (first.call_id, first.from_.tag) == (second.call_id, second.from_.tag)
        assert (first.cseq.number, second.cseq.number) == (1, 2)
        assert (first.expires, "Date" in first.headers, first.headers.get("Content-Type")) == (
            *(60, True),
            "text/plain;charset=UTF-8",
        )
        assert "Contact" not in first.headers


async def test_the_next_waits_for_the_answer_to_the_one_before(world: World) -> None:
    """RFC 3428 §8: no second one to the same peer before that."""
    async with world.user_agent("alice") as alice, ScriptedPeer(world, "bob") as bob:
        async with alice.conversation("sip:bob@bob.test") as chat, asyncio.TaskGroup() as group:
            for word in ("one", "two"):
                group.create_task(chat.send(word))
            await asyncio.sleep(0.4)
            assert [request.body for request in bob.requests] == [b"one"]
            bob.answer(bob.request, 202)
            await asyncio.sleep(0.1)
            assert [request.body for request in bob.requests] == [b"one", b"two"]
            bob.answer(bob.request, 200)


async def test_a_refusal_is_raised(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob"),
        alice.conversation("sip:bob@bob.test") as chat,
    ):
        with pytest.raises(RequestFailed) as caught:
            await chat.send("hello")
    assert caught.value.status == 405
    with pytest.raises(LocalProtocolError, match="the conversation is over"):
        await chat.send("more")


async def test_what_is_not_of_a_conversation_goes_to_the_handler(world: World) -> None:
    handled: list[str] = []

    async def take(request: IncomingRequest) -> None:
        handled.append(request.text)
        await request.respond(200)

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("carol") as carol,
    ):
        async with alice.serving(requests={"MESSAGE": take}):
            async with alice.conversation("sip:bob@bob.test") as chat:
                for agent in (bob, carol):
                    await agent.message("sip:alice@alice.test", f"of {agent.aor}")
                assert str(await anext(chat)) == "of sip:bob@bob.test"
            await bob.message("sip:alice@alice.test", "after it")
        assert (await bob.message("sip:alice@alice.test", "nobody")).status == 405
    assert handled == ["of sip:carol@carol.test", "after it"]


async def test_a_text_inside_of_a_call_belongs_to_it_too(world: World) -> None:
    """It keeps the Session-ID of the call."""
    async with (
        world.user_agent("alice") as alice,
        ScriptedPeer(world, "bob") as bob,
        alice.serving(echo),
        alice.conversation("sip:bob@example.com") as chat,
    ):
        to, ours = alice.listening[0][1:], chat.session_id
        bob.send(
            to, bob.write("INVITE", "sip:alice@alice.test", body=SDP, headers=[("Session-ID", "b" * 32)])
        )
        await bob.responded(1)
        of_call = bob.response
        bob.send(to, bob.inside(of_call, "ACK", 1))
        bob.send(
            to, bob.inside(of_call, "MESSAGE", 2, body=b"hello", headers=[("Content-Type", "text/plain")])
        )
        await bob.responded(2)
        assert str(await anext(chat)) == "hello"
        assert bob.response.headers.get("Session-ID") == of_call.headers.get("Session-ID")
        assert chat.session_id == ours
        bob.send(to, bob.inside(of_call, "BYE", 3))
        await bob.responded(3)


async def test_without_session_ids_the_sender_decides(world: World) -> None:
    async with (
        world.user_agent("alice", session_ids=False) as alice,
        world.user_agent("bob") as bob,
        alice.conversation("sip:bob@bob.test") as chat,
    ):
        answer = await bob.message("sip:alice@alice.test", "hello")
        assert (answer.status, "Session-ID" in answer.headers) == (200, False)
        assert (str(await anext(chat)), chat.session_id) == ("hello", None)


async def test_by_the_uuid_where_the_sender_has_another_name(world: World) -> None:
    """The user agent is reached at an address, and calls itself by its account."""
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", aor="sip:robert@example.com") as bob,
        bob.conversations(count),
        alice.conversation(bob.contact) as chat,
    ):
        session_id = chat.session_id
        assert session_id is not None
        headers = {"Session-ID": SessionId("b" * 32, session_id.local)}
        assert (await bob.message("sip:alice@alice.test", "it is me", headers=headers)).status == 200
        assert str(await anext(chat)) == "it is me"


async def test_silence_ends_it_and_its_state(world: World) -> None:
    async with world.user_agent("alice") as alice, ScriptedPeer(world, "bob") as bob:
        async with alice.conversation("sip:bob@example.com", idle=60) as chat:
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(50)
            write(bob, alice, "still here")
            assert [str(message) async for message in chat] == ["still here"]
            assert asyncio.get_running_loop().time() - began == pytest.approx(110, abs=0.1)
            assert chat.over


async def test_texts_that_are_too_old_are_not_given(world: World) -> None:
    past = Date(datetime.now(UTC) - timedelta(hours=1))
    async with (
        world.user_agent("alice") as alice,
        ScriptedPeer(world, "bob") as bob,
        alice.conversation("sip:bob@example.com") as chat,
    ):
        write(bob, alice, "old", ("Expires", 60), ("Date", past))
        write(bob, alice, "soon", ("Expires", 5))
        write(bob, alice, "new", ("Expires", 600))
        await bob.responded(3)
        await asyncio.sleep(10)
        assert str(await anext(chat)) == "new"
        assert chat.expired == 2
        assert [response.status for response in bob.responses] == [200, 200, 200]


async def test_leaving_the_user_agent_ends_it(world: World) -> None:
    async with contextlib.AsyncExitStack() as stack:
        alice = await stack.enter_async_context(world.user_agent("alice"))
        chat = await stack.enter_async_context(alice.conversation("sip:bob@example.com"))
        waiting = asyncio.create_task(anext(chat, None))
        await asyncio.sleep(1)
        await alice._runtime.close()
        assert await waiting is None


# --- a service ---


async def test_everybody_who_writes_has_a_conversation(world: World) -> None:
    async def ask(agent: UserAgent) -> list[str]:
        async with agent.conversation("sip:service@service.test") as chat:
            replies = []
            for word in (agent.aor, "again", "again"):
                await chat.send(word)
                replies.append((await anext(chat)).text)
            return replies

    async with (
        world.user_agent("service") as service,
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        service.conversations(count),
    ):
        replies = await asyncio.gather(ask(alice), ask(bob))
    for name, heard in zip(("alice", "bob"), replies, strict=True):
        assert heard == [f"sip:{name}@{name}.test {number}" for number in (1, 2, 3)]
    assert world.leftovers == []


async def test_plain_messages_belong_together_by_their_sender(world: World) -> None:
    """Each message of ours has another UUID, as of a client that does not know of conversations."""
    answers: list[str] = []

    async def take(request: IncomingRequest) -> None:
        answers.append(request.text)
        await request.respond(200)

    async with (
        world.user_agent("service") as service,
        world.user_agent("alice") as alice,
        service.conversations(count),
        alice.serving(requests={"MESSAGE": take}),
    ):
        for word in ("Alice", "more"):
            await alice.message("sip:service@service.test", word)
            await asyncio.sleep(1)
    assert answers == ["Alice 1", "Alice 2"]


async def test_after_silence_it_begins_anew(world: World) -> None:
    states: list[dict[str, object]] = []

    async def note(chat: Conversation) -> None:
        async for message in chat:
            chat.state[message.text] = True
        states.append({**chat.state})

    async with (
        world.user_agent("alice") as alice,
        ScriptedPeer(world, "bob") as bob,
        alice.conversations(note, idle=100),
    ):
        for word, pause in (("one", 90), ("two", 110), ("three", 110)):
            write(bob, alice, word)
            await asyncio.sleep(pause)
    assert states == [{"one": True, "two": True}, {"three": True}]


async def test_strangers_drive_nobody_out(world: World) -> None:
    begun: list[str] = []

    async def note(chat: Conversation) -> None:
        begun.append(chat.peer)
        async for _ in chat:
            pass
        begun.append(f"{chat.peer} is over")

    async with (
        world.user_agent("alice") as alice,
        ScriptedPeer(world, "bob") as bob,
        alice.conversations(note, most=2),
    ):

        async def stranger(name: str, body: str) -> int:
            write(bob, alice, f"{name} {body}", ("From", f"<sip:{name}@example.com>;tag=1"))
            await bob.responded(len(bob.responses) + 1)
            await asyncio.sleep(0.1)
            return bob.response.status

        assert [await stranger("bob", word) for word in ("one", "two")] == [200, 200]
        assert [await stranger(name, "one") for name in ("x", "y")] == [200, 200]
        assert begun[:2] == ["sip:bob@example.com", "sip:x@example.com"]
        assert sorted(begun[2:]) == ["sip:x@example.com is over", "sip:y@example.com"]
        assert await stranger("y", "two") == 200
        assert await stranger("z", "one") == 503
        assert bob.response.headers.get("Retry-After") == "10"
        assert await stranger("bob", "three") == 200


async def test_a_handler_that_fails_ends_its_conversation_alone(world: World) -> None:
    reports: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: reports.append(str(context.get("exception")))
    )

    async def fail(chat: Conversation) -> None:
        message = await anext(chat)
        if message.text == "fail":
            raise RuntimeError("a bug")
        await chat.send(f"got {message}")

    async with (
        world.user_agent("service") as service,
        world.user_agent("alice") as alice,
        service.conversations(fail),
        alice.conversation("sip:service@service.test") as chat,
    ):
        await chat.send("fail")
        await asyncio.sleep(1)
        await chat.send("go on")
        assert str(await anext(chat)) == "got go on"
        with pytest.raises(LocalProtocolError, match="a handler of conversations already"):
            async with service.conversations(fail):
                pass
    assert reports == ["a bug"]
    assert world.leftovers == []


async def test_who_cannot_be_answered_goes_to_the_handler_of_messages(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        ScriptedPeer(world, "bob") as bob,
        alice.conversations(count),
    ):
        write(bob, alice, "hello", ("From", "<pres:bob@example.com>;tag=1"))
        await bob.responded(1)
        assert bob.response.status == 480


async def test_we_answer_as_who_was_written_to_and_give_strangers_no_digest(world: World) -> None:
    """As in calls: anybody can write, and guess a password from the digest."""
    outcomes: list[int] = []

    async def reply(chat: Conversation) -> None:
        await anext(chat)
        with pytest.raises(AuthenticationFailed) as caught:
            await chat.send("reply")
        outcomes.append(caught.value.status)

    second = Account("sip:service@example.com", password="secret")
    challenge = ("WWW-Authenticate", 'Digest realm="bob", nonce="n", algorithm=MD5')
    async with (
        world.user_agent("alice", password="secret", accounts=[second]) as alice,
        ScriptedPeer(
            world, "bob", on_request=lambda request: [request.response(401, headers=[challenge])]
        ) as bob,
        alice.conversations(reply),
    ):
        to = ("From", "<sip:bob@bob.test>;tag=1")
        write(bob, alice, "first", to)
        await bob.received(1)
        await asyncio.sleep(1)
        assert bob.request.from_.uri_text == "sip:alice@alice.test"
        request = bob.write("MESSAGE", "sip:service@alice.test", call_id="x", headers=[to])
        bob.send(alice.listening[0][1:], request)
        await bob.received(2)
        await asyncio.sleep(1)
        assert bob.request.from_.uri_text == "sip:service@example.com"
        assert [request.method for request in bob.requests] == ["MESSAGE", "MESSAGE"]
    assert outcomes == [401, 401]


async def test_in_another_process(world: World) -> None:
    async with world.user_agent("service") as service, world.user_agent("alice") as alice:
        async with alice.conversation("sip:service@service.test", idle=100) as before:
            before.state["step"] = 3
            record = before.record()
        async with alice.conversation("sip:service@service.test", record=record) as chat:
            assert (chat.state, chat.session_id) == ({"step": 3}, before.session_id)
        assert not service.calls


async def test_a_sender_that_is_no_uri_goes_to_the_handler_of_messages(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        ScriptedPeer(world, "bob") as bob,
        alice.conversation("sip:bob@example.com"),
    ):
        write(bob, alice, "hello", ("From", "<sip:@@h>;tag=1"))
        await bob.responded(1)
        assert bob.response.status == 480


@pytest.mark.parametrize("idle", [0, -1.0, float("nan")])
async def test_an_idle_time_that_is_none(world: World, idle: float) -> None:
    async with world.user_agent("alice") as alice:
        with pytest.raises(LocalProtocolError, match="idle"):
            async with alice.conversation("sip:bob@example.com", idle=idle):
                pass


# --- a bad network ---


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_on_a_bad_network_each_text_is_given_once_and_in_order(seed: int) -> None:
    world = World(Link(0.05, jitter=0.2, loss=0.2, duplicate=0.2, reorder=0.2, hold=0.5), seed=seed)
    words = [f"{number:02}" for number in range(10)]
    heard: list[str] = []
    replies: list[str] = []

    async def note(chat: Conversation) -> None:
        async for message in chat:
            assert not message.late
            heard.append(message.text)
            await chat.send(f"got {message}")

    async def read(chat: Conversation) -> None:
        async for message in chat:
            replies.append(message.text)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.conversations(note):
        async with alice.conversation("sip:bob@bob.test") as chat:
            reading = asyncio.create_task(read(chat))
            for word in words:
                await chat.send(word)
            await asyncio.sleep(60)
        await reading
    assert heard == words
    assert replies == [f"got {word}" for word in words]
    assert world.leftovers == []
