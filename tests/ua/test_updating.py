"""UPDATE of ours, before and after the answer, as an application sends it (RFC 3311)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from sipstack import (
    Call,
    CallEnded,
    Invitation,
    LocalProtocolError,
    OutgoingInvite,
    RequestFailed,
    SipError,
    UserAgent,
)
from sipstack.message import Request
from sipstack.testing.link import Link
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.ua.test_reliable_responses import SDP, address

pytestmark = pytest.mark.virtual_time

ALLOW = ("Allow", "INVITE, ACK, BYE, CANCEL, PRACK, UPDATE")
RELIABLE = (("Require", "100rel"), ("RSeq", "1"))
HELD = SDP.replace(b"o=- 1 1", b"o=- 1 2") + b"a=recvonly\r\n"


@contextlib.asynccontextmanager
async def ringing(
    world: World, allow: str = ALLOW[1], *, reliable: bool = True
) -> AsyncIterator[tuple[OutgoingInvite, ScriptedPeer]]:
    """Alice calls carol, who is moved by hand, and rings with a description."""
    async with ScriptedPeer(world, "carol") as carol, world.user_agent("alice") as alice:
        async with alice.invite("sip:carol.test") as outgoing:
            await carol.received(1)
            fields = (("Allow", allow), *(RELIABLE if reliable else ()))
            carol.answer(carol.request, 183, headers=fields, body=SDP)
            await asyncio.sleep(0.1)
            if reliable:
                carol.answer(carol.request, 200, None)  # the PRACK
                await asyncio.sleep(0.1)
            yield outgoing, carol
    assert world.leftovers == []


def updates(carol: ScriptedPeer) -> list[Request]:
    """Each once, however often it came."""
    return list({each.cseq.number: each for each in carol.requests if each.method == "UPDATE"}.values())


async def give_up(outgoing: OutgoingInvite, carol: ScriptedPeer) -> None:
    ending = asyncio.ensure_future(outgoing.cancel())
    await asyncio.sleep(0.1)
    carol.answer(carol.request, 200, None)
    carol.answer(carol.invite, 487)
    await ending


# --- where none may go out ---


async def test_without_an_agreement_there_is_nothing_to_hold(world: World) -> None:
    async with ringing(world, reliable=False) as (outgoing, carol):
        with pytest.raises(LocalProtocolError, match="reliable response"):
            await outgoing.hold()
        await give_up(outgoing, carol)


async def test_a_peer_that_does_not_allow_update_gets_none(world: World) -> None:
    async with ringing(world, "INVITE, ACK, BYE, CANCEL, PRACK") as (outgoing, carol):
        with pytest.raises(LocalProtocolError, match="does not allow UPDATE"):
            await outgoing.hold()
        assert updates(carol) == []
        await give_up(outgoing, carol)
        with pytest.raises(LocalProtocolError, match="answered or over"):
            await outgoing.hold()


# --- it goes wrong ---


@pytest.mark.parametrize("status", [405, 488, 504])
async def test_a_refusal_keeps_what_was_agreed(world: World, status: int) -> None:
    async with ringing(world) as (outgoing, carol):
        holding = asyncio.ensure_future(outgoing.hold())
        await asyncio.sleep(0.1)
        carol.answer(carol.request, status, None)
        with pytest.raises(RequestFailed, match=str(status)):
            await holding
        assert not outgoing.held
        carol.answer(carol.invite, 200)
        call = await outgoing.answered()
        assert not call.held
        await hung_up(call, carol)


async def hung_up(call: Call, carol: ScriptedPeer) -> None:
    ending = asyncio.ensure_future(call.hang_up())
    await asyncio.sleep(0.1)
    carol.answer(carol.request, 200, None)
    await ending


async def test_one_that_nobody_answers_gives_the_call_up(world: World) -> None:
    """RFC 3261 §12.2.1.2: the dialog is lost. Nobody knows which pair the other side holds."""
    async with ringing(world) as (outgoing, carol):
        with pytest.raises(CallEnded):
            await outgoing.hold()
        with pytest.raises(SipError):
            await outgoing.answered()


async def test_a_2xx_without_an_answer_is_a_refusal(world: World) -> None:
    async with ringing(world) as (outgoing, carol):
        holding = asyncio.ensure_future(outgoing.hold())
        await asyncio.sleep(0.1)
        carol.answer(carol.request, 200, None)
        with pytest.raises(RequestFailed, match="488"):
            await holding
        await give_up(outgoing, carol)


async def test_glare_is_tried_again_after_a_pause(world: World) -> None:
    """RFC 3261 §14.1: who owns the Call-ID waits 2.1 to 4 s."""
    async with ringing(world) as (outgoing, carol):
        holding = asyncio.ensure_future(outgoing.hold())
        await asyncio.sleep(0.1)
        carol.answer(carol.request, 491, None)
        await asyncio.sleep(2)
        assert len(updates(carol)) == 1
        await asyncio.sleep(2.1)
        assert len(updates(carol)) == 2
        carol.answer(carol.request, 200, None, body=HELD)
        await holding
        assert outgoing.held
        await give_up(outgoing, carol)


async def test_cancel_crosses_it(world: World) -> None:
    async with ringing(world) as (outgoing, carol):
        holding = asyncio.ensure_future(outgoing.hold())
        await asyncio.sleep(0.1)
        update = carol.request
        await give_up(outgoing, carol)
        with pytest.raises(CallEnded):
            await holding
        carol.answer(update, 200, None, body=HELD)
        await asyncio.sleep(0.1)
    assert world.leftovers == []


async def test_the_answer_to_the_invite_crosses_it(world: World) -> None:
    """The UPDATE is lost at first; the call takes it over."""
    async with ringing(world) as (outgoing, carol):
        holding = asyncio.ensure_future(outgoing.hold())
        await asyncio.sleep(0.1)
        update = carol.request
        carol.answer(carol.invite, 200, body=SDP)
        call = await outgoing.answered()
        carol.answer(update, 200, None, body=HELD)
        await holding
        assert call.held
        await hung_up(call, carol)


async def test_who_is_cancelled_while_waiting_leaves_the_next_in_order(world: World) -> None:
    async with ringing(world) as (outgoing, carol):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await outgoing.hold()
        resuming = asyncio.ensure_future(outgoing.resume())
        await asyncio.sleep(0.1)
        assert len(updates(carol)) == 1  # it waits for the one before
        carol.answer(updates(carol)[0], 200, None, body=HELD)
        await asyncio.sleep(0.1)
        assert (outgoing.held, len(updates(carol))) == (True, 2)
        carol.answer(carol.request, 200, None, body=SDP)
        await resuming
        assert not outgoing.held
        await give_up(outgoing, carol)


# --- both ours, before the answer ---


class Holding:
    """Holds the caller while it rings; accepts ``after`` seconds."""

    def __init__(self, after: float = 1.0) -> None:
        self.after = after
        self.states: list[bool] = []

    async def __call__(self, invitation: Invitation) -> None:
        await invitation.progress(183, early_media=True)
        await invitation.hold()
        self.states.append(invitation.held)
        await asyncio.sleep(self.after)
        async with invitation.accept() as call:
            self.states.append(call.held)
            await call.resume(update=True)
            self.states.append(call.held)
            await call.ended()


@pytest.mark.parametrize("seed", range(10))
async def test_the_callee_holds_before_it_answers(seed: int) -> None:
    world = World(link=Link(loss=0.1, delay=0.02, jitter=0.05), seed=seed)
    callee = Holding()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(callee):
        async with alice.call("sip:bob.test"):
            await asyncio.sleep(60)
    assert callee.states == [True, True, False]
    assert world.leftovers == []


async def test_an_invitation_that_agreed_on_nothing_cannot_hold(world: World) -> None:
    refused: list[str] = []

    async def ring(invitation: Invitation) -> None:
        try:
            await invitation.hold()
        except LocalProtocolError as error:
            refused.append(str(error))
        await invitation.reject(486)

    async with ScriptedPeer(world, "carol") as carol, world.user_agent("bob") as bob, bob.serving(ring):
        carol.send(address(world, "bob"), carol.write("INVITE", "sip:bob.test", body=SDP))
        await carol.responded(1)
    assert len(refused) == 1
    assert "reliable" in refused[0]


async def test_the_caller_holds_and_resumes_before_the_answer(world: World) -> None:
    async def announce(invitation: Invitation) -> None:
        await invitation.progress(183, early_media=True)
        await asyncio.sleep(5)
        async with invitation.accept() as call:
            await call.ended()

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(announce):
        async with alice.invite("sip:bob.test") as outgoing:
            async for _ in outgoing.provisionals():
                await asyncio.sleep(0.1)
                await outgoing.hold()
                await outgoing.resume()
                await outgoing.hold()
                break
            call = await outgoing.answered()
            assert call.held
            await call.resume()
            assert not bob.calls[0].remote_held
    assert [line.split()[3] for line in world.ladder()].count("UPDATE") == 3
    assert world.leftovers == []


# --- inside of the call ---


@contextlib.asynccontextmanager
async def talking(world: World) -> AsyncIterator[tuple[UserAgent, Call, ScriptedPeer]]:
    """Alice in a call with carol, who is moved by hand."""
    async with ScriptedPeer(world, "carol") as carol, world.user_agent("alice") as alice:
        async with alice.invite("sip:carol.test") as outgoing:
            await carol.received(1)
            carol.answer(carol.request, 200, headers=(ALLOW,), body=SDP)
            call = await outgoing.answered()
            await asyncio.sleep(0.1)
            yield alice, call, carol
            if not call._is_over:
                await hung_up(call, carol)
    assert world.leftovers == []


async def test_a_refresh_of_the_target_has_no_description_and_our_address(world: World) -> None:
    async with talking(world) as (_, call, carol):
        updating = asyncio.ensure_future(call.update())
        await asyncio.sleep(0.1)
        update = carol.request
        assert (update.method, update.body, len(update.contacts)) == ("UPDATE", b"", 1)
        assert "Content-Type" not in update.headers
        carol.answer(update, 200, None, contact="<sip:carol@10.0.9.9:5060;moved=1>")
        await updating
        assert call._session.dialog.remote_target == "sip:carol@10.0.9.9:5060;moved=1"
        assert not call.held


@pytest.mark.parametrize(
    ("status", "headers", "pause"), [(491, (), 4.1), (500, (("Retry-After", "7"),), 7.1)]
)
async def test_one_refused_for_the_moment_goes_out_again(
    world: World, status: int, headers: tuple[tuple[str, str], ...], pause: float
) -> None:
    async with talking(world) as (_, call, carol):
        updating = asyncio.ensure_future(call.update())
        await asyncio.sleep(0.1)
        carol.answer(carol.request, status, None, headers=headers)
        await asyncio.sleep(pause)
        assert [each.body for each in updates(carol)] == [b"", b""]
        carol.answer(carol.request, 200, None)
        await updating


@pytest.mark.parametrize("status", [405, 500, 504])
async def test_a_refused_one_changes_nothing(world: World, status: int) -> None:
    async with talking(world) as (_, call, carol):
        updating = asyncio.ensure_future(call.update())
        await asyncio.sleep(0.1)
        carol.answer(carol.request, status, None)
        with pytest.raises(RequestFailed, match=str(status)):
            await updating
        assert call._session.is_established


@pytest.mark.parametrize(("status", "by"), [(408, "timeout"), (481, "remote")])
async def test_408_and_481_end_the_call(world: World, status: int, by: str) -> None:
    async with talking(world) as (_, call, carol):
        updating = asyncio.ensure_future(call.update())
        await asyncio.sleep(0.1)
        carol.answer(carol.request, status, None)
        with pytest.raises(CallEnded):
            await updating
        assert (await call.ended()).by == by
        await asyncio.sleep(0.1)
        carol.answer(carol.request, 200, None)


async def test_bye_crosses_it(world: World) -> None:
    async with talking(world) as (_, call, carol):
        updating = asyncio.ensure_future(call.hold(update=True))
        await asyncio.sleep(0.1)
        update = carol.request
        assert update.method == "UPDATE"
        carol.send(address(world, "alice"), carol.back("BYE", 1))
        with pytest.raises(CallEnded):
            await updating
        carol.answer(update, 481, None)


@pytest.mark.parametrize("seed", range(10))
async def test_both_update_at_once_on_a_bad_network(seed: int) -> None:
    world = World(link=Link(loss=0.1, delay=0.05, jitter=0.05), seed=seed)

    async def stay(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            await asyncio.sleep(2)
            await call.hold(update=True)
            await call.update()
            await call.ended()

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(stay):
        async with alice.call("sip:bob.test") as call:
            await asyncio.sleep(2)
            await call.hold(update=True)
            await asyncio.sleep(30)
            other = bob.calls[0]
            assert (call.held, call.remote_held, other.held, other.remote_held) == (True,) * 4
    assert world.leftovers == []


# --- what is announced ---


async def test_all_that_we_support_is_told_in_updates_their_answers_and_to_options(world: World) -> None:
    """RFC 3261 §11.2, RFC 4028 §7.1: the same in all of them, ``timer`` among it."""
    async with talking(world) as (alice, call, carol):
        invite = carol.invite
        updating = asyncio.ensure_future(call.update())
        await asyncio.sleep(0.1)
        update = carol.request
        carol.answer(update, 200, None)
        await updating
        carol.send(address(world, "alice"), carol.back("UPDATE", 1))
        carol.send(address(world, "alice"), carol.write("OPTIONS", alice.contact, call_id="question"))
        await carol.responded(2)
        told = [message.headers.get("Supported") for message in (invite, update, *carol.responses)]
        assert {each.cseq.method: each.status for each in carol.responses} == {"UPDATE": 200, "OPTIONS": 200}
    assert told[0] is not None
    assert {"100rel", "replaces", "timer"} <= {tag.strip() for tag in told[0].split(",")}
    assert told == [told[0]] * 4
