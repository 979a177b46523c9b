"""Requests other than INVITE that a handler answers: MESSAGE (RFC 3428), and methods of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from sipstack import CallRejected, IncomingRequest, Invitation, LocalProtocolError
from sipstack.errors import RemoteProtocolError
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.ua.handlers import busy, echo

pytestmark = pytest.mark.virtual_time

Handler = Callable[[IncomingRequest], Awaitable[None]]


async def take(request: IncomingRequest) -> None:
    await request.respond(200)


async def forget(request: IncomingRequest) -> None:
    """Return without answering."""


async def fail(request: IncomingRequest) -> None:
    raise RuntimeError("a bug")


async def refuse(request: IncomingRequest) -> None:
    raise RemoteProtocolError("such a body", 415)


# --- without a handler, or with one that does not answer ---


async def test_a_message_without_a_handler_is_refused_with_405_and_allow_agrees(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        answers = [await alice.message("sip:bob.test", "hello")]
        async with bob.serving(requests={"MESSAGE": take, "DANCE": take}):
            answers += [
                await alice.message("sip:bob.test", "hello"),
                await alice.request("DANCE", "sip:bob.test"),
            ]
            answers.append(await alice.options("sip:bob.test"))
        answers += [
            await alice.message("sip:bob.test", "hello"),
            await alice.request("DANCE", "sip:bob.test"),
        ]
    alone = answers[0].allow
    assert {"ACK", "BYE", "CANCEL", "INFO", "INVITE", "OPTIONS"} <= {*alone}
    serving = tuple(sorted((*alone, "DANCE", "MESSAGE")))
    assert [(answer.status, answer.allow) for answer in answers] == [
        (405, alone),
        (200, ()),
        (200, ()),
        (200, serving),
        (405, alone),
        (501, alone),
    ]
    assert world.leftovers == []


@pytest.mark.parametrize(
    ("handler", "status", "reports"),
    [(forget, 480, []), (fail, 500, ["a bug"]), (refuse, 415, ["such a body"])],
)
async def test_a_handler_that_does_not_answer(
    world: World, handler: Handler, status: int, reports: list[str]
) -> None:
    reported: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: reported.append(str(context["exception"]))
    )
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(requests={"MESSAGE": handler}):
            assert (await alice.message("sip:bob.test", "hello")).status == status
    assert reported == reports
    assert world.leftovers == []


async def test_serving_that_ends_refuses_what_is_not_answered(world: World) -> None:
    async def slow(request: IncomingRequest) -> None:
        await asyncio.sleep(20)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(requests={"MESSAGE": slow}):
            asking = asyncio.create_task(alice.message("sip:bob.test", "hello"))
            await asyncio.sleep(1)
        assert (await asking).status == 480
    assert world.leftovers == []


async def test_leaving_the_user_agent_refuses_what_is_not_answered(world: World) -> None:
    began: list[str] = []

    async def slow(request: IncomingRequest) -> None:
        began.append(repr(request))
        await asyncio.sleep(20)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        serving = asyncio.create_task(bob.serve(requests={"MESSAGE": slow}))
        await asyncio.sleep(0)
        asking = asyncio.create_task(alice.message("sip:bob.test", "hello"))
        await asyncio.sleep(1)
        await bob.__aexit__(None, None, None)
        answer = await asking
        assert (answer.status, began) == (
            480,
            [f"<IncomingRequest {answer.call_id} from sip:alice@alice.test>"],
        )
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    assert world.leftovers == []


async def test_what_comes_in_while_the_user_agent_is_left_is_refused(world: World) -> None:
    async def stubborn(request: IncomingRequest) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(10)
        await asyncio.sleep(2)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(requests={"MESSAGE": stubborn}):
            first = asyncio.create_task(alice.message("sip:bob.test", "hello"))
            await asyncio.sleep(1)
            leaving = asyncio.create_task(bob.__aexit__(None, None, None))
            await asyncio.sleep(1)
            assert (await alice.message("sip:bob.test", "still there?")).status == 480
            assert not leaving.done()
            await leaving
        assert (await first).status == 480
    assert world.leftovers == []


# --- mistakes ---


async def test_a_request_is_answered_once_and_finally(world: World) -> None:
    errors: list[str] = []
    answered: list[bool] = []

    async def handler(request: IncomingRequest) -> None:
        mistakes: list[tuple[int, dict[str, str]]] = [
            (100, {}),
            (183, {}),
            (700, {}),
            (200, {"Via": "x"}),
            (200, {"X": "a\r\nb"}),
        ]
        for status, headers in mistakes:
            with pytest.raises(LocalProtocolError) as raised:
                await request.respond(status, headers=headers)
            errors.append(str(raised.value).partition(":")[0])
        answered.append(request.answered)
        await request.respond(202, "Later")
        answered.append(request.answered)
        with pytest.raises(LocalProtocolError, match="the request is answered"):
            await request.respond(200)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(requests={"MESSAGE": handler}):
            answer = await alice.message("sip:bob.test", "hello")
    assert errors == [
        "100 is not a final response",
        "183 is not a final response",
        "700 is not a final response",
        "Via cannot be given in headers=",
        "a header field value cannot hold CR, LF or NUL",
    ]
    assert (answer.status, answer.reason, answered) == (202, "Later", [False, True])
    assert world.leftovers == []


@pytest.mark.parametrize("method", ["INVITE", "BYE", "ACK", "CANCEL", "NO METHOD"])
async def test_methods_of_calls_have_no_handler_of_their_own(world: World, method: str) -> None:
    async with world.user_agent("bob") as bob:
        with pytest.raises(LocalProtocolError):
            async with bob.serving(requests={"MESSAGE": take, method: take}):
                raise AssertionError
        async with bob.serving(requests={"MESSAGE": take}):  # nothing was left registered
            pass


async def test_each_method_has_one_handler_and_each_block_takes_its_own_away(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(busy), bob.serving(requests={"MESSAGE": take}):
            text = {"MESSAGE": take}
            for wrong in (bob.serving(echo), bob.serving(echo, text), bob.serving(None, text)):
                with pytest.raises(LocalProtocolError, match="has a handler already for"):
                    async with wrong:
                        raise AssertionError
            async with bob.serving(requests={"DANCE": take}):
                assert (await alice.request("DANCE", "sip:bob.test")).status == 200
            assert (await alice.message("sip:bob.test", "hello")).status == 200
            with pytest.raises(CallRejected, match="486"):
                async with alice.call("sip:bob.test"):
                    raise AssertionError
    assert world.leftovers == []


# --- what a handler sees, and what the sender gets ---


async def test_who_says_what_to_whom(world: World) -> None:
    seen: list[tuple[object, ...]] = []

    async def handler(request: IncomingRequest) -> None:
        seen.append((request.method, str(request.from_.uri), str(request.to.uri), request.text, request.body))
        seen.append((request.agent, request.call_id == request.request.call_id))
        await request.respond(
            200, headers={"Content-Type": "text/plain", "Expires": 60}, body=request.text.upper().encode()
        )

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(requests={"MESSAGE": handler, "SERVICE": handler}):
            answer = await alice.message("sip:bob.test", "Grüße")
            assert (answer.body.decode(), answer.expires) == ("GRÜSSE", 60)
            await alice.request("SERVICE", "sip:bob.test", headers={"Content-Type": "x/y"}, body=b"\xff")
        people = ("sip:alice@alice.test", "sip:bob.test")
        assert seen == [
            ("MESSAGE", *people, "Grüße", "Grüße".encode()),
            (bob, True),
            ("SERVICE", *people, "\ufffd", b"\xff"),
            (bob, True),
        ]
    assert world.leftovers == []


async def test_a_handler_places_a_call_with_the_user_agent_that_was_asked(world: World) -> None:
    """Click to dial: the text is the address to call. And an invitation knows its user agent as well."""

    async def dial(request: IncomingRequest) -> None:
        async with request.agent.call(request.text):
            await request.respond(200)

    agents: list[object] = []

    async def accept(invitation: Invitation) -> None:
        agents.append(invitation.agent)
        async with invitation.accept() as call:
            await call.ended()

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        world.user_agent("carol") as carol,
        bob.serving(requests={"MESSAGE": dial}),
        carol.serving(accept),
    ):
        assert (await alice.message("sip:bob.test", "sip:carol@carol.test")).status == 200
        assert agents == [carol]
    assert world.leftovers == []


@pytest.mark.parametrize("uri", ["sip:2001:db8::1", "sip:@@h", "sip:h:99999"])
async def test_a_from_that_is_no_uri_is_only_given_back(world: World, uri: str) -> None:
    seen: list[str] = []

    async def take(request: IncomingRequest) -> None:
        seen.append(f"{request!r} {request.from_}")
        await request.respond(200)

    async with world.user_agent("alice") as alice, ScriptedPeer(world, "bob") as bob:
        async with alice.serving(requests={"MESSAGE": take}):
            headers = [("From", f"<{uri}>;tag=1")]
            bob.send(("10.0.0.1", 5060), bob.write("MESSAGE", alice.contact, headers=headers))
            await bob.responded(1)
            assert [response.status for response in bob.responses] == [200]
    call_id = bob.responses[0].call_id
    assert seen == [f"<IncomingRequest {call_id} from {uri}> <{uri}>;tag=1"]


# --- until when a message is of use (RFC 3428 §4) ---


async def test_a_message_tells_how_long_it_is_of_use(world: World) -> None:
    seen: list[tuple[int | None, bool, bool]] = []

    async def note(request: IncomingRequest) -> None:
        seen.append((request.request.expires, "Date" in request.request.headers, request.expired))
        await request.respond(200)

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving(requests={"MESSAGE": note}),
    ):
        await alice.message("sip:bob.test", "now", expires=60)
        await alice.message("sip:bob.test", "always")
        old = {"Expires": 60, "Date": "Fri, 27 Nov 2020 12:00:00 GMT"}
        await alice.message("sip:bob.test", "too late", headers=old)
        for expires in (0, -1, 2**32):
            with pytest.raises(LocalProtocolError, match="expires is a number of seconds"):
                await alice.message("sip:bob.test", "never", expires=expires)
    assert seen == [(60, True, False), (None, False, False), (60, True, True)]


async def test_a_message_that_is_too_long_for_udp_is_not_sent(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob"):
        with pytest.raises(LocalProtocolError, match="cannot go over UDP"):
            await alice.message("sip:bob.test", "x" * 1300)
    assert world.leftovers == []
