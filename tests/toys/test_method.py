"""A method, an event package and an option tag of the application's own, by the public API alone."""

from __future__ import annotations

from typing import Any

import pytest

from sipstack import (
    CallExtension,
    CallRejected,
    Extension,
    IncomingRequest,
    LocalProtocolError,
    Request,
    Response,
    UserAgent,
)
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time

SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


async def moo(request: IncomingRequest) -> None:
    await request.respond(200, "Moo", headers={"X-Heard": request.method}, body=request.body.upper())


async def forget(request: IncomingRequest) -> None:
    """Return without answering."""


# --- a method ---


async def test_a_method_is_refused_before_and_after_and_announced_while_the_block_runs(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:

        async def asked() -> list[tuple[int, tuple[str, ...]]]:
            answers = [await alice.request(method, "sip:bob.test") for method in ("MOO", "INFO", "OPTIONS")]
            return [(answer.status, answer.allow) for answer in answers]

        before = await asked()
        async with bob.serving(requests={"MOO": moo}):
            one = await asked()
            async with bob.serving(requests={"INFO": moo}):
                both = await asked()
            one_again = await asked()
        after = await asked()
    alone = before[0][1]
    assert {"ACK", "BYE", "CANCEL", "INFO", "INVITE", "OPTIONS"} <= {*alone}
    assert "MOO" not in alone
    assert before == after == [(501, alone), (481, ()), (200, alone)]
    with_moo = tuple(sorted((*alone, "MOO")))
    assert one == one_again == [(200, ()), (481, ()), (200, with_moo)]
    assert both == [(200, ()), (200, ()), (200, with_moo)]
    assert world.leftovers == []


async def test_the_handler_has_the_request_and_its_response_is_its_own(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(requests={"MOO": moo}):
            answer = await alice.request("MOO", "sip:bob.test", headers={"Content-Type": "a/b"}, body=b"hay")
    assert (answer.status, answer.reason, answer.headers.get("X-Heard"), answer.body) == (
        200,
        "Moo",
        "MOO",
        b"HAY",
    )


async def test_what_the_endpoint_answers_itself_can_be_taken_over_for_a_while(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        reasons = [(await alice.options("sip:bob.test")).reason]
        async with bob.serving(requests={"OPTIONS": moo}):
            reasons.append((await alice.options("sip:bob.test")).reason)
        reasons.append((await alice.options("sip:bob.test")).reason)
    assert reasons == ["OK", "Moo", "OK"]


@pytest.mark.parametrize("method", ["INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE"])
async def test_the_methods_of_calls_are_not_the_applications(world: World, method: str) -> None:
    async with world.user_agent("bob") as bob:
        with pytest.raises(LocalProtocolError, match=f"{method} belongs to a call"):
            async with bob.serving(requests={method: moo}):
                pass


@pytest.mark.parametrize("method", ["", "MO O", "MOO\r\nX: y", "M\0"])
async def test_what_is_no_method(world: World, method: str) -> None:
    async with world.user_agent("bob") as bob:
        with pytest.raises(LocalProtocolError):
            async with bob.serving(requests={method: moo}):
                pass
        async with bob.serving(requests={"MOO": moo}):
            pass


async def called_bob(world: World, carol: ScriptedPeer, bob: UserAgent) -> Response:
    """Bob's 200 to carol's call, acknowledged."""
    at = (world.names["bob.test"][0], 5060)
    carol.send(at, carol.write("INVITE", "sip:bob.test", body=SDP))
    await carol.responded(1)
    answer = carol.response
    carol.send(at, carol.inside(answer, "ACK", 1))
    return answer


async def inside(carol: ScriptedPeer, answer: Response, method: str, cseq: int, *event: str) -> None:
    """A request in the dialog of the call, and its response."""
    headers = [("Event", each) for each in event]
    count = len(carol.responses)
    host = answer.contacts[0].uri
    carol.send((host.host, 5060), carol.inside(answer, method, cseq, headers=headers))  # type: ignore[union-attr]
    await carol.responded(count + 1)


async def test_inside_of_a_call_too(world: World) -> None:
    handler = Answering()
    async with world.user_agent("bob") as bob, ScriptedPeer(world, "carol") as carol, bob.serving(handler):
        answer = await called_bob(world, carol, bob)
        world.ladder()
        await inside(carol, answer, "MOO", 2)
        async with bob.serving(requests={"MOO": moo}):
            await inside(carol, answer, "MOO", 3)
        async with bob.serving(requests={"MOO": forget}):
            await inside(carol, answer, "MOO", 4)
        await inside(carol, answer, "MOO", 5)
        await inside(carol, answer, "BYE", 6)
    assert world.ladder(by="bob") == ladder("""
        bob -> carol    501 Not Implemented [2 MOO]
        bob -> carol    200 Moo [3 MOO]
        bob -> carol    480 Temporarily Unavailable [4 MOO]
        bob -> carol    501 Not Implemented [5 MOO]
        bob -> carol    200 OK [6 BYE]
    """)
    assert handler.ends == [("remote", "")]
    assert world.leftovers == []


# --- event packages ---


async def test_a_package_is_announced_while_the_block_runs_and_any_other_is_489(world: World) -> None:
    heard: list[str] = []

    async def take(request: IncomingRequest) -> None:
        heard.append(f"{request.method} {request.request.headers.get('Event')}")
        await request.respond(200)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:

        async def asked(method: str, event: str) -> tuple[int, str | None]:
            answer = await alice.request(method, "sip:bob.test", headers={"Event": event})
            return answer.status, answer.headers.get("Allow-Events")

        statuses = [await asked("NOTIFY", "message-summary")]
        async with bob.serving(
            requests={"NOTIFY": take, "SUBSCRIBE": take}, packages=["message-summary", "toy"]
        ):
            statuses += [
                await asked("NOTIFY", "message-summary"),
                await asked("SUBSCRIBE", "toy;id=7"),
                await asked("NOTIFY", "presence"),
                await asked("SUBSCRIBE", "presence"),
            ]
            options = await alice.options("sip:bob.test")
        async with bob.serving(requests={"NOTIFY": take}):
            statuses.append(await asked("NOTIFY", "presence"))  # the handler looks for itself
        statuses.append(await asked("NOTIFY", "message-summary"))
    both = "message-summary, toy"
    assert statuses == [
        (405, None),
        (200, None),
        (200, None),
        (489, both),
        (489, both),
        (200, None),
        (405, None),
    ]
    assert options.headers.get("Allow-Events") == both
    assert heard == ["NOTIFY message-summary", "SUBSCRIBE toy;id=7", "NOTIFY presence"]
    assert world.leftovers == []


async def test_a_request_without_event_is_of_no_package(world: World) -> None:
    """RFC 6665 §8.2.1"""
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(requests={"SUBSCRIBE": moo, "MOO": moo}, packages=["toy"]):
            answers = [await alice.request(method, "sip:bob.test") for method in ("SUBSCRIBE", "MOO")]
    assert [answer.status for answer in answers] == [489, 200]


async def test_events_inside_of_a_call(world: World) -> None:
    handler = Answering()
    async with world.user_agent("bob") as bob, ScriptedPeer(world, "carol") as carol, bob.serving(handler):
        answer = await called_bob(world, carol, bob)
        world.ladder()
        async with bob.serving(requests={"NOTIFY": moo}, packages=["toy"]):
            await inside(carol, answer, "NOTIFY", 2, "toy")
            await inside(carol, answer, "NOTIFY", 3, "presence")
            await inside(carol, answer, "NOTIFY", 4)
        await inside(carol, answer, "NOTIFY", 5, "toy")
        await inside(carol, answer, "BYE", 6)
    assert world.ladder(by="bob") == ladder("""
        bob -> carol    200 Moo [2 NOTIFY]
        bob -> carol    489 Bad Event [3 NOTIFY]
        bob -> carol    489 Bad Event [4 NOTIFY]
        bob -> carol    405 Method Not Allowed [5 NOTIFY]
        bob -> carol    200 OK [6 BYE]
    """)


@pytest.mark.parametrize(
    ("packages", "message"),
    [
        ("toy", r"packages is a list of names: write it like \['toy'\]"),
        (["to y"], "'to y' is no name of an event package"),
        ([""], "'' is no name of an event package"),
        (["toy\r\nX: y"], "is no name of an event package"),
    ],
)
async def test_what_is_no_package(world: World, packages: list[str], message: str) -> None:
    async with world.user_agent("bob") as bob:
        with pytest.raises(LocalProtocolError, match=message):
            async with bob.serving(requests={"NOTIFY": moo}, packages=packages):
                pass


@pytest.mark.parametrize("method", ["MESSAGE", "MOO"])
async def test_a_package_needs_a_handler(world: World, method: str) -> None:
    async with world.user_agent("bob") as bob:
        with pytest.raises(
            LocalProtocolError, match="packages need a handler in requests for NOTIFY, PUBLISH"
        ):
            async with bob.serving(requests={method: moo}, packages=["toy"]):
                pass


# --- option tags ---


class Gin(CallExtension):
    """Says in each INVITE and each response to one that it is there."""

    name = "gin"

    def outgoing(self, method: str) -> tuple[tuple[str, object], ...]:
        return (("X-Gin", "asked"),)

    def answering(
        self, request: Request, status: int, now: float, *, described: bool = False, wish: Any = None
    ) -> tuple[tuple[str, object], ...]:
        return (("X-Gin", "poured"),)


def gin(*, required: bool = False) -> Extension:
    return Extension("gin", lambda call: Gin(), required=required)


async def invited(world: World, *extensions: Extension) -> tuple[Request, tuple[str | None, ...]]:
    """The INVITE that a user agent with these extensions sends."""
    async with (
        world.user_agent("alice", extensions=extensions) as alice,
        ScriptedPeer(world, "carol") as carol,
    ):
        carol.on_request = lambda request: [] if request.method == "ACK" else [request.response(486)]
        with pytest.raises(CallRejected, match="486"):
            async with alice.call("sip:carol.test"):
                pass
        headers = carol.invite.headers
        ours = [tag for tag in carol.invite.supported if tag in ("gin", "rum")]
        return carol.invite, (", ".join(ours) or None, headers.get("Require"), headers.get("X-Gin"))


@pytest.mark.parametrize(
    ("extensions", "fields"),
    [
        ([], (None, None, None)),
        ([gin()], ("gin", None, "asked")),
        ([gin(required=True)], ("gin", "gin", "asked")),
        ([gin(), Extension("rum", lambda call: CallExtension())], ("gin, rum", None, "asked")),
    ],
)
async def test_supported_and_require_follow_from_the_extensions(
    world: World, extensions: list[Extension], fields: tuple[str | None, ...]
) -> None:
    _, found = await invited(world, *extensions)
    assert found == fields


async def test_420_to_what_we_lack_and_421_to_who_lacks_what_we_require(world: World) -> None:
    """§8.2.2.3, §21.4.16"""
    asking, plain = gin(required=True), ()
    async with (
        world.user_agent("alice", extensions=[asking]) as alice,
        world.user_agent("bob", extensions=plain) as bob,
        world.user_agent("carol", extensions=[asking]) as carol,
        bob.serving(Answering()),
        carol.serving(Answering()),
    ):
        with pytest.raises(CallRejected) as lacking:
            async with alice.call("sip:bob.test"):
                pass
        with pytest.raises(CallRejected) as demanding:
            async with bob.call("sip:carol.test"):
                pass
        async with alice.invite("sip:carol.test") as outgoing:
            await outgoing.answered()
    assert [
        (each.value.status, each.value.response.headers.get(name))
        for each, name in (
            (lacking, "Unsupported"),
            (demanding, "Require"),
        )
    ] == [(420, "gin"), (421, "gin")]
    assert world.leftovers == []


async def test_a_tag_is_announced_in_each_response_that_makes_a_dialog(world: World) -> None:
    async with (
        world.user_agent("bob", extensions=[gin()]) as bob,
        ScriptedPeer(world, "carol") as carol,
        bob.serving(Answering()),
    ):
        answer = await called_bob(world, carol, bob)
        await inside(carol, answer, "BYE", 2)
    assert "gin" in answer.supported
    assert answer.headers.get("X-Gin") == "poured"
