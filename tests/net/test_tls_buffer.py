"""Thousands of idle TLS connections must be cheap; asyncio's default is a quarter of a megabyte for each."""

from __future__ import annotations

import asyncio
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from sipstack.core.outputs import Flow, Target
from sipstack.net.network import Listen
from sipstack.net.tls import listen_on_tls
from sipstack.net.tls_buffer import SIZE, shrink_buffer
from sipstack.net.websocket import WebSocketEndpoint
from tests.net.web import News, contexts, dialling, listening, settings

LARGE = b"MESSAGE sip:bob@example.com SIP/2.0\r\n\r\n" + b"x" * (20 * SIZE)


def buffer_of(endpoint: WebSocketEndpoint, flow: Flow) -> int:
    """Octets that its connection keeps to read into."""
    raw = endpoint._connections[flow.connection]._raw
    assert raw is not None
    tls = raw.get_protocol()
    assert isinstance(tls, asyncio.BufferedProtocol)
    return len(memoryview(tls.get_buffer(-1)))


async def large_messages_both_ways(folder: Path, check: Callable[..., None]) -> None:
    tls = settings(contexts(folder, "localhost"))
    async with (
        listening(tls, secure=True) as (server, at_server),
        dialling(tls, secure=True) as (client, at_client),
    ):
        client.open(Target("WSS", server.local, "localhost"))
        there, back = await at_client.flow(), await at_server.flow()
        for _ in range(3):
            check(client, there)
            check(server, back)
            client.send(there, LARGE)
            server.send(back, LARGE)
            await at_server.until(lambda: LARGE in at_server.data)
            await at_client.until(lambda: LARGE in at_client.data)
            at_server.messages.clear()
            at_client.messages.clear()


async def test_the_buffer_stays_small_and_large_messages_pass(tmp_path: Path) -> None:
    def check(endpoint: WebSocketEndpoint, flow: Flow) -> None:
        assert buffer_of(endpoint, flow) == SIZE

    await large_messages_both_ways(tmp_path, check)


def test_a_loop_with_buffers_of_its_own_is_left_alone(tmp_path: Path) -> None:
    checked: list[Flow] = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(large_messages_both_ways(tmp_path, lambda _, flow: checked.append(flow)))
    assert len(checked) == 6


@pytest.mark.parametrize("buffer", [None, bytearray(SIZE)])
def test_what_asyncio_keeps_by_another_name_or_small_is_left_alone(buffer: bytearray | None) -> None:
    class Tls(SSLProtocol):
        def __init__(self) -> None:
            if buffer is not None:
                self._ssl_buffer = buffer

    class Raw(asyncio.Transport):
        def get_protocol(self) -> asyncio.BaseProtocol:
            return tls

    tls = Tls()
    shrink_buffer(Raw())
    assert "max_size" not in vars(tls)
    assert getattr(tls, "_ssl_buffer", None) is buffer


async def test_who_never_greets_costs_a_small_buffer_too(tmp_path: Path) -> None:
    tls = settings(contexts(tmp_path, "localhost"))
    endpoint = await listen_on_tls(Listen("tls", "127.0.0.1", 0), News(), tls)
    _, writer = await asyncio.open_connection(*endpoint.local)
    try:
        await asyncio.sleep(0.1)
        assert [silent_buffer_of(each._raw) for each in endpoint._all] == [SIZE]
    finally:
        writer.close()
        endpoint.close()
        await asyncio.sleep(0.01)


def silent_buffer_of(raw: asyncio.Transport | None) -> int:
    """Octets of the buffer of TLS; 0 while TLS has not begun."""
    tls = raw.get_protocol() if raw is not None else None
    return len(memoryview(tls.get_buffer(-1))) if isinstance(tls, asyncio.BufferedProtocol) else 0
