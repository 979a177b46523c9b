"""Digits of whole calls: ``call.dtmf`` by every way, and INFO with its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from sipstack import Call, CallEnded, Invitation, RequestFailed, UserAgent
from sipstack.message import Request, Response
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


@pytest.mark.parametrize("way", ["auto", "rtp", "info", "info-plain"])
async def test_digits_of_a_call(world: World, way: str) -> None:
    taking = Taking()
    async with rtp(world, "alice") as alice, rtp(world, "bob") as bob, bob.serving(taking):
        async with alice.call("sip:bob.test") as call:
            await call.dtmf.send("1#", way=way)  # type: ignore[arg-type]
            await asyncio.sleep(0.5)
    told = "info" if way.startswith("info") else "rtp"
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


@pytest.mark.parametrize(
    ("way", "kind", "body"),
    [
        ("info", "application/dtmf-relay", b"Signal=5\r\nDuration=100\r\n"),
        ("info-plain", "application/dtmf", b"5"),
    ],
)
async def test_the_body_of_our_info_is_chosen(world: World, way: str, kind: str, body: bytes) -> None:
    async with Callee(world) as callee, world.user_agent("alice") as alice:
        async with alice.call("sip:callee.test") as call:
            await call.dtmf.send("5", way=way)  # type: ignore[arg-type]
    info = callee.requests[2]
    assert (info.method, info.headers.get("Content-Type"), info.body) == ("INFO", kind, body)


# --- INFO whose answer tells the end (RFC 3261 §12.2.1.2, RFC 5057 §5.1) ---


class Callee(ScriptedPeer):
    """Accepts a call, and answers INFO with this status; not at all with 0."""

    def __init__(self, world: World, info: int = 200) -> None:
        super().__init__(world, "callee", on_request=self._respond)
        self._info = info

    def _respond(self, request: Request) -> Iterator[Response]:
        match request.method:
            case "INVITE":
                headers = [("Contact", f"<{self.uri}>"), ("Content-Type", "application/sdp")]
                yield request.response(200, to_tag="callee", headers=headers, body=SDP)
            case "INFO":
                if self._info:
                    yield request.response(self._info)
            case "BYE":
                yield request.response(200)


@pytest.mark.parametrize(
    ("status", "by", "seconds"), [(481, "remote", 0.0), (408, "timeout", 0.0), (0, "timeout", 32.0)]
)
async def test_info_that_finds_no_call_ends_it(world: World, status: int, by: str, seconds: float) -> None:
    async with Callee(world, status) as callee, world.user_agent("alice") as alice:
        async with alice.call("sip:callee.test") as call:
            with pytest.raises(CallEnded) as ended:
                await call.dtmf.send("12")
            assert (ended.value.by, (await call.ended()).by) == (by, by)
            assert call.duration == pytest.approx(seconds)
        await asyncio.sleep(1)
        assert list(dict.fromkeys(callee.methods)) == ["INVITE", "ACK", "INFO", "BYE"]
    assert world.leftovers == []


@pytest.mark.parametrize("status", [400, 403, 404, 415, 469, 480, 486, 500, 501, 603])
async def test_info_that_is_refused_otherwise_leaves_the_call(world: World, status: int) -> None:
    async with Callee(world, status), world.user_agent("alice") as alice:
        async with alice.call("sip:callee.test") as call:
            with pytest.raises(RequestFailed, match=str(status)):
                await call.dtmf.send("1", way="info")
            await asyncio.sleep(60)
            assert alice.calls == [call]
    assert world.leftovers == []


# --- before the answer ---


@pytest.mark.parametrize("early", [False, True], ids=["ringing", "early media"])
async def test_keys_that_are_pressed_while_it_rings_are_kept(world: World, early: bool) -> None:
    digits: list[tuple[str, str]] = []

    async def ring(invitation: Invitation) -> None:
        await invitation.progress(183, early_media=early)
        await asyncio.sleep(2)
        if early:
            digits.append((str(await invitation.dtmf.get()), "early"))
        async with invitation.accept() as call:
            async for digit in call.dtmf:
                digits.append((str(digit), digit.way))

    async with rtp(world, "bob") as bob, ScriptedPeer(world, "carol") as carol, bob.serving(ring):
        at = (world.names["bob.test"][0], 5060)
        carol.send(at, carol.write("INVITE", "sip:bob.test", body=SDP))
        await carol.responded(1)
        ringing = carol.response
        for number, key in enumerate(b"47"):
            info = carol.inside(ringing, "INFO", 2 + number, headers=[RELAY], body=b"Signal=%c" % key)
            carol.send(at, info)
            await carol.responded(2 + number)
            assert carol.response.status == 200
        await carol.responded(4)
        assert carol.response.status == 200
        carol.send(at, carol.inside(carol.response, "ACK", 1))
        await asyncio.sleep(1)
        carol.send(at, carol.inside(carol.response, "BYE", 9))
        await carol.responded(5)
    assert digits == [("4", "early" if early else "info"), ("7", "info")]
    assert world.leftovers == []
