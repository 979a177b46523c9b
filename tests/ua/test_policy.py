"""Decisions at once: no task is made for the call, and what goes wrong is answered all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sipstack import (
    Accept,
    CallRejected,
    InvitationReceived,
    LocalProtocolError,
    Redirect,
    Reject,
    session_description,
)
from sipstack.identifiers import Identifiers
from sipstack.sdp import STATIC_CODECS, Capabilities, MediaStream, Negotiation, Origin, parse
from sipstack.testing.ladders import ladder
from sipstack.testing.world import World
from sipstack.ua.policy import Decision
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time

Policy = Callable[[InvitationReceived], Decision | None]


class Counting:
    """A policy that counts the tasks there are while it decides and once it has decided."""

    def __init__(self, decision: Decision | None) -> None:
        self.decision = decision
        self.tasks: list[int] = []

    def __call__(self, event: InvitationReceived) -> Decision | None:
        self._count()
        asyncio.get_running_loop().call_soon(self._count)
        return self.decision

    def _count(self) -> None:
        self.tasks.append(len(asyncio.all_tasks()))


def accept(event: InvitationReceived) -> Accept:
    """Answer the offer in it, for media that an application has of its own."""
    capabilities = Capabilities((STATIC_CODECS[0],))
    offer = parse(session_description(event.request))
    negotiation = Negotiation(Origin("-", Identifiers().session_id(), 1, "10.0.0.2"), "10.0.0.2")
    answer = negotiation.answer(offer, {"audio": MediaStream("audio", capabilities, 4000)}).local
    return Accept(bytes(answer), headers=(("Server", "at once"),))


# --- what goes wrong ---


def raising(_: InvitationReceived) -> Decision:
    raise RuntimeError("a bug")


BROKEN: list[tuple[Policy, str]] = [
    (raising, "a bug"),
    (lambda _: Reject(200), "200 does not refuse a call"),
    (lambda _: Reject(486, "Busy\r\nX: y"), "a reason phrase cannot hold CR, LF or NUL"),
    (lambda _: Redirect("sip:carol@carol.test\r\nX: y"), "cannot hold CR, LF or NUL"),
    (lambda _: Accept(b"", headers=(("X", "a\r\nb"),)), "cannot hold CR, LF or NUL"),
]


@pytest.mark.parametrize(("policy", "error"), BROKEN)
async def test_a_broken_policy_is_reported_and_answered_with_500(
    world: World, policy: Policy, error: str
) -> None:
    reported: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(str(context["exception"])))
    async with world.user_agent("alice") as alice, world.user_agent("bob", policy=policy) as bob:
        for _ in range(2):
            with pytest.raises(CallRejected) as raised:
                async with alice.call("sip:bob@bob.test"):
                    raise AssertionError
            assert raised.value.status == 500
        await asyncio.sleep(100)
        assert bob._runtime.core.leftovers() == []
    assert [error in report for report in reported] == [True, True]
    assert world.leftovers == []


def test_a_redirection_needs_a_target() -> None:
    with pytest.raises(LocalProtocolError, match="needs a target"):
        Redirect()


# --- decisions ---


async def test_reject(world: World) -> None:
    policy = Counting(Reject(603, "Not Now", headers=(("Retry-After", "60"),)))
    async with world.user_agent("alice") as alice, world.user_agent("bob", policy=policy):
        before = len(asyncio.all_tasks())
        with pytest.raises(CallRejected, match="603 Not Now") as raised:
            async with alice.call("sip:bob@bob.test"):
                raise AssertionError
        assert policy.tasks == [before, before]
        assert raised.value.response.headers.get("Retry-After") == "60"
        await asyncio.sleep(0.1)  # the ACK arrives
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@bob.test [1]
        bob -> alice    603 Not Now [1 INVITE]
        alice -> bob    ACK sip:bob@bob.test [1]
    """)
    assert world.leftovers == []


async def test_redirect(world: World) -> None:
    policy = Counting(Redirect("sip:carol@carol.test", "sip:dave@dave.test", status=301))
    async with world.user_agent("alice") as alice, world.user_agent("bob", policy=policy):
        before = len(asyncio.all_tasks())
        with pytest.raises(CallRejected) as raised:
            async with alice.call("sip:bob@bob.test"):
                raise AssertionError
        assert policy.tasks == [before, before]
    assert raised.value.status == 301
    assert [str(contact) for contact in raised.value.response.contacts] == [
        "<sip:carol@carol.test>;q=1.00",
        "<sip:dave@dave.test>;q=0.50",
    ]
    assert world.leftovers == []


async def test_accept(world: World) -> None:
    tasks: list[int] = []

    def policy(event: InvitationReceived) -> Accept:
        asyncio.get_running_loop().call_soon(lambda: tasks.append(len(asyncio.all_tasks())))
        return accept(event)

    async with world.user_agent("alice") as alice, world.user_agent("bob", policy=policy) as bob:
        before = len(asyncio.all_tasks())
        async with alice.call("sip:bob@bob.test") as call:
            assert call.codec == "PCMU"
            await asyncio.sleep(60)
            assert tasks == [before]
            assert bob.calls == []  # no media of ours, so no Call
        await asyncio.sleep(100)
        assert bob._runtime.core.leftovers() == []
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@bob.test [1]
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK sip:bob@10.0.0.2:5060 [1]
        alice -> bob    BYE sip:bob@10.0.0.2:5060 [2]
        bob -> alice    200 OK [2 BYE]
    """)
    assert b"\r\nServer: at once\r\n" in world.trace[1].data
    assert world.leftovers == []


async def test_none_leaves_it_to_the_handler(world: World) -> None:
    callee = Answering()
    policy = Counting(None)
    async with world.user_agent("alice") as alice, world.user_agent("bob", policy=policy) as bob:
        async with bob.serving(callee), alice.call("sip:bob@bob.test"):
            assert len(callee.calls) == 1
        with pytest.raises(CallRejected) as raised:  # and without a handler, nobody is there
            async with alice.call("sip:bob@bob.test"):
                raise AssertionError
    assert raised.value.status == 480
    assert policy.tasks[1] == policy.tasks[0] + 1  # the handler's
    assert world.leftovers == []


async def test_the_policy_sees_the_whole_request(world: World) -> None:
    def only_alice(event: InvitationReceived) -> Reject | None:
        return None if str(event.request.from_.uri) == "sip:alice@alice.test" else Reject(403)

    callee = Answering()
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("mallory") as mallory,
        world.user_agent("bob", policy=only_alice) as bob,
        bob.serving(callee),
    ):
        async with alice.call("sip:bob@bob.test"):
            with pytest.raises(CallRejected) as raised:
                async with mallory.call("sip:bob@bob.test"):
                    raise AssertionError
        assert raised.value.status == 403
    assert len(callee.calls) == 1
    assert world.leftovers == []
