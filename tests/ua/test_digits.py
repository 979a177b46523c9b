"""Digits of whole calls: ``call.dtmf`` by every way, and INFO with its answers."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import Call, CallEnded, Invitation, RequestFailed, UserAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World

pytestmark = pytest.mark.virtual_time

SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
RELAY = ("Content-Type", "application/dtmf-relay")


def rtp(world: World, name: str) -> UserAgent:
    return world.user_agent(name, media=world.audio_session)


class Taking:
    """A handler that takes digits until the call ends."""

    def __init__(self) -> None:
        self.digits: list[tuple[str, str]] = []

    async def __call__(self, invitation: Invitation) -> None:
        async with invitation.accept() as call:
            async for digit in call.dtmf:
                self.digits.append((digit.value, digit.way))


@pytest.mark.parametrize("way", ["auto", "rtp", "info"])
async def test_digits_of_a_call(world: World, way: str) -> None:
    taking = Taking()
    async with rtp(world, "alice") as alice, rtp(world, "bob") as bob, bob.serving(taking):
        async with alice.call("sip:bob.test") as call:
            await call.dtmf.send("1#", way=way)  # type: ignore[arg-type]
            await asyncio.sleep(0.5)
    told = "info" if way == "info" else "rtp"
    assert taking.digits == [("1", told), ("#", told)]
    assert world.leftovers == []


async def called(world: World, carol: ScriptedPeer) -> None:
    carol.send((world.names["bob.test"][0], 5060), carol.write("INVITE", "sip:bob.test", body=SDP))
    await carol.responded(1)
    carol.send((world.names["bob.test"][0], 5060), carol.inside(carol.response, "ACK", 1))


@pytest.mark.parametrize(
    ("headers", "body", "status", "digits"),
    [
        ([RELAY], b"Signal=5\r\nDuration=160\r\n", 200, [("5", "info")]),
        ([("Content-Type", "application/dtmf")], b"*", 200, [("*", "info")]),
        ([], b"", 200, []),
        ([RELAY], b"Signal=x\r\n", 400, []),
        ([("Content-Type", "text/plain")], b"5", 415, []),
    ],
)
async def test_info_of_a_peer(
    world: World, headers: list[tuple[str, str]], body: bytes, status: int, digits: list[tuple[str, str]]
) -> None:
    taking = Taking()
    async with world.user_agent("bob") as bob, ScriptedPeer(world, "carol") as carol, bob.serving(taking):
        await called(world, carol)
        answer = carol.response
        at = (world.names["bob.test"][0], 5060)
        carol.send(at, carol.inside(answer, "INFO", 2, headers=headers, body=body))
        await carol.responded(2)
        assert carol.responses[-1].status == status
        carol.send(at, carol.inside(answer, "BYE", 3))
        await carol.responded(3)
    assert taking.digits == digits


async def test_info_outside_of_a_call_is_481(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob"):
        assert (await alice.request("INFO", "sip:bob.test")).status == 481


async def test_info_that_is_refused_is_raised_and_the_end_of_the_call_ends_the_digits(
    world: World,
) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:

        async def refuse(request: object) -> None:
            await request.respond(415)  # type: ignore[attr-defined]

        calls: list[Call] = []

        async def hang_up(invitation: Invitation) -> None:
            async with invitation.accept() as call:
                calls.append(call)
                await asyncio.sleep(2)

        async with bob.serving(hang_up, requests={"INFO": refuse}), alice.call("sip:bob.test") as call:
            with pytest.raises(RequestFailed, match="415"):
                await call.dtmf.send("1", way="info")
            with pytest.raises(CallEnded):
                await call.dtmf.get()
            with pytest.raises(CallEnded):
                await call.dtmf.send("1", way="info")
    assert world.leftovers == []
