"""Why a call ended, as the other side says (RFC 3326)."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import CallEnded, CallRejected, Invitation, Reason, TransactionTimeout, reasons
from sipstack.message import Response
from sipstack.testing.world import World
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time


def causes(of: CallEnded | CallRejected | Response | str) -> list[tuple[str, int | None, str | None]]:
    return [(each.protocol, each.cause, each.text) for each in reasons(of)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Q.850;cause=16", [("Q.850", 16, None)]),
        (
            'SIP;cause=200;text="a, b; c", Q.850 ;cause=17 ;text="busy"',
            [("SIP", 200, "a, b; c"), ("Q.850", 17, "busy")],
        ),
        ("no answer to our BYE", []),
        ("nothing, SIP;cause=486", [("SIP", 486, None)]),
        ('SIP;cause=1;text="open', []),
        ("line\r\nbreak;cause=1", []),
    ],
)
def test_what_a_text_says(text: str, expected: list[tuple[str, int | None, str | None]]) -> None:
    assert causes(text) == expected
    assert causes(CallEnded("remote", text)) == expected


def test_what_a_message_says() -> None:
    response = Response(503, headers=[("Reason", "Q.850;cause=34"), ("Reason", "SIP;cause=503")])
    assert [reason.cause for reason in reasons(response)] == [34, 503]
    assert reasons(CallRejected(response)) == reasons(response)
    assert reasons(Response(503)) == ()


async def test_a_hang_up_is_told_as_normal_clearing(world: World) -> None:
    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.call("sip:bob@bob.test"):
            pass
        async with alice.call("sip:bob@bob.test") as call:
            await call.hang_up("Q.850;cause=31")
    assert [reasons(CallEnded(*end))[0].cause for end in callee.ends] == [16, 31]


async def test_a_cancel_says_why(world: World) -> None:
    why: list[tuple[Reason, ...]] = []

    async def ring(invitation: Invitation) -> None:
        try:
            await invitation.progress(180)
            await asyncio.sleep(3600)
        finally:
            why.append(reasons(invitation.cancel_reason or ""))

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(ring):
        with pytest.raises(TransactionTimeout):
            await alice.call("sip:bob@bob.test", ring_timeout=5).__aenter__()
        async with alice.invite("sip:bob@bob.test"):
            await asyncio.sleep(1)
        async with alice.invite("sip:bob@bob.test") as outgoing:
            await asyncio.sleep(1)
            await outgoing.cancel('SIP;cause=200;text="Call completed elsewhere"')
    assert [(reason.protocol, reason.cause) for (reason,) in why] == [
        ("Q.850", 19),
        ("Q.850", 16),
        ("SIP", 200),
    ]
