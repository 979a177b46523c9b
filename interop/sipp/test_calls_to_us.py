"""sipp calls us: lost messages, repeated ones, re-INVITE, late offer, BYE of either side."""

from __future__ import annotations

import asyncio

import pytest

from interop.sipp.callee import Callee
from interop.sipp.fast_timers import fast_timers
from interop.sipp.process import Launch
from sipstack import Call, Invitation, UserAgent

HANGS_UP = ["> BYE", "< 200 BYE"]


async def test_the_200_is_repeated_until_the_ack_comes(agent: UserAgent, target: str, sipp: Launch) -> None:
    callee = Callee()
    async with agent.serving(callee):
        with sipp("uac_lost_ack", "-nr", target=target) as caller:
            result = await caller.ended()
        await callee.idle()
    assert result.problems == ""
    assert result.labels == ["> INVITE", *["< 200 INVITE"] * 3, "> ACK", *HANGS_UP]
    assert callee.ended == ["remote"]


@fast_timers
async def test_a_callee_without_an_ack_gives_up_with_bye_after_64_t1(
    agent: UserAgent, target: str, sipp: Launch
) -> None:
    callee = Callee(talk=60)
    async with agent.serving(callee):
        with sipp("uac_no_ack", "-nr", target=target) as caller:
            result = await caller.ended()
        await callee.idle()
    assert result.problems == ""
    repeated = result.labels.count("< 200 INVITE")
    # At 0, 1, 3, 7 and 15 times T1, then every T2 = 8*T1 until 64*T1 (§13.3.1.4).
    assert repeated in (11, 12)
    assert result.labels == ["> INVITE", *["< 200 INVITE"] * repeated, "< BYE", "> 200 BYE"]
    assert callee.ended == ["timeout"]


async def test_an_invite_repeated_after_the_200_makes_no_second_call(
    agent: UserAgent, target: str, sipp: Launch
) -> None:
    callee = Callee()
    async with agent.serving(callee):
        with sipp("uac_lost_200", "-nr", target=target) as caller:
            result = await caller.ended()
        await callee.idle()
    assert result.problems == ""
    assert result.labels == ["> INVITE", "< 200 INVITE", "> INVITE", "< 200 INVITE", "> ACK", *HANGS_UP]
    assert len(callee.invitations) == 1
    assert callee.ended == ["remote"]


async def test_an_invite_repeated_while_ringing_gets_the_same_180(
    agent: UserAgent, target: str, sipp: Launch
) -> None:
    callee = Callee(ring=0.3)
    async with agent.serving(callee):
        with sipp("uac_repeated_invite", "-nr", target=target) as caller:
            result = await caller.ended()
        await callee.idle()
    assert result.problems == ""
    assert result.labels == [*["> INVITE", "< 180 INVITE"] * 3, "< 200 INVITE", "> ACK", *HANGS_UP]
    ringing = [message.text for message in result.messages if message.label == "< 180 INVITE"]
    assert len(set(ringing)) == 1
    assert len(callee.invitations) == 1


async def test_the_caller_holds_and_resumes(agent: UserAgent, target: str, sipp: Launch) -> None:
    held: list[bool] = []

    async def watch(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            held.append(call.remote_held)
            for _ in range(2):
                await changed(call, held[-1])
                held.append(call.remote_held)
            await call.ended()

    async with agent.serving(watch):
        with sipp("uac_reinvite", target=target) as caller:
            result = await caller.ended()
    assert result.problems == ""
    assert held == [False, True, False]


async def changed(call: Call, before: bool) -> None:
    """Wait until the peer holds or resumes the call; for five seconds at most."""
    for _ in range(500):
        if call.remote_held != before:
            return
        await asyncio.sleep(0.01)


async def test_the_offer_may_come_from_us(agent: UserAgent, target: str, sipp: Launch) -> None:
    callee = Callee()
    async with agent.serving(callee):
        with sipp("uac_late_offer", target=target) as caller:
            result = await caller.ended()
        await callee.idle()
    assert result.problems == ""
    assert result.labels == ["> INVITE", "< 200 INVITE", "> ACK", *HANGS_UP]
    assert callee.ended == ["remote"]


async def test_we_hang_up(agent: UserAgent, target: str, sipp: Launch) -> None:
    callee = Callee(talk=0.2)
    async with agent.serving(callee):
        with sipp("uac_waits_for_bye", target=target) as caller:
            result = await caller.ended()
        await callee.idle()
    assert result.problems == ""
    assert result.labels == ["> INVITE", "< 200 INVITE", "> ACK", "< BYE", "> 200 BYE"]
    assert callee.ended == ["local"]


async def test_two_byes_that_cross_are_both_answered(agent: UserAgent, target: str, sipp: Launch) -> None:
    callee = Callee(talk=0.2)
    async with agent.serving(callee):
        with sipp("uac_bye_crosses", "-nr", target=target) as caller:
            result = await caller.ended()
        await callee.idle()
    assert result.problems == ""
    assert result.labels == ["> INVITE", "< 200 INVITE", "> ACK", "< BYE", "> BYE", "< 200 BYE", "> 200 BYE"]
    assert callee.ended == ["local"]


async def test_re_invites_that_cross_again_and_again(agent: UserAgent, target: str, sipp: Launch) -> None:
    """RFC 3261 §14.1: 491 each way, five times; then ours passes, and the call has lost nothing."""
    held: list[bool] = []

    async def hold(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            await call.hold()
            held.append(call.held)
            await call.ended()

    async with agent.serving(hold):
        with sipp("uac_491_storm", target=target) as caller:
            result = await caller.ended()
    assert result.problems == ""
    storm = ["< INVITE", "> INVITE", "< 491 INVITE", "> ACK", "> 491 INVITE", "< ACK"]
    placed, peace = ["> INVITE", "< 200 INVITE", "> ACK"], ["< INVITE", "> 200 INVITE", "< ACK"]
    assert result.labels == [*placed, *storm * 5, *peace, *HANGS_UP]
    assert held == [True]


OUTSIDE = ["uac_unknown_bye", "uac_unknown_reinvite", "uac_cancel_nothing", "uac_options"]


@pytest.mark.parametrize("scenario", OUTSIDE)
async def test_requests_outside_any_call(scenario: str, agent: UserAgent, target: str, sipp: Launch) -> None:
    callee = Callee()
    async with agent.serving(callee):
        with sipp(scenario, target=target) as caller:
            result = await caller.ended()
    assert result.problems == ""
    assert callee.invitations == []
