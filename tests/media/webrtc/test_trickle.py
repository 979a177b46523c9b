"""Candidates of the peer that come after its description (RFC 8838, RFC 8840); ours never do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipstack import sdp
from sipstack.media.session import AudioSession
from sipstack.media.webrtc import path
from sipstack.media.webrtc.ice import EARLY
from sipstack.sdp import Direction, read_fragment
from sipstack.sdp.ice import MAX_CANDIDATES
from tests.media.calls import Call
from tests.media.webrtc.calls import ALICE, BOB, connected, credentials, heard, is_secured, session
from tests.media.wire import Wire

pytestmark = pytest.mark.virtual_time

NOBODY = "9 1 udp 2130706431 192.0.2.99 4000 typ host"
END = "a=end-of-candidates\r\n"


def promised(description: str) -> str:
    """The description as who trickles sends it: there is no address yet (RFC 8840 §4.1.1)."""
    lines = [line for line in description.splitlines() if not line.startswith("a=candidate")]
    text = "".join(f"{line}\r\n" for line in lines).replace(END, "a=ice-options:trickle\r\n")
    kind, _, rest = text.partition("m=audio ")
    for host in (ALICE, BOB):
        kind, rest = (each.replace(f"c=IN IP4 {host}", "c=IN IP4 0.0.0.0") for each in (kind, rest))
    return f"{kind}m=audio 9 {rest.partition(' ')[2]}"


def fragment(description: str, *candidates: str, end: bool = True) -> bytes:
    """The body of an INFO with these candidates, or with all of the description."""
    told = sdp.parse(description)
    medium = told.media[0]
    user, password = credentials(told)
    values = candidates or medium.attribute_values("candidate")
    lines = [f"a=ice-ufrag:{user}", f"a=ice-pwd:{password}", "m=audio 9 RTP/AVP 0"]
    lines += [f"a=mid:{medium.attribute('mid')}", *(f"a=candidate:{each}" for each in values)]
    return ("".join(f"{line}\r\n" for line in lines) + (END if end else "")).encode()


class Trickling(Call):
    """Either side waits for the addresses of the other. ``offer`` and ``answer`` would have had them."""

    offer = answer = ""

    async def describe(self, direction: Direction = Direction.SENDRECV) -> tuple[str, str]:
        self.offer = str(await self.alice.offer(direction))
        self.answer = str(await self.bob.answer(sdp.parse(promised(self.offer))))
        await self.before_the_answer()
        await self.alice.answered(sdp.parse(promised(self.answer)))
        return self.offer, self.answer

    async def before_the_answer(self) -> None:
        """Nothing happens."""


def trickling(wire: Wire) -> Trickling:
    return Trickling(session(wire, ALICE, 1), session(wire, BOB, 2))


def checked(session: AudioSession) -> int:
    """How many addresses of the peer are known."""
    assert isinstance(session._path, path.DtlsPath)
    agent = session._path._described().agent
    assert agent is not None
    return len(agent._connection.remote_candidates)


@pytest.mark.parametrize("side", ["alice", "bob"])
async def test_both_are_heard_as_soon_as_one_knows_where_the_other_is(side: str) -> None:
    """All candidates of an offer, or of an answer, come later."""
    async with trickling(Wire()) as call:
        await asyncio.sleep(3)
        assert not is_secured(call.alice)
        told = call.answer if side == "alice" else call.offer
        getattr(call, side).trickled(*read_fragment(fragment(told)))
        await connected(call)
        assert await heard(call.alice, call.bob, 440) > 0.99
        assert await heard(call.bob, call.alice, 620) > 0.99


async def test_candidates_that_are_here_before_the_answer_wait_for_it() -> None:
    class Hasty(Trickling):
        async def before_the_answer(self) -> None:
            self.alice.trickled(*read_fragment(fragment(self.answer)))
            await asyncio.sleep(1)

    async with Hasty(session(wire := Wire(), ALICE, 1), session(wire, BOB, 2)) as call:
        await connected(call)


async def test_one_after_the_other_and_each_once() -> None:
    async with trickling(Wire()) as call:
        await asyncio.sleep(1)
        for each in (NOBODY, NOBODY, f"{NOBODY} generation 0"):
            call.alice.trickled(*read_fragment(fragment(call.answer, each, end=False)))
        await asyncio.sleep(1)
        assert checked(call.alice) == 1
        assert not is_secured(call.alice)
        call.alice.trickled(*read_fragment(fragment(call.answer, end=False)))
        await connected(call)


async def test_those_of_another_description_or_m_line_are_left_out() -> None:
    async with trickling(Wire()) as call:
        await asyncio.sleep(1)
        other = fragment(call.answer).replace(b"a=mid:0", b"a=mid:1")
        for body in (fragment(call.offer), other):
            call.alice.trickled(*read_fragment(body))
        await asyncio.sleep(1)
        assert checked(call.alice) == 0
        call.alice.trickled(*read_fragment(fragment(call.answer)))
        await connected(call)


async def test_after_their_end_there_is_no_more() -> None:
    async with trickling(Wire()) as call:
        await asyncio.sleep(1)
        call.alice.trickled(*read_fragment(fragment(call.answer, NOBODY)))
        await asyncio.sleep(0.1)
        call.alice.trickled(*read_fragment(fragment(call.answer)))
        await asyncio.sleep(0.1)
        assert checked(call.alice) == 1


async def test_a_flood_of_candidates_is_cut() -> None:
    async with trickling(Wire()) as call:
        await asyncio.sleep(0.1)
        for first in range(1, 1000, 50):
            many = [NOBODY.replace("4000", str(port)) for port in range(first, first + 50)]
            call.alice.trickled(*read_fragment(fragment(call.answer, *many, end=False)))
        await asyncio.sleep(0.1)
        assert checked(call.alice) == MAX_CANDIDATES


async def test_a_flood_before_the_answer_is_cut_too() -> None:
    class Flooded(Trickling):
        async def before_the_answer(self) -> None:
            for _ in range(1000):
                self.alice.trickled(*read_fragment(fragment(self.answer, NOBODY, end=False)))
            await asyncio.sleep(0.1)
            assert isinstance(self.alice._path, path.DtlsPath)
            agent = self.alice._path._described().agent
            assert agent is not None
            assert len(agent._early) == EARLY

    async with Flooded(session(wire := Wire(), ALICE, 1), session(wire, BOB, 2)):
        pass


@pytest.mark.parametrize("settings", [{"security": "none"}, {"ice": None}])
async def test_who_does_without_ice_does_not_mind(settings: dict[str, Any]) -> None:
    wire = Wire()
    alice, bob = session(wire, ALICE, 1, **settings), session(wire, BOB, 2, **settings)
    other = session(wire, ALICE, 3)
    (late,) = read_fragment(fragment(str(await other.offer())))
    await other.close()
    alice.trickled(late)  # before there is anything
    async with Call(alice, bob) as call:
        call.alice.trickled(late)
        assert await heard(call.alice, call.bob, 440) > 0.9
