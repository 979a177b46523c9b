"""Conversations over MESSAGE (RFC 3428) by way of Asterisk, which knows no Session-ID; and why calls end."""

from __future__ import annotations

import asyncio

import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import TIMEOUT, eventually
from interop.asterisk.server import Asterisk
from sipstack import CallRejected, LocalProtocolError, reasons


async def test_a_conversation_with_the_echo(asterisk: Asterisk, agent: AgentFactory) -> None:
    texts = ["one", "two", "two", "Grüße, 你好 ☎"]
    async with (
        agent("alice") as alice,
        alice.register(),
        alice.conversation(asterisk.uri("echo")) as chat,
    ):
        for text in texts:
            response = await chat.send(text, expires=60)
            assert response.status == 202  # Asterisk keeps it until its dialplan has had it
            message = await asyncio.wait_for(anext(chat), TIMEOUT)
            assert message.text == text
        assert chat.session_id is not None
        assert not chat.session_id.is_complete


async def test_a_text_that_is_too_long_for_udp_goes_over_tcp(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent("alice", tcp=True) as alice:
        response = await alice.message(asterisk.uri("drop"), "x" * 2000)
    assert response.status == 202
    assert response.via.transport == "TCP"


async def test_without_tcp_it_is_not_sent(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent("alice") as alice:
        with pytest.raises(LocalProtocolError, match="cannot go over UDP"):
            await alice.message(asterisk.uri("drop") + ";transport=udp", "x" * 2000)


@pytest.mark.parametrize("cause", [16, 31])
async def test_asterisk_says_why_it_hangs_up(asterisk: Asterisk, agent: AgentFactory, cause: int) -> None:
    async with agent() as ua, ua.call(asterisk.uri(f"bye-{cause}")) as call:
        end = await asyncio.wait_for(call.ended(), TIMEOUT)
    assert [(reason.protocol, reason.cause) for reason in reasons(end)] == [("Q.850", cause)]


async def test_asterisk_says_why_it_refuses(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as ua:
        with pytest.raises(CallRejected) as caught:
            async with ua.call(asterisk.uri("cause-17")):
                pass
    assert [(reason.protocol, reason.cause) for reason in reasons(caught.value)] == [("Q.850", 17)]


async def test_asterisk_reads_why_we_hang_up(asterisk: Asterisk, agent: AgentFactory) -> None:
    """Its channel ends with the cause of our Reason, which its log tells: a thread of its own writes that."""
    async with agent() as ua, ua.call(asterisk.uri("echo")) as call:
        before = asterisk.log.stat().st_size
        await call.hang_up("Q.850;cause=31")

        def told() -> bool:
            with asterisk.log.open("rb") as log:
                log.seek(before)
                return b"Reason: Q.850;cause=31" in log.read()

        await eventually(told)
