"""Reliable provisional responses that are lost or refused, and early answers (RFC 3262, RFC 6337)."""

from __future__ import annotations

import asyncio

import pytest

from interop.sipp.process import Launch
from sipstack import Invitation, UserAgent


async def test_a_prack_that_is_lost_and_one_for_another_response(
    agent: UserAgent, target: str, sipp: Launch
) -> None:
    async def announce(invitation: Invitation) -> None:
        await invitation.progress(183, early_media=True)
        async with invitation.accept() as call:
            await call.ended()

    async with agent.serving(announce):
        with sipp("uac_lost_prack", "-nr", target=target) as caller:
            result = await caller.ended()
    assert result.problems == ""
    labels = [label for label in result.labels if label not in ("< 183 INVITE", "< 100 INVITE")]
    assert labels[:5] == ["> INVITE", "> PRACK", "< 481 PRACK", "> PRACK", "< 200 PRACK"]
    accepted = next(each for each in result.messages if each.label == "< 200 INVITE")
    assert accepted.header("Content-Length") == "0"


@pytest.mark.parametrize("scenario", ["uas_early_answer", "uas_481_to_prack", "uas_404_to_prack"])
async def test_an_answer_in_a_183_is_that_of_the_call(agent: UserAgent, sipp: Launch, scenario: str) -> None:
    """The 200 has none (RFC 3261 §13.2.1); a PRACK that is refused leaves the call to its INVITE."""
    with sipp(scenario) as callee:
        async with agent.invite(callee.uri) as outgoing:
            async for response in outgoing.provisionals():
                assert response.headers.get("RSeq") == "77"
                await asyncio.sleep(0.1)
                assert outgoing.audio.codec == "PCMU"
            call = await outgoing.answered()
            assert call.codec == "PCMU"
        result = await callee.ended()
    assert result.problems == ""
    prack = next(each for each in result.messages if each.label == "< PRACK")
    assert prack.header("RAck") == "77 1 INVITE"
