"""``sipstack message``: a text arrives."""

from __future__ import annotations

import asyncio

from sipstack import IncomingRequest
from sipstack.cli.status import ExitStatus
from tests.cli.commands.test_call import closed_port
from tests.cli.registrar import registrar_here
from tests.cli.running import ANY_PORT, agent, command


async def test_an_unreachable_peer() -> None:
    async with command("message", closed_port(), "hello", *ANY_PORT, "--json") as run:
        assert await run.status() == ExitStatus.NETWORK
    assert run.event_names == ["failed"]


async def test_a_peer_that_takes_no_messages() -> None:
    async with registrar_here(status=405) as server:
        async with command("message", server.uri, "hello", *ANY_PORT, "--json") as run:
            assert await run.status() == ExitStatus.REFUSED
    assert [(event["event"], event["status"]) for event in run.events] == [("rejected", 405)]


async def test_the_text_arrives() -> None:
    received: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def take(request: IncomingRequest) -> None:
        received.put_nowait((request.text, str(request.from_.uri)))
        await request.respond(200)

    async with agent() as bob, bob.serving(requests={"MESSAGE": take}):
        arguments = (bob.contact, "Grüße, 你好", "--from", "sip:alice@example.com", "--json")
        async with command("message", *arguments, *ANY_PORT) as run:
            assert await run.status() == ExitStatus.DONE
        assert await received.get() == ("Grüße, 你好", "sip:alice@example.com")
    assert [(event["event"], event["status"]) for event in run.events] == [("responded", 200)]
