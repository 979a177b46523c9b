"""Requests outside a dialog: OPTIONS (RFC 3261 §11) and MESSAGE (RFC 3428)."""

from __future__ import annotations

import asyncio

import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import TIMEOUT, eventually
from interop.asterisk.server import Asterisk
from sipstack import IncomingRequest


@pytest.mark.parametrize(("number", "status"), [("nosuch", 404), ("echo", 200)])
async def test_options_tell_whether_a_number_exists(
    asterisk: Asterisk, agent: AgentFactory, number: str, status: int
) -> None:
    async with agent() as ua:
        response = await ua.options(asterisk.uri(number))
    assert response.status == status


async def test_asterisk_gets_an_answer_to_its_options(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent("watched") as ua, ua.register():

        async def available() -> bool:
            return " Avail " in await asterisk.cli("pjsip show contacts")

        await eventually(available)


@pytest.mark.parametrize(
    ("number", "content_type", "status"),
    [("nosuch", "text/plain", 404), ("drop", "application/json", 415), ("drop", "text/plain", 202)],
)
async def test_messages_are_refused_or_taken(
    asterisk: Asterisk, agent: AgentFactory, number: str, content_type: str, status: int
) -> None:
    async with agent("alice") as alice:
        response = await alice.message(asterisk.uri(number), '"text"', content_type=content_type)
    assert response.status == status


async def test_a_message_comes_back_as_it_was_sent(asterisk: Asterisk, agent: AgentFactory) -> None:
    text = "Grüße, 你好 ☎"
    texts: asyncio.Queue[str] = asyncio.Queue()

    async def take(request: IncomingRequest) -> None:
        texts.put_nowait(request.text)
        await request.respond(200)

    async with agent("alice") as alice, alice.register(), alice.serving(requests={"MESSAGE": take}):
        await alice.message(asterisk.uri("echo"), text)
        assert await asyncio.wait_for(texts.get(), TIMEOUT) == text
