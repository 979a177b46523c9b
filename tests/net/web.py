"""WebSocket endpoints for tests over loopback, and what happens at them. Real sockets, so real time."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sipstack.core.outputs import Address, Flow, Target
from sipstack.errors import TransportError
from sipstack.net.network import Endpoint, Listen
from sipstack.net.settings import Settings
from sipstack.net.stream_limits import StreamLimits
from sipstack.net.tls_settings import Tls
from sipstack.net.websocket import WebSocketEndpoint, listen_on_websocket
from sipstack.testing.certificates import Certificate, CertificateAuthority

PATIENCE = 10.0
DOMAIN = "pbx.example.com"
UPGRADE = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "sip",
}


class News:
    """An EndpointUser that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[tuple[Flow, bytes]] = []
        self.accepts: list[Flow] = []
        self.opens: list[tuple[Target, Flow]] = []
        self.refusals: list[tuple[Target, str]] = []
        self.failures: list[tuple[Flow, str]] = []
        self.pongs: list[Flow] = []
        self.on_message: Callable[[Flow, bytes], None] | None = None
        self._news = asyncio.Event()

    @property
    def data(self) -> list[bytes]:
        return [data for _, data in self.messages]

    def received(self, flow: Flow, data: bytes) -> None:
        self.messages.append((flow, data))
        if self.on_message is not None:
            self.on_message(flow, data)
        self._news.set()

    def opened(self, target: Target, flow: Flow) -> None:
        self.opens.append((target, flow))
        self._news.set()

    def refused(self, target: Target, error: TransportError) -> None:
        self.refusals.append((target, str(error)))
        self._news.set()

    def accepted(self, flow: Flow) -> None:
        self.accepts.append(flow)
        self._news.set()

    def failed(self, flow: Flow, error: TransportError) -> None:
        self.failures.append((flow, str(error)))
        self._news.set()

    def moved(self, endpoint: Endpoint, reason: str) -> None:
        raise AssertionError(f"another address: {reason}")

    def ponged(self, flow: Flow) -> None:
        self.pongs.append(flow)
        self._news.set()

    async def until(self, there: Callable[[], Any]) -> None:
        """Until ``there()`` is true."""
        async with asyncio.timeout(PATIENCE):
            while not there():
                self._news.clear()
                await self._news.wait()

    async def flow(self) -> Flow:
        """The first connection, however it began."""
        await self.until(lambda: self.accepts or self.opens or self.refusals)
        assert not self.refusals
        return self.accepts[0] if self.accepts else self.opens[0][1]

    async def failure(self) -> str:
        """Why the first connection has ended."""
        await self.until(lambda: self.failures)
        return self.failures[0][1]

    async def refusal(self) -> str:
        """Why the first connection came to nothing."""
        await self.until(lambda: self.refusals)
        return self.refusals[0][1]


def tls_of(folder: Path, certificate: Certificate, authority: CertificateAuthority) -> Tls:
    """TLS with this certificate, trusting the authority."""
    certificate_path, key = certificate.write(folder, "server")
    return Tls(certificate=certificate_path, key=key, authority=authority.write(folder))


def contexts(folder: Path, *names: str, **more: Any) -> Tls:
    """For a server whose certificate proves ``names``."""
    authority = CertificateAuthority()
    return tls_of(folder, authority.issue(*names, **more), authority)


def settings(tls: Tls | None = None, origins: tuple[str, ...] = (), **limits: Any) -> Settings:
    return Settings(tls=tls or Tls(), origins=origins, streams=StreamLimits(**limits))


@asynccontextmanager
async def listening(
    settings: Settings | None = None, *, secure: bool = False, host: str = "127.0.0.1", advertise: str = ""
) -> AsyncIterator[tuple[WebSocketEndpoint, News]]:
    """A server, and its news."""
    news, name = News(), "wss" if secure else "ws"
    listen = Listen(name, host, 0, advertise)
    endpoint = await listen_on_websocket(listen, news, settings or Settings(), secure=secure)
    try:
        yield endpoint, news
    finally:
        endpoint.close()
        await asyncio.sleep(0.01)  # the sockets of asyncio close in the next turns of the loop


@asynccontextmanager
async def dialling(
    settings: Settings | None = None, *, secure: bool = False
) -> AsyncIterator[tuple[WebSocketEndpoint, News]]:
    """A client, and its news."""
    news = News()
    endpoint = WebSocketEndpoint(news, settings or Settings(), secure=secure)
    try:
        yield endpoint, news
    finally:
        endpoint.close()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(
    ours: Settings | None = None, theirs: Settings | None = None
) -> AsyncIterator[tuple[WebSocketEndpoint, News, WebSocketEndpoint, News]]:
    """A client and a server with one connection."""
    async with listening(theirs) as (server, at_server), dialling(ours) as (client, at_client):
        client.open(Target("WS", server.local))
        await at_client.flow()
        await at_server.flow()
        yield client, at_client, server, at_server


class Stranger:
    """A client made of octets, which keeps to no rule."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def shake_hands(self, path: str = "/", **changes: str | None) -> str:
        """Ask for a WebSocket; an underscore in a field's name is a dash. Returns the status line."""
        fields = UPGRADE | {name.replace("_", "-"): text for name, text in changes.items()}
        lines = [f"{name}: {text}\r\n" for name, text in fields.items() if text is not None]
        self.writer.write(f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode())
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
        return head.decode().partition("\r\n")[0]

    def frame(self, opcode: int, data: bytes = b"", *, fin: bool = True) -> None:
        """A frame with a mask of zeros (RFC 6455 §5.2)."""
        self.writer.write(frame(opcode, data, fin=fin))

    async def rest(self) -> bytes:
        """What comes until the server closes the connection."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(opcode: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    first, length = opcode | (0x80 if fin else 0), len(data)
    if length < 126:
        head = bytes([first, 0x80 | length])
    elif length < 65536:
        head = bytes([first, 0xFE]) + length.to_bytes(2, "big")
    else:
        head = bytes([first, 0xFF]) + length.to_bytes(8, "big")
    return head + bytes(4) + data


@asynccontextmanager
async def stranger(
    address: Address, local: str = "127.0.0.1", *, receive_buffer: int = 0
) -> AsyncIterator[Stranger]:
    raw = socket.socket()
    raw.setblocking(False)
    if receive_buffer:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.bind((local, 0))
    await asyncio.get_running_loop().sock_connect(raw, address)
    reader, writer = await asyncio.open_connection(sock=raw)
    try:
        yield Stranger(reader, writer)
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)
