"""Calls that are not answered: refused by Asterisk, or cancelled by us (RFC 3261 §9)."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import hear_tone
from interop.asterisk.server import Asterisk
from sipstack import AuthenticationFailed, CallRejected, TransactionTimeout

REFUSALS = {
    "nosuch": 404,
    "busy": 486,
    "congestion": 503,
    "moved": 302,
    "cause-1": 404,
    "cause-18": 408,
    "cause-19": 480,
    "cause-21": 403,
    "cause-22": 410,
    "cause-27": 502,
    "cause-28": 484,
    "cause-38": 500,
    "cause-58": 488,
}


@pytest.mark.parametrize(("number", "status"), REFUSALS.items())
async def test_a_refusal_tells_its_status(
    asterisk: Asterisk, agent: AgentFactory, number: str, status: int
) -> None:
    async with agent() as ua:
        with pytest.raises(CallRejected) as refused:
            async with ua.call(asterisk.uri(number)):
                pytest.fail("answered")
    assert refused.value.status == status


async def test_no_codec_in_common(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent("gsm") as ua:
        with pytest.raises(CallRejected) as refused:
            async with ua.call(asterisk.uri("echo")):
                pytest.fail("answered")
    assert refused.value.status == 488


async def test_a_wrong_password(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent("alice", password="wrong") as alice:
        with pytest.raises(AuthenticationFailed) as refused:
            async with alice.call(asterisk.uri("echo")):
                pytest.fail("answered")
    assert refused.value.status == 401


async def test_a_tone_is_heard_before_the_refusal(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as ua, ua.invite(asterisk.uri("early-busy")) as outgoing:
        await hear_tone(outgoing.audio, 440)
        with pytest.raises(CallRejected) as refused:
            await outgoing.answered()
    assert refused.value.status == 486


async def test_cancelled_while_it_rings(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent("alice") as alice, alice.invite(asterisk.uri("ring-forever")) as outgoing:
        async for response in outgoing.provisionals():
            if response.status == 180:
                break
        assert len(await asterisk.channels()) == 1
        await outgoing.cancel()
        with pytest.raises(CallRejected) as cancelled:
            await outgoing.answered()
        assert cancelled.value.status == 487
        await asterisk.idle()


@pytest.mark.parametrize("number", ["ring-forever", "silent"])
async def test_leaving_cancels(asterisk: Asterisk, agent: AgentFactory, number: str) -> None:
    async with agent() as ua:
        async with ua.invite(asterisk.uri(number)):
            pass  # at once: before any response has come
        await asterisk.idle()


async def test_a_limit_of_ringing_cancels(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as ua:
        with pytest.raises(TransactionTimeout):
            async with ua.call(asterisk.uri("ring-forever"), ring_timeout=0.5):
                pytest.fail("answered")
        await asterisk.idle()


async def test_a_timeout_cancels(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as ua:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5), ua.call(asterisk.uri("ring-forever")):
                pytest.fail("answered")
        await asterisk.idle()
