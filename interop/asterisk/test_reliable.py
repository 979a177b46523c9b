"""Reliable provisional responses, with an Asterisk that insists on them (RFC 3262)."""

from __future__ import annotations

import asyncio

import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import TIMEOUT, hear_tone
from interop.asterisk.server import Asterisk
from sipstack import CallRejected, Invitation, TracedMessage


async def test_each_of_its_responses_is_confirmed(asterisk: Asterisk, agent: AgentFactory) -> None:
    sent: list[bytes] = []

    def trace(traced: TracedMessage) -> None:
        if traced.sent:
            sent.append(traced.data[:5])

    async with agent("reliable", trace=trace, reliable=True) as ua:
        async with ua.invite(asterisk.uri("early")) as outgoing:
            await hear_tone(outgoing.audio, 440)
            responses = [response async for response in outgoing.provisionals()]
            call = await outgoing.answered()
            await hear_tone(call.audio, 1004)
    assert all(response.headers.get("RSeq") for response in responses)
    assert sent.count(b"PRACK") == len(responses)


async def test_early_media_of_ours_is_reliable_and_heard(asterisk: Asterisk, agent: AgentFactory) -> None:
    answered = asyncio.Event()

    async def announce(invitation: Invitation) -> None:
        assert "100rel" in invitation.request.require
        await invitation.progress(183, early_media=True)
        async with invitation.accept() as call:
            answered.set()
            await call.ended()

    async with agent("reliable") as ua, ua.serving(announce):
        await asterisk.originate("reliable", "milliwatt", ua.contact)
        await asyncio.wait_for(answered.wait(), TIMEOUT)
        (call,) = ua.calls
        await hear_tone(call.audio, 1004)
        await call.hang_up()


async def test_who_has_it_not_is_refused(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent("reliable", reliable=False) as ua:
        with pytest.raises(CallRejected) as refused:
            async with ua.call(asterisk.uri("early")):
                pytest.fail("answered")
    assert refused.value.status == 421
