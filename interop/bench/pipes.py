"""Whole SIP messages over a blocking socket, for clients that load a server: UDP, TCP, TLS, WS and WSS."""

from __future__ import annotations

import re
import socket
import ssl
from pathlib import Path

HOST = "127.0.0.1"
TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")
PATIENCE = 10.0
"""Seconds to wait for an octet; TimeoutError follows."""
CHUNK = 1 << 18
BUFFER = 4 << 20
_MASKED, _BINARY, _CLOSE, _PING = 0x80, 0x82, 0x88, 0x89
_PONG = b"\x8a\x80" + bytes(4)
_UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: sip\r\n\r\n"
)
_length = re.compile(rb"\r\nContent-Length: (\d+)")


def context(folder: Path) -> ssl.SSLContext:
    """Trusts the authority whose certificate is in the folder."""
    return ssl.create_default_context(cafile=str(folder / "authority.crt"))


def split(octets: bytes) -> tuple[list[bytes], bytes]:
    """The whole messages at the start of a stream, and what is left."""
    messages, start = [], 0
    while (end := octets.find(b"\r\n\r\n", start)) >= 0:
        found = _length.search(octets, start, end + 2)
        last = end + 4 + (int(found[1]) if found else 0)
        if last > len(octets):
            break
        messages.append(octets[start:last])
        start = last
    return messages, octets[start:]


def frame(message: bytes) -> bytes:
    """As a client sends it over a WebSocket. The mask is zero, so that it costs nothing."""
    size = len(message)
    head = bytes([_BINARY, _MASKED | size]) if size < 126 else bytes([_BINARY, _MASKED | 126])
    return head + (size.to_bytes(2) if size >= 126 else b"") + bytes(4) + message


def unframe(octets: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """The whole frames of a server, each its first octet and its content, and what is left."""
    frames, start = [], 0
    while len(octets) - start >= 2:
        size, begin = octets[start + 1], start + 2
        if size >= 126:
            begin += 2 if size == 126 else 8
            size = int.from_bytes(octets[start + 2 : begin])
        if begin + size > len(octets):
            break
        frames.append((octets[start], octets[begin : begin + size]))
        start = begin + size
    return frames, octets[start:]


class Pipe:
    """A connection, or a UDP socket that has one peer. Raises OSError where it does not come to be."""

    def __init__(
        self, transport: str, port: int, tls: ssl.SSLContext | None = None, source: str = HOST
    ) -> None:
        self.transport = transport
        self._is_web = transport in ("ws", "wss")
        self._rest = b""
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        sock = socket.socket(socket.AF_INET, kind)
        try:
            sock.settimeout(PATIENCE)
            if kind is socket.SOCK_DGRAM:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.bind((source, 0))
            sock.connect((HOST, port))
            self._socket = tls.wrap_socket(sock, server_hostname=HOST) if tls is not None else sock
            self.local: tuple[str, int] = sock.getsockname() if tls is None else self._socket.getsockname()
            if self._is_web:
                self._shake_hands()
        except BaseException:
            sock.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, messages: list[bytes]) -> None:
        """One write over a connection, one datagram each over UDP."""
        if self.transport == "udp":
            for message in messages:
                self._socket.send(message)
        elif messages:
            self._socket.sendall(b"".join(map(frame, messages) if self._is_web else messages))

    def receive(self) -> list[bytes]:
        """At least one message. Raises OSError: it took too long, or the server has hung up."""
        while not (messages := self.serve()):
            pass
        return messages

    def serve(self) -> list[bytes]:
        """Reads once, and answers the pings of a WebSocket server. Raises OSError as `receive` does."""
        data = self._socket.recv(CHUNK)
        if self.transport == "udp":
            return [data]
        if not data:
            raise ConnectionError("the server has closed the connection")
        if self._is_web:
            frames, self._rest = unframe(self._rest + data)
            return [content for first, content in frames if not self._is_control(first)]
        messages, self._rest = split(self._rest + data)
        return messages

    def _is_control(self, first: int) -> bool:
        if first == _CLOSE:
            raise ConnectionError("the server has closed the WebSocket")
        if first == _PING:
            self._socket.sendall(_PONG)
        return first >= _CLOSE

    def _shake_hands(self) -> None:
        self._socket.sendall(_UPGRADE)
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = self._socket.recv(CHUNK)
            if not data:
                break
            answer += data
        if not answer.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(f"no WebSocket: {answer[:40]!r}")
