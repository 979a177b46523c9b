"""Channels on WebSockets, with servers of the package ``websockets`` on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from sipstack.agents.channel import Channel, WebSocketAgent, agent_at
from sipstack.agents.wire import MOST
from sipstack.errors import LocalProtocolError, TransportError


@contextlib.asynccontextmanager
async def peer(handler: Callable[[ServerConnection], Awaitable[None]], **more: object) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, **more) as server:  # type: ignore[arg-type]
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/bot"


@contextlib.asynccontextmanager
async def channel_to(
    handler: Callable[[ServerConnection], Awaitable[None]],
) -> AsyncIterator[Channel]:
    async with peer(handler) as url:
        channel = await agent_at(url).connect()
        try:
            yield channel
        finally:
            await channel.close()


async def test_a_missing_package_is_known_before_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sipstack.agents.websocket", raising=False)
    monkeypatch.setitem(sys.modules, "websockets.asyncio.client", None)
    with pytest.raises(LocalProtocolError, match=r"pip install 'sipstack\[websocket\]'"):
        agent_at("ws://127.0.0.1:8765")


async def test_nobody_listens() -> None:
    with pytest.raises(TransportError, match="no agent at ws://127.0.0.1:9/: "):
        await WebSocketAgent("ws://127.0.0.1:9/").connect()


async def test_a_server_that_refuses() -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(HTTPStatus.FORBIDDEN, "no")

    async def never(connection: ServerConnection) -> None:
        raise AssertionError("refused")

    async with peer(never, process_request=refuse) as url:
        with pytest.raises(TransportError, match="403"):
            await agent_at(url).connect()


async def test_a_server_that_breaks_off() -> None:
    async def crash(connection: ServerConnection) -> None:
        await connection.close(1011, "out of memory")

    async with channel_to(crash) as channel:
        with pytest.raises(TransportError, match="the connection to the agent is lost.*out of memory"):
            await channel.receive()
        with pytest.raises(TransportError, match="is lost"):
            await channel.send_audio(bytes(640))


async def test_a_message_that_is_too_long_ends_the_connection() -> None:
    async def flood(connection: ServerConnection) -> None:
        await connection.send(bytes(MOST + 1))
        await connection.wait_closed()

    async with channel_to(flood) as channel:
        with pytest.raises(TransportError, match="is lost"):
            await channel.receive()


async def test_octets_are_audio_and_texts_are_control() -> None:
    async def echo(connection: ServerConnection) -> None:
        assert connection.request is not None
        await connection.send(f'{{"path": "{connection.request.path}"}}')
        async for message in connection:
            await connection.send(message)
            if isinstance(message, str):
                return

    async with channel_to(echo) as channel:
        assert await channel.receive() == '{"path": "/bot"}'
        await channel.send_audio(b"\1\0" * 320)
        assert await channel.receive() == b"\1\0" * 320
        await channel.send_control("{}")
        assert await channel.receive() == "{}"
        assert await channel.receive() is None, "closed in order"


async def test_an_agent_that_does_not_read_makes_us_wait() -> None:
    over = asyncio.Event()

    async def deaf(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await over.wait()
        connection.transport.abort()

    async def flood(channel: Channel) -> None:
        for _ in range(1000):
            await channel.send_audio(bytes(64_000))

    async with channel_to(deaf) as channel:
        flooding = asyncio.create_task(flood(channel))
        done, _ = await asyncio.wait([flooding], timeout=1)
        assert not done, "64 MB are taken by nobody"
        over.set()
        with pytest.raises(TransportError, match="is lost"):
            await flooding
