"""CANCEL and its races (RFC 3261 §9), in both directions."""

from __future__ import annotations

import asyncio

from interop.sipp.callee import Callee
from interop.sipp.process import Launch
from sipstack import UserAgent

REFUSED = ["< 200 CANCEL", "< 487 INVITE", "> ACK"]


async def test_the_caller_gives_up_while_we_ring(agent: UserAgent, target: str, sipp: Launch) -> None:
    callee = Callee(ring=10)
    async with agent.serving(callee):
        with sipp("uac_cancel", target=target) as caller:
            result = await caller.ended()
        await callee.idle()
    assert result.problems == ""
    assert result.labels == ["> INVITE", "< 180 INVITE", "> CANCEL", *REFUSED]
    assert (callee.cancelled, callee.ended) == (1, [])


async def test_the_caller_gives_up_before_we_have_rung(agent: UserAgent, target: str, sipp: Launch) -> None:
    callee = Callee(think=10)
    async with agent.serving(callee):
        with sipp("uac_cancel_at_once", target=target) as caller:
            result = await caller.ended()
    assert result.problems == ""
    assert result.labels == ["> INVITE", "> CANCEL", *REFUSED]
    # the two may come in one turn of the loop: then the handler is never begun
    assert (callee.cancelled, callee.ended) == (len(callee.invitations), [])


async def test_a_cancel_that_crosses_the_200_changes_nothing(
    agent: UserAgent, target: str, sipp: Launch
) -> None:
    callee = Callee()
    async with agent.serving(callee):
        with sipp("uac_cancel_crosses_200", target=target) as caller:
            result = await caller.ended()
        await callee.idle()
    assert result.problems == ""
    both = [message.header("To") for message in result.messages if message.label.startswith("< 200")]
    assert len(set(both)) == 1  # "the To tag of the response to the CANCEL and [that of] the original" (§9.2)
    crossing = ["> INVITE", "< 200 INVITE", "> CANCEL", "< 200 CANCEL", "> ACK"]
    assert result.labels == [*crossing, "> BYE", "< 200 BYE"]
    assert (callee.cancelled, callee.ended) == (0, ["remote"])


async def test_we_give_up_while_they_ring(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_cancelled") as callee:
        async with agent.invite(callee.uri) as outgoing:
            response = await anext(aiter(outgoing.provisionals()))
            await outgoing.cancel()
        result = await callee.ended()
    assert response.status == 180
    assert result.problems == ""
    assert result.labels == ["< INVITE", "> 180 INVITE", "< CANCEL", "> 200 CANCEL", "> 487 INVITE", "< ACK"]


async def test_our_cancel_waits_for_the_first_provisional_response(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_cancelled_late") as callee:
        async with agent.invite(callee.uri) as outgoing:
            await asyncio.sleep(0.05)
            await outgoing.cancel()
        result = await callee.ended()
    assert result.problems == ""
    assert result.labels == ["< INVITE", "> 180 INVITE", "< CANCEL", "> 200 CANCEL", "> 487 INVITE", "< ACK"]


async def test_a_200_that_crosses_our_cancel_is_acknowledged_and_ended(
    agent: UserAgent, sipp: Launch
) -> None:
    with sipp("uas_200_crosses_cancel") as callee:
        async with agent.invite(callee.uri) as outgoing:
            await anext(aiter(outgoing.provisionals()))
            await outgoing.cancel()
        result = await callee.ended()
    assert result.problems == ""
    assert result.labels[2:] == ["< CANCEL", "> 200 CANCEL", "> 200 INVITE", "< ACK", "< BYE", "> 200 BYE"]
