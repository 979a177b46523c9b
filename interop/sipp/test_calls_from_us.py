"""We call sipp: lost and repeated messages, many provisional responses, re-INVITE, BYE of either side."""

from __future__ import annotations

import asyncio

import pytest

from interop.sipp.fast_timers import fast_timers
from interop.sipp.process import Launch
from sipstack import Call, CallEnded, TransactionTimeout, UserAgent

ANSWERED = ["< INVITE", "> 200 INVITE", "< ACK"]
HANGS_UP = ["< BYE", "> 200 BYE"]


async def test_a_lost_invite_is_sent_again(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_lost_invite", "-nr") as callee:
        async with agent.call(callee.uri):
            pass
        result = await callee.ended()
    assert result.problems == ""
    assert result.labels == ["< INVITE", "< INVITE", "> 180 INVITE", "> 200 INVITE", "< ACK", *HANGS_UP]
    assert result.messages[0] == result.messages[1]


@fast_timers
async def test_nobody_answers_for_64_t1(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_silent", "-nr") as callee:
        with pytest.raises(TransactionTimeout):
            async with agent.call(callee.uri):
                pass
        result = callee.result()
    assert result.labels == ["< INVITE"] * 7  # at 0, 1, 3, 7, 15, 31 and 63 times T1 (§17.1.1.2)


async def test_each_repeated_200_is_acknowledged(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_retransmitted_200", "-nr") as callee:
        async with agent.call(callee.uri):
            await asyncio.sleep(0.5)
        result = await callee.ended()
    assert result.problems == ""
    assert result.labels == ["< INVITE", "> 180 INVITE", *["> 200 INVITE", "< ACK"] * 3, *HANGS_UP]
    assert len({message.text for message in result.messages if message.label == "< ACK"}) == 1


async def test_a_hundred_provisional_responses(agent: UserAgent, sipp: Launch) -> None:
    seen: list[int] = []
    with sipp("uas_provisional_storm") as callee:
        async with agent.invite(callee.uri) as outgoing:
            async for response in outgoing.provisionals():
                seen.append(response.status)
            await outgoing.answered()
        result = await callee.ended()
    assert result.problems == ""
    assert [status for status in seen if status != 100] == [180, 183] * 50
    assert result.labels[-2:] == HANGS_UP


async def test_a_180_after_the_200_is_ignored(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_late_180") as callee:
        async with agent.call(callee.uri):
            await asyncio.sleep(0.3)
        result = await callee.ended()
    assert result.problems == ""
    assert result.labels == [*ANSWERED, "> 180 INVITE", "> 180 INVITE", *HANGS_UP]


async def test_they_hang_up(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_hangs_up") as callee:
        async with agent.call(callee.uri) as call:
            ended = await call.ended()
        result = await callee.ended()
    assert ended.by == "remote"
    assert result.problems == ""
    assert result.labels == [*ANSWERED, "> BYE", "< 200 BYE"]


async def test_two_byes_that_cross_are_both_answered(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_bye_crosses", "-nr") as callee:
        async with agent.call(callee.uri) as call:
            await asyncio.sleep(0.1)
        ended = await call.ended()
        result = await callee.ended()
    assert ended.by == "local"
    assert result.problems == ""
    assert result.labels == [*ANSWERED, "< BYE", "> BYE", "< 200 BYE", "> 200 BYE"]


async def test_we_hold_and_resume(agent: UserAgent, sipp: Launch) -> None:
    held: list[bool] = []
    with sipp("uas_reinvited") as callee:
        async with agent.call(callee.uri) as call:
            await call.hold()
            held.append(call.held)
            await call.resume()
            held.append(call.held)
        result = await callee.ended()
    assert held == [True, False]
    assert result.problems == ""
    assert result.labels == [*ANSWERED * 3, *HANGS_UP]
    assert origins(result.messages[0].text, result.messages[3].text, result.messages[6].text)


def origins(*texts: str) -> bool:
    """Whether the o= lines differ in their version alone, and that goes up by one each time (RFC 3264 §8)."""
    lines = [next(line for line in text.splitlines() if line.startswith("o=")).split() for text in texts]
    versions = [int(line.pop(2)) for line in lines]
    first = versions[0]
    return all(line == lines[0] for line in lines) and versions == list(range(first, first + len(texts)))


async def test_they_hold_and_resume(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_reinvites") as callee:
        async with agent.call(callee.uri) as call:
            held = await watched(call)
        result = await callee.ended()
    assert held == [False, True, False]
    assert result.problems == ""


async def watched(call: Call) -> list[bool]:
    """Each value that ``remote_held`` takes until the call ends."""
    seen = [call.remote_held]
    ended = asyncio.ensure_future(call.ended())
    while not ended.done():
        await asyncio.wait([ended], timeout=0.01)
        if call.remote_held != seen[-1]:
            seen.append(call.remote_held)
    return seen


async def test_a_re_invite_refused_with_491_is_tried_again(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_glare") as callee:
        async with agent.call(callee.uri) as call:
            await call.hold()
        result = await callee.ended()
    assert result.problems == ""
    assert result.labels == [*ANSWERED, "< INVITE", "> 491 INVITE", "< ACK", *ANSWERED, *HANGS_UP]


async def test_a_481_to_our_bye_ends_the_call(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_481_to_bye") as callee:
        async with agent.call(callee.uri) as call:
            pass
        ended = await call.ended()
        result = await callee.ended()
    assert ended.by == "local"
    assert result.problems == ""


async def test_a_481_to_our_re_invite_ends_the_call(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_481_to_reinvite") as callee:
        with pytest.raises(CallEnded):
            async with agent.call(callee.uri) as call:
                await call.hold()
        result = await callee.ended()
    assert result.problems == ""
    assert result.labels == [*ANSWERED, "< INVITE", "> 481 INVITE", "< ACK", "< BYE", "> 481 BYE"]
