"""Calls that we place, step by step, to callees of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from sipstack import (
    CallEnded,
    CallRejected,
    Invitation,
    NegotiationError,
    RemoteProtocolError,
    TransactionTimeout,
    TransportError,
)
from sipstack.message import Request, Response
from sipstack.sdp import SessionDescription
from sipstack.testing.ladders import ladder
from sipstack.testing.link import Link
from sipstack.testing.media import SilentMedia
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time

SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.1.5\r\ns=-\r\nc=IN IP4 10.0.1.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
VIDEO = SDP.replace(b"audio", b"video")


class Callee(ScriptedPeer):
    """Answers an INVITE with these responses, at once or one each ``pause`` seconds, and everything else with
    200. A body is a session description.
    """

    def __init__(self, world: World, *script: tuple[int, bytes], pause: float = 0.0) -> None:
        super().__init__(world, "callee", ("10.0.1.5", 5060), on_request=self._respond)
        self._script = script
        self._pause = pause
        self.contact = "<sip:callee@10.0.1.5>"

    def _respond(self, request: Request) -> Iterator[Response]:
        if request.method == "INVITE":
            for turn, (status, body) in enumerate(self._script):
                response = self._response(request, status, body)
                asyncio.get_running_loop().call_later(
                    turn * self._pause, self.send, self._caller(request), response
                )
        elif request.method != "ACK":
            yield request.response(200)

    def _caller(self, request: Request) -> tuple[str, int]:
        return request.via.host, request.via.port or 5060

    def _response(self, request: Request, status: int, body: bytes) -> Response:
        headers = [("Contact", self.contact)]
        if body:
            headers.append(("Content-Type", "application/sdp"))
        return request.response(status, to_tag="callee", headers=headers, body=body)


# --- answers that are none ---


@pytest.mark.parametrize(
    ("body", "error"),
    [(b"", RemoteProtocolError), (b"v=0\r\nnonsense", NegotiationError), (VIDEO, NegotiationError)],
    ids=["none", "broken", "video"],
)
async def test_an_answer_that_cannot_be_taken_ends_the_call(
    world: World, body: bytes, error: type[Exception]
) -> None:
    async with Callee(world, (180, b""), (200, body)) as callee, world.user_agent("alice") as alice:
        with pytest.raises(error):
            async with alice.call("sip:callee.test"):
                raise AssertionError
        await asyncio.sleep(1)
        assert callee.methods == ["INVITE", "ACK", "BYE"]
        assert (callee.requests[-1].headers.get("Reason") or "").startswith("SIP;cause=488")
        await asyncio.sleep(100)
        assert alice._runtime.core.leftovers() == []
    assert world.leftovers == []


@pytest.mark.parametrize("contact", ["<sip:callee@10.0.1.5", "*", "<tel:1>", "<sip:a@b>, <sip:c@d>"])
async def test_a_200_that_does_not_say_where_its_sender_is_ends_the_call(world: World, contact: str) -> None:
    async with Callee(world, (200, SDP)) as callee, world.user_agent("alice") as alice:
        callee.contact = contact
        with pytest.raises(RemoteProtocolError):
            async with alice.call("sip:callee.test"):
                raise AssertionError
        await asyncio.sleep(1)
        assert callee.methods == ["INVITE", "ACK", "BYE"]
    assert world.leftovers == []


@pytest.mark.parametrize("offer", [b"v=0\r\nnonsense", VIDEO], ids=["broken", "video"])
async def test_an_offer_in_the_200_that_cannot_be_answered_ends_the_call(world: World, offer: bytes) -> None:
    async with Callee(world, (200, offer)) as callee, world.user_agent("alice") as alice:
        async with alice.invite("sip:callee.test", offer=False) as outgoing:
            with pytest.raises(NegotiationError):
                await outgoing.answered()
        await asyncio.sleep(1)
        assert callee.methods == ["INVITE", "ACK", "BYE"]
        assert callee.requests[1].body == b""
    assert world.leftovers == []


@pytest.mark.parametrize("error", [TransportError("no port"), RuntimeError("a bug")])
async def test_media_that_fails_with_the_answer_ends_the_call(world: World, error: Exception) -> None:
    class Broken(SilentMedia):
        async def answered(self, answer: SessionDescription) -> None:
            raise error

    async with Callee(world, (200, SDP)) as callee, world.user_agent("alice", media=Broken) as alice:
        with pytest.raises(type(error), match=str(error)):
            async with alice.call("sip:callee.test"):
                raise AssertionError
        await asyncio.sleep(1)
        assert callee.methods == ["INVITE", "ACK", "BYE"]
    assert world.leftovers == []


# --- early media ---


async def test_a_preview_that_cannot_be_taken_is_no_end(world: World) -> None:
    script = ((183, VIDEO), (183, b"v=0\r\nnonsense"), (183, SDP), (200, SDP))
    async with Callee(world, *script, pause=1) as callee, world.user_agent("alice") as alice:
        async with alice.invite("sip:callee.test") as outgoing:
            seen = [(response.status, outgoing.audio.codec) async for response in outgoing.provisionals()]
            assert [status for status, _ in seen] == [183, 183, 183]
            call = await outgoing.answered()
            assert (call.codec, call.audio) == ("PCMU", outgoing.audio)
        assert callee.methods == ["INVITE", "ACK", "BYE"]
    assert world.leftovers == []


async def test_the_answer_is_applied_after_a_slow_preview(world: World) -> None:
    class Slow(SilentMedia):
        applied: list[str] = []

        async def answered(self, answer: SessionDescription) -> None:
            await asyncio.sleep(2 if not self.applied else 0)
            self.applied.append(answer.origin.address)
            await super().answered(answer)

    early, final = (SDP.replace(b"10.0.1.5", address) for address in (b"10.0.7.1", b"10.0.7.2"))
    async with (
        Callee(world, (183, early), (200, final), pause=1),
        world.user_agent("alice", media=Slow) as alice,
    ):
        async with alice.invite("sip:callee.test") as outgoing:
            await outgoing.answered()
            assert Slow.applied == ["10.0.7.1", "10.0.7.2"]
    assert world.leftovers == []


async def test_however_many_previews_come_while_the_media_thinks_the_last_one_is_taken(world: World) -> None:
    class Slow(SilentMedia):
        applied: list[str] = []

        async def answered(self, answer: SessionDescription) -> None:
            self.applied.append(answer.origin.address)
            await super().answered(answer)
            await asyncio.sleep(3600)

    previews = [(183, SDP.replace(b"10.0.1.5", b"10.0.7.%d" % number)) for number in range(50)]
    script = (*previews, (180, b""))
    async with Callee(world, *script, pause=1), world.user_agent("alice", media=Slow) as alice:
        before = len(asyncio.all_tasks())
        async with alice.invite("sip:callee.test"):
            await asyncio.sleep(3601)
            assert Slow.applied == ["10.0.7.0", "10.0.7.49"]
            assert len(asyncio.all_tasks()) == before + 1
    assert world.leftovers == []


# --- applications that are slow to ask for the answer ---


async def test_the_callee_may_leave_before_we_ask_for_the_answer(world: World) -> None:
    async def short(invitation: Invitation) -> None:
        async with invitation.accept():
            await asyncio.sleep(1)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(short):
        async with alice.invite("sip:bob@bob.test") as outgoing:
            await asyncio.sleep(5)
            call = await outgoing.answered()
            assert (await call.ended()).by == "remote"
            assert call.duration == 1
            with pytest.raises(CallEnded):
                await call.hold()
    assert world.leftovers == []


@pytest.mark.parametrize("offer", [True, False])
async def test_the_call_is_acknowledged_and_alive_before_we_ask_for_it(world: World, offer: bool) -> None:
    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.invite("sip:bob@bob.test", offer=offer) as outgoing:
            await asyncio.sleep(100)
            assert world.ladder() == ladder("""
                alice -> bob    INVITE sip:bob@bob.test [1]
                bob -> alice    200 OK [1 INVITE]
                alice -> bob    ACK sip:bob@10.0.0.2:5060 [1]
            """)
            assert [call.id for call in alice.calls] == [outgoing.id]
            await callee.calls[0].hold()
            assert (await outgoing.answered()).remote_held
    assert world.leftovers == []


async def test_many_may_await_the_answer(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering(ring=3)),
    ):
        async with alice.invite("sip:bob@bob.test") as outgoing:
            tasks = [asyncio.create_task(outgoing.answered()) for _ in range(4)]
            await asyncio.sleep(1)
            tasks[0].cancel()
            calls = await asyncio.gather(*tasks[1:])
            assert len(set(calls)) == 1
            assert repr(outgoing) == f"<OutgoingInvite {calls[0].id}>"
    assert world.leftovers == []


# --- giving up ---


async def test_cancel_waits_for_the_other_side(world: World) -> None:
    world.network.set_link(Link(delay=0.1))
    callee = Answering(ring=100)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.invite("sip:bob@bob.test") as outgoing:
            await anext(outgoing.provisionals())
            began = asyncio.get_running_loop().time()
            await outgoing.cancel()
            await outgoing.cancel()
            assert asyncio.get_running_loop().time() == pytest.approx(began + 0.2)
            assert callee.cancelled == 1
            with pytest.raises(CallRejected, match="487"):
                await outgoing.answered()
            assert [response async for response in outgoing.provisionals()] == []
    assert world.leftovers == []


async def test_cancel_before_anything_is_sent(world: World) -> None:
    world.names["bob.test"] = ["10.0.0.2"]
    async with world.user_agent("alice") as alice:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0), alice.invite("sip:bob@bob.test"):
                raise AssertionError
        await asyncio.sleep(100)
    assert world.trace == []
    assert world.leftovers == []


async def test_the_time_to_ring_is_over_while_somebody_elses_timeout_runs(world: World) -> None:
    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering(ring=99)),
    ):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5), alice.call("sip:bob@bob.test", ring_timeout=60):
                raise AssertionError
        with pytest.raises(TransactionTimeout, match="nobody answered within 5 s"):
            async with asyncio.timeout(60), alice.call("sip:bob@bob.test", ring_timeout=5):
                raise AssertionError
    assert world.leftovers == []


async def test_a_2xx_without_a_description_goes_on_with_that_of_the_183(world: World) -> None:
    Callee(world, (183, SDP), (200, b""), pause=1)
    async with world.user_agent("alice") as alice:
        async with alice.call("sip:10.0.1.5") as call:
            await call.hold()
            assert (call.codec, call.held) == ("PCMU", True)
    assert world.leftovers == []
