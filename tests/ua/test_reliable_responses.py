"""Reliable provisional responses, early offers and early media, as an application meets them (RFC 3262, 3311,
6337)."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import CallRejected, Invitation, LocalProtocolError, UserAgent
from sipstack.message import Request, Response
from sipstack.testing.ladders import ladder
from sipstack.testing.link import Link
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World

pytestmark = pytest.mark.virtual_time

SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.9.9\r\ns=-\r\nc=IN IP4 10.0.9.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
NEXT = SDP.replace(b"o=- 1 1", b"o=- 1 2")
VIDEO = SDP.replace(b"audio", b"video")
SUPPORTED = [("Supported", "100rel")]


class Announcing:
    """Rings with a description, waits, and accepts."""

    def __init__(self, pause: float = 1.0) -> None:
        self.pause = pause
        self.given_up = 0

    async def __call__(self, invitation: Invitation) -> None:
        try:
            await invitation.progress(183, early_media=True)
            assert invitation.audio.codec is not None or invitation.offer is None
            await asyncio.sleep(self.pause)
            async with invitation.accept() as call:
                await call.ended()
        except asyncio.CancelledError:
            self.given_up += 1
            raise


def statuses(peer: ScriptedPeer) -> list[tuple[int, str]]:
    return [(each.status, each.cseq.method) for each in peer.responses]


def address(world: World, name: str) -> tuple[str, int]:
    return world.names[f"{name}.test"][0], 5060


async def invited(world: World, carol: ScriptedPeer, *, body: bytes = SDP, supports: bool = True) -> Response:
    """Bob's first response to carol's INVITE."""
    headers = SUPPORTED if supports else []
    carol.send(address(world, "bob"), carol.write("INVITE", "sip:bob.test", body=body, headers=headers))
    await carol.responded(1)
    return carol.response


def prack(carol: ScriptedPeer, response: Response, cseq: int = 2, body: bytes = b"") -> Request:
    rack = f"{response.headers.get('RSeq')} {response.headers.get('CSeq')}"
    return carol.inside(response, "PRACK", cseq, headers=[("RAck", rack)], body=body)


# --- the caller does not do what it should ---


async def test_a_caller_that_confirms_nothing_is_refused_and_the_handler_ends(world: World) -> None:
    """§3: 5xx after 64*T1."""
    callee = Announcing()
    async with ScriptedPeer(world, "carol") as carol, world.user_agent("bob") as bob, bob.serving(callee):
        await invited(world, carol)
        await asyncio.sleep(40)
        assert (carol.response.status, callee.given_up) == (504, 1)
        assert {status for status, _ in statuses(carol)} == {183, 504}
    assert world.leftovers == []


async def test_acceptance_waits_for_a_prack_that_comes_late(world: World) -> None:
    async with (
        ScriptedPeer(world, "carol") as carol,
        world.user_agent("bob") as bob,
        bob.serving(Announcing()),
    ):
        early = await invited(world, carol)
        await asyncio.sleep(5)
        assert {status for status, _ in statuses(carol)} == {183}
        carol.send(address(world, "bob"), prack(carol, early))
        await asyncio.sleep(0.1)
        assert statuses(carol)[-2:] == [(200, "PRACK"), (200, "INVITE")]
        assert carol.response.body == b""  # the answer is given already
        carol.send(address(world, "bob"), carol.inside(carol.response, "ACK", 1))
        carol.send(address(world, "bob"), carol.inside(carol.response, "BYE", 3))
        await asyncio.sleep(1)
        assert carol.response.cseq.method == "BYE"
    assert world.leftovers == []


async def test_cancel_while_the_acceptance_waits(world: World) -> None:
    callee = Announcing(pause=0)
    async with ScriptedPeer(world, "carol") as carol, world.user_agent("bob") as bob, bob.serving(callee):
        await invited(world, carol)
        await asyncio.sleep(1)
        carol.send(address(world, "bob"), carol.write("CANCEL", "sip:bob.test", branch="z9hG4bKcarol1"))
        await asyncio.sleep(1)
        ends = [each for each in statuses(carol) if each[0] != 183]
        assert ends[:2] == [(200, "CANCEL"), (487, "INVITE")]
        assert callee.given_up == 1
    assert world.leftovers == []


@pytest.mark.parametrize(("body", "status"), [(b"nonsense", 400), (VIDEO, 488), (NEXT, 200)])
async def test_an_update_before_the_answer(world: World, body: bytes, status: int) -> None:
    """RFC 3311 §5.2: the call goes on whatever becomes of it."""
    async with (
        ScriptedPeer(world, "carol") as carol,
        world.user_agent("bob") as bob,
        bob.serving(Announcing(5)),
    ):
        early = await invited(world, carol)
        carol.send(address(world, "bob"), prack(carol, early))
        await asyncio.sleep(0.1)
        carol.send(address(world, "bob"), carol.inside(early, "UPDATE", 3, body=body))
        await asyncio.sleep(0.1)
        update = carol.response
        assert update.cseq.method == "UPDATE"
        assert update.status == (488 if status == 400 else status)
        assert bool(update.body) is (status == 200)
        await asyncio.sleep(5)
        assert statuses(carol)[-1] == (200, "INVITE")
        carol.send(address(world, "bob"), carol.inside(carol.response, "ACK", 1))
        await asyncio.sleep(0.1)
    assert world.leftovers == []


@pytest.mark.parametrize("body", [b"nonsense", VIDEO])
async def test_a_prack_with_an_offer_that_cannot_be_taken_ends_the_call(world: World, body: bytes) -> None:
    """§3: a PRACK that matches is answered with 2xx; so it is the INVITE that is refused."""
    callee = Announcing(5)
    async with ScriptedPeer(world, "carol") as carol, world.user_agent("bob") as bob, bob.serving(callee):
        early = await invited(world, carol)
        carol.send(address(world, "bob"), prack(carol, early, body=body))
        await asyncio.sleep(0.1)
        assert statuses(carol)[-2:] == [(200, "PRACK"), (488, "INVITE")]
        assert callee.given_up == 1
    assert world.leftovers == []


# --- the callee, as it should be ---


async def test_a_caller_without_100rel_gets_plain_responses(world: World) -> None:
    async with (
        ScriptedPeer(world, "carol") as carol,
        world.user_agent("bob") as bob,
        bob.serving(Announcing()),
    ):
        early = await invited(world, carol, supports=False)
        assert early.headers.get("RSeq") is None
        await asyncio.sleep(1.1)
        assert carol.response.body == early.body  # the 2xx carries it again
        carol.send(address(world, "bob"), carol.inside(carol.response, "ACK", 1))
        await asyncio.sleep(0.1)
    assert world.leftovers == []


@pytest.mark.parametrize(
    ("reliable", "demanded", "expected"),
    [(None, False, None), (True, False, "1"), (False, False, None), (None, True, "1")],
)
async def test_ringing_is_reliable_by_choice_or_on_demand(
    world: World, reliable: bool | None, demanded: bool, expected: str | None
) -> None:
    async def ring(invitation: Invitation) -> None:
        await invitation.progress(180, reliable=reliable)
        await invitation.reject(486)

    headers = [("Require", "100rel")] if demanded else SUPPORTED
    async with ScriptedPeer(world, "carol") as carol, world.user_agent("bob") as bob, bob.serving(ring):
        carol.send(address(world, "bob"), carol.write("INVITE", "sip:bob.test", body=SDP, headers=headers))
        await carol.responded(2)
        ringing, refused = carol.responses
        assert (ringing.headers.get("RSeq"), refused.status) == (expected, 486)
    assert world.leftovers == []


async def test_there_is_no_early_media_before_it_is_begun(world: World) -> None:
    async def ask(invitation: Invitation) -> None:
        with pytest.raises(LocalProtocolError, match="early_media=True"):
            _ = invitation.audio
        await invitation.progress(183, early_media=True)
        assert invitation.audio.codec == "PCMU"
        await invitation.reject(603)

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(ask):
        with pytest.raises(CallRejected, match="603"):
            async with alice.call("sip:bob.test"):
                raise AssertionError
    assert world.leftovers == []


# --- both sides ours ---


async def test_early_media_between_two_of_us(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(Announcing()):
        async with alice.invite("sip:bob.test") as outgoing:
            async for response in outgoing.provisionals():
                assert response.headers.get("RSeq") == "1"
                await asyncio.sleep(0.5)
                assert outgoing.audio.codec == "PCMU"
            call = await outgoing.answered()
            assert (call.codec, call.audio) == ("PCMU", outgoing.audio)
    assert world.leftovers == []


async def test_a_late_offer_comes_in_the_183_and_is_answered_in_the_prack(world: World) -> None:
    """Pattern 4 of RFC 6337."""
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(Announcing()):
        async with alice.invite("sip:bob.test", offer=False) as outgoing:
            async for _ in outgoing.provisionals():
                await asyncio.sleep(0.5)
                assert outgoing.audio.codec == "PCMU"
            call = await outgoing.answered()
            await asyncio.sleep(0.1)
            assert [call.codec for call in (*alice.calls, *bob.calls)] == ["PCMU", "PCMU"]
            await call.hold()
            assert bob.calls[0].remote_held
    assert world.ladder()[:6] == ladder("""
        alice -> bob    INVITE sip:bob.test [1]
        bob -> alice    183 Session Progress [1 INVITE]
        alice -> bob    PRACK sip:bob@10.0.0.2:5060 [2]
        bob -> alice    200 OK [2 PRACK]
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK sip:bob@10.0.0.2:5060 [1]
    """)
    assert world.leftovers == []


@pytest.mark.parametrize("offer", [True, False], ids=["early-offer", "late-offer"])
async def test_who_demands_it_calls_and_is_called_on_a_bad_network(offer: bool) -> None:
    world = World(link=Link(loss=0.2, delay=0.05, jitter=0.05), seed=4)

    def agent(name: str) -> UserAgent:
        return world.user_agent(name, reliable=True)

    async with agent("alice") as alice, agent("bob") as bob, bob.serving(Announcing()):
        async with alice.invite("sip:bob.test", offer=offer) as outgoing:
            call = await outgoing.answered()
            assert call.codec == "PCMU"
    assert world.leftovers == []


async def test_who_demands_it_refuses_the_others(world: World) -> None:
    async with (
        world.user_agent("alice", reliable=False) as alice,
        world.user_agent("bob", reliable=True) as bob,
        bob.serving(Announcing()),
    ):
        with pytest.raises(CallRejected, match="421"):
            async with alice.call("sip:bob.test"):
                raise AssertionError
        with pytest.raises(CallRejected, match="420"):
            async with bob.call("sip:alice.test"):
                raise AssertionError
    assert world.leftovers == []
