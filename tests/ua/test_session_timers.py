"""Session timers as an application meets them (RFC 4028): calls of a day, and of ends that are gone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sipstack import Accept, CallEnded, Invitation, InvitationReceived, LocalProtocolError, SessionTimer
from sipstack.message import Request, Response
from sipstack.testing.link import Link
from sipstack.testing.media import SilentMedia
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.ua.policy import Decision
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time

SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.9.9\r\ns=-\r\nc=IN IP4 10.0.9.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
SHORT = SessionTimer(90)
TIMED = (("Supported", "timer"), ("Session-Expires", "90;refresher=uac"))


class Refreshed(ScriptedPeer):
    """Takes every call and refresh, by these methods, and keeps the session timer."""

    allow = "INVITE, ACK, BYE, CANCEL"
    granted = "90;refresher=uac"

    def act(self, message: Request | Response, source: tuple[str, int]) -> None:
        if isinstance(message, Request) and message.method == "INVITE":
            headers = [("Allow", self.allow), ("Session-Expires", self.granted)]
            self.answer(message, 200, body=SDP, headers=headers)
        elif isinstance(message, Request) and message.method != "ACK":
            self.answer(message, 200, None)


def sent(world: World, by: str = "alice") -> list[str]:
    return [line.split()[3] for line in world.ladder(by)]


# --- what goes wrong ---


async def test_an_end_that_is_gone_ends_the_call_and_what_goes_on_in_it(world: World) -> None:
    """The media may be silent for good reasons, as on hold: here the timer alone finds it."""
    async with world.user_agent("bob") as bob, bob.serving(answering := Answering()):
        alice = world.user_agent("alice", session_timer=SHORT)
        async with alice, alice.call("sip:bob.test") as call:
            await call.hold()
            world.network.partition([world.names["alice.test"][0]], [world.names["bob.test"][0]])
            with pytest.raises(CallEnded) as caught:
                async with call.scope():
                    await asyncio.sleep(3600)
            assert caught.value.by == "session timer"
            assert caught.value.reason.startswith("no answer to our refresh")
            assert call.duration == pytest.approx(45 + 32, abs=1)
        await asyncio.sleep(100)
        assert answering.ends == [("session timer", "the other side has not refreshed the session of 90 s")]
    assert world.leftovers == []


async def test_a_wish_where_the_user_agent_has_no_timers_is_refused(world: World) -> None:
    async with world.user_agent("alice", session_timer=None) as alice:
        with pytest.raises(LocalProtocolError, match="no session timers: give it session_timer="):
            async with alice.call("sip:bob.test", session_timer=SHORT):
                pass
    assert sent(world) == []


async def test_a_reinvite_that_media_cannot_offer_ends_the_call_at_the_end_of_the_session(
    world: World,
) -> None:
    class Broken(SilentMedia):
        async def offer(self, *direction: Any) -> Any:
            if self.offered:
                raise LocalProtocolError("no more")
            self.offered = True
            return await super().offer(*direction)

        offered = False

    async with Refreshed(world, "bob"), world.user_agent("alice", media=Broken, session_timer=SHORT) as alice:
        async with alice.call("sip:bob.test") as call:
            assert (await call.ended()).by == "session timer"
            assert call.duration == pytest.approx(90, abs=0.1)
    assert world.leftovers == []


# --- a call that lasts ---


@pytest.mark.parametrize("link", [Link(), Link(delay=0.05, jitter=0.05, loss=0.1, duplicate=0.1)])
async def test_a_call_of_a_day_is_refreshed_every_15_minutes(link: Link) -> None:
    world = World(link)
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(Answering()), alice.call("sip:bob.test") as call:
            await asyncio.sleep(24 * 3600 - 1)
            assert call.duration >= 24 * 3600 - 1
    refreshes = {line for line in world.ladder("alice") if "UPDATE" in line}  # each once, with its CSeq
    assert len(refreshes) == 95
    assert world.leftovers == []


async def test_a_peer_without_update_gets_the_same_offer_again_and_hold_stays_hold(world: World) -> None:
    async with Refreshed(world, "bob") as bob, world.user_agent("alice", session_timer=SHORT) as alice:
        async with alice.call("sip:bob.test") as call:
            await asyncio.sleep(100)
            await call.hold()
            await asyncio.sleep(100)
            assert call.held
        offers = [each.body for each in bob.requests if each.method == "INVITE"]
        assert offers == [offers[0]] * 3 + [offers[3]] * 3
        assert b"a=sendonly" in offers[3]
    assert world.leftovers == []


async def test_hold_while_a_refresh_is_under_way_waits_for_its_turn() -> None:
    world = World(Link(delay=0.2))
    async with Refreshed(world, "bob") as bob, world.user_agent("alice", session_timer=SHORT) as alice:
        async with alice.call("sip:bob.test") as call:
            await asyncio.sleep(44.9)  # counted from our ACK, a little later than its 2xx
            await asyncio.gather(*(call.hold() for _ in range(3)))
            assert call.held
        assert bob.methods.count("INVITE") == 5
    assert world.leftovers == []


async def test_the_wish_of_one_call_and_no_timer_at_all(world: World) -> None:
    async with Refreshed(world, "bob") as bob:
        async with world.user_agent("alice") as alice:
            for timer in (None, SessionTimer(600, 120)):
                async with alice.call("sip:bob.test", session_timer=timer):
                    pass
        async with world.user_agent("carol", session_timer=None) as carol:
            async with carol.invite("sip:bob.test") as outgoing:
                await outgoing.answered()
                await asyncio.sleep(7200)
        invites = [each for each in bob.requests if each.method == "INVITE"]
        assert [each.headers.get("Session-Expires") for each in invites] == ["1800", "600", None]
        assert "timer" not in (invites[-1].headers.get("Supported") or "")


async def test_one_call_that_we_answer_can_have_a_timer_of_its_own(world: World) -> None:
    async def take(invitation: Invitation) -> None:
        async with invitation.accept(session_timer=SessionTimer(300, refresher="local")) as call:
            await call.ended()

    async with world.user_agent("bob") as bob, bob.serving(take), world.user_agent("alice") as alice:
        async with alice.call("sip:bob.test") as call:
            assert call.response is not None
            assert call.response.headers.get("Session-Expires") == "300;refresher=uas"
            world.ladder()
            await asyncio.sleep(301)
            assert sent(world, "bob") == ["UPDATE", "UPDATE"]
    assert world.leftovers == []


# --- calls that nobody but a policy has ---


def accept(event: InvitationReceived) -> Decision:
    return Accept(SDP)


async def test_a_call_of_a_policy_ends_when_its_caller_is_gone(world: World) -> None:
    """Without a timer it would be kept for twelve hours."""
    async with world.user_agent("bob", policy=accept) as bob, ScriptedPeer(world, "carol") as carol:
        address = world.names["bob.test"][0], 5060
        carol.send(address, carol.write("INVITE", bob.contact, body=SDP, headers=TIMED))
        await carol.responded(1)
        carol.send(address, carol.inside(carol.response, "ACK", 1))
        await carol.received(1)
        assert carol.methods == ["BYE"]
        assert carol.times[0] == pytest.approx(60, abs=0.1)
        carol.answer(carol.request, 200, None)


@pytest.mark.parametrize("allow", ["INVITE, BYE", "INVITE, BYE, UPDATE"])
async def test_a_call_of_a_policy_is_refreshed_with_what_is_in_force(world: World, allow: str) -> None:
    headers = [("Supported", "timer"), ("Session-Expires", "90;refresher=uas"), ("Allow", allow)]
    async with world.user_agent("bob", policy=accept) as bob, Refreshed(world, "carol") as carol:
        address = world.names["bob.test"][0], 5060
        carol.send(address, carol.write("INVITE", bob.contact, body=SDP, headers=headers))
        await carol.responded(1)
        carol.send(address, carol.inside(carol.response, "ACK", 1))
        await asyncio.sleep(200)
        refreshes = [each for each in carol.requests if each.method != "ACK"]
        assert [each.method for each in refreshes] == ["UPDATE" if "UPDATE" in allow else "INVITE"] * 4
        assert {each.body for each in refreshes} == {b"" if "UPDATE" in allow else SDP}
        bye = carol.inside(next(each for each in carol.responses), "BYE", 2)
        carol.send(address, bye)
        await carol.responded(2)
