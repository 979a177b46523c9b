"""Our endpoints against the clients and servers of the package ``websockets`` itself."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Origin, Subprotocol

from sipstack.core.outputs import Target
from sipstack.net.websocket_handshake import LONGEST
from tests.net.web import DOMAIN, contexts, dialling, listening, settings

SIP = [Subprotocol("sip")]
OPTIONS = b"OPTIONS sip:bob@example.com SIP/2.0\r\n\r\n"


# -- our server --------------------------------------------------------------------------------------------


async def test_text_and_binary_and_fragments_are_taken() -> None:
    async with listening() as (server, news):
        async with connect(f"ws://127.0.0.1:{server.local[1]}/any/path?x=1", subprotocols=SIP) as peer:
            assert (peer.subprotocol, peer.protocol.extensions) == ("sip", [])
            await peer.send(OPTIONS.decode())
            await peer.send(OPTIONS)
            await peer.send([OPTIONS[:5], OPTIONS[5:9], b"", OPTIONS[9:]])
            await peer.send([OPTIONS.decode()[:5], OPTIONS.decode()[5:]])
            await news.until(lambda: len(news.data) == 4)
            assert set(news.data) == {OPTIONS}


async def test_what_is_utf_8_goes_as_text() -> None:
    async with listening() as (server, news):
        async with connect(f"ws://127.0.0.1:{server.local[1]}", subprotocols=SIP) as peer:
            flow = await news.flow()
            server.send(flow, OPTIONS + "ä".encode())
            server.send(flow, OPTIONS + b"\xff")
            assert await peer.recv() == OPTIONS.decode() + "ä"
            assert await peer.recv() == OPTIONS + b"\xff"


async def test_pings_are_answered() -> None:
    async with listening() as (server, news):
        async with connect(f"ws://127.0.0.1:{server.local[1]}", subprotocols=SIP) as peer:
            async with asyncio.timeout(5):
                await (await peer.ping())
            await peer.send("\r\n\r\n")
            assert await peer.recv() == "\r\n"
            assert news.data == []


@pytest.mark.parametrize("offered", [None, ["chat"], ["SIP.example"]])
async def test_a_client_that_does_not_offer_sip_is_refused(offered: list[Any] | None) -> None:
    async with listening() as (server, news):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"ws://127.0.0.1:{server.local[1]}", subprotocols=offered):
                pass
        assert refused.value.response.status_code == HTTPStatus.BAD_REQUEST
        assert news.accepts == []


@pytest.mark.parametrize(
    ("allowed", "origin", "enters"),
    [
        ((), None, True),
        ((), "https://evil.example", True),
        (("https://example.com",), "https://example.com", True),
        (("https://example.com",), "https://evil.example", False),
        (("https://example.com",), None, False),
    ],
)
async def test_pages_are_let_in_by_their_origin(
    allowed: tuple[str, ...], origin: str | None, enters: bool
) -> None:
    async with listening(settings(origins=allowed)) as (server, news):
        address = f"ws://127.0.0.1:{server.local[1]}"
        sent = None if origin is None else Origin(origin)
        status = 101
        try:
            async with connect(address, subprotocols=SIP, origin=sent):
                await news.flow()
        except InvalidStatus as refused:
            status = refused.response.status_code
        assert status == (101 if enters else HTTPStatus.FORBIDDEN)
        assert bool(news.accepts) is enters


async def test_a_message_that_is_too_long_ends_its_connection_only() -> None:
    async with listening() as (server, news):
        address = f"ws://127.0.0.1:{server.local[1]}"
        async with connect(address, subprotocols=SIP) as good, connect(address, subprotocols=SIP) as bad:
            await bad.send(bytes(LONGEST + 1))
            with pytest.raises(ConnectionClosedError, match="1009"):
                await bad.recv()
            assert (await news.failure()).endswith(f"a message is longer than {LONGEST} octets")
            await good.send(bytes(LONGEST))
            await news.until(lambda: news.data == [bytes(LONGEST)])
            assert len(news.failures) == 1


async def test_a_client_that_closes_says_why() -> None:
    async with listening() as (server, news):
        async with connect(f"ws://127.0.0.1:{server.local[1]}", subprotocols=SIP) as peer:
            await peer.close(4000, "good\nnight")
        assert (await news.failure()).endswith(
            "the peer has closed the connection (4000 (private use) good\\nnight)"
        )


async def test_a_server_that_closes_a_connection_does_so_by_the_book() -> None:
    async with listening() as (server, news):
        async with connect(f"ws://127.0.0.1:{server.local[1]}", subprotocols=SIP) as peer:
            server.close_flow(await news.flow())
            await peer.wait_closed()
            assert peer.close_code == 1000
        assert (await news.failure()).endswith("we have closed the connection")


async def test_the_package_over_tls(tmp_path: Path) -> None:
    tls = contexts(tmp_path, DOMAIN)
    async with listening(settings(tls), secure=True) as (server, news):
        address = f"wss://{DOMAIN}:{server.local[1]}"
        context = ssl.create_default_context(cafile=str(tls.authority))
        async with connect(address, subprotocols=SIP, ssl=context, host="127.0.0.1") as peer:
            await peer.send(OPTIONS * 5000)
            await news.until(lambda: news.data == [OPTIONS * 5000])
            server.send(news.accepts[0], OPTIONS * 5000)
            assert await peer.recv() == (OPTIONS * 5000).decode()


# -- our client --------------------------------------------------------------------------------------------


@asynccontextmanager
async def other_server(**more: Any) -> AsyncIterator[tuple[Server, tuple[str, int], list[Request]]]:
    """A server that echoes, where it listens, and what it was asked."""
    asked: list[Request] = []

    async def echo(connection: ServerConnection) -> None:
        assert connection.request is not None
        asked.append(connection.request)
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0, **({"subprotocols": SIP} | more)) as server:
        yield server, server.sockets[0].getsockname(), asked


async def test_the_request_names_the_path_the_host_and_sip() -> None:
    async with other_server() as (_, address, asked), dialling() as (client, news):
        client.open(Target("WS", address, DOMAIN, "/ws?a=b"))
        await news.flow()
        (request,) = asked
        assert request.path == "/ws?a=b"
        assert request.headers["Host"] == f"{DOMAIN}:{address[1]}"
        assert request.headers["Sec-WebSocket-Protocol"] == "sip"
        assert "Sec-WebSocket-Extensions" not in request.headers
        assert "Origin" not in request.headers


@pytest.mark.parametrize(("path", "asked_for"), [("", "/"), ("ws", "/ws"), ("/a/b", "/a/b")])
async def test_a_path_begins_with_a_slash(path: str, asked_for: str) -> None:
    async with other_server() as (_, address, asked), dialling() as (client, news):
        client.open(Target("WS", address, "", path))
        await news.flow()
        assert (asked[0].path, asked[0].headers["Host"]) == (asked_for, f"127.0.0.1:{address[1]}")


async def test_messages_come_back_and_pings_are_answered() -> None:
    async with (
        other_server(ping_interval=0.02, ping_timeout=5) as (_, address, _),
        dialling() as (client, news),
    ):
        client.open(Target("WS", address))
        flow = await news.flow()
        for data in (OPTIONS, OPTIONS + b"\xff", OPTIONS * 10_000):
            client.send(flow, data)
        await news.until(lambda: len(news.data) == 3)
        assert news.data == [OPTIONS, OPTIONS + b"\xff", OPTIONS * 10_000]
        await asyncio.sleep(0.1)
        assert news.failures == []


async def test_a_server_that_does_not_select_sip_is_refused() -> None:
    async with other_server(subprotocols=None) as (_, address, _), dialling() as (client, news):
        client.open(Target("WS", address, DOMAIN))
        assert await news.refusal() == (
            f"{DOMAIN}:{address[1]}: does not speak the subprotocol 'sip' (RFC 7118)"
        )
        assert news.opens == []


@pytest.mark.parametrize("status", [200, 302, 401, 404, 503])
async def test_a_server_that_answers_otherwise(status: int) -> None:
    def answer(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(HTTPStatus(status), "no\n")

    async with other_server(process_request=answer) as (_, address, _), dialling() as (client, news):
        client.open(Target("WS", address, DOMAIN, "/sip"))
        assert await news.refusal() == (
            f"{DOMAIN}:{address[1]}: answers {status} to a WebSocket on /sip: is the path right?"
        )


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        b"\x00" * 100_000,
        b"",
    ],
)
async def test_a_server_that_is_none(answer: bytes) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server, dialling() as (client, news):
        client.open(Target("WS", server.sockets[0].getsockname()))
        assert await news.refusal()
        assert (len(news.refusals), news.opens, news.failures) == (1, [], [])


async def test_a_server_that_closes_is_told() -> None:
    async with other_server() as (server, address, _), dialling() as (client, news):
        client.open(Target("WS", address))
        await news.flow()
        server.close()
        assert "the peer has closed the connection (1001 (going away))" in await news.failure()


# -- the extra ---------------------------------------------------------------------------------------------


def test_nothing_is_imported_until_a_websocket_is_wanted_and_its_lack_is_said_in_words() -> None:
    program = """
import asyncio, sys
from sipstack import UserAgent, TransportError
async def main():
    async with UserAgent(listen="udp:127.0.0.1:0") as agent:
        assert "websockets" not in sys.modules
        sys.modules["websockets"] = None
        try:
            await agent.options("sip:bob@127.0.0.1:9;transport=ws")
        except TransportError as error:
            print(error)
    try:
        async with UserAgent(listen="ws:127.0.0.1:0"):
            pass
    except TransportError as error:
        print(error)
asyncio.run(main())
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    lines = run.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert "ws: and wss: need the extra 'websocket': pip install 'sipstack[websocket]'" in line
