"""Agents on a WebSocket, by the package ``websockets`` of the ``websocket`` extra."""

from __future__ import annotations

from sipstack.agents.channel import Channel
from sipstack.agents.wire import MOST
from sipstack.errors import LocalProtocolError, TransportError

try:
    from websockets.asyncio.client import ClientConnection
    from websockets.asyncio.client import connect as open_connection
    from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
except ImportError as error:
    raise LocalProtocolError(
        "an agent on a WebSocket needs websockets: pip install 'sipstack[websocket]'"
    ) from error

UNREAD = 16
"""Messages of the agent that wait for us; then it must wait as well."""
UNSENT = 16_384
"""Octets that may wait for an agent that is slow to read: half a second at 16 kHz."""
FAREWELL = 3.0
"""Seconds that closing may take."""


class WebSocketChannel:
    """A channel of WebSocket messages: those of octets are audio, those of text are control."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send_audio(self, pcm: bytes) -> None:
        await self._send(pcm)

    async def send_control(self, text: str) -> None:
        await self._send(text)

    async def receive(self) -> bytes | str | None:
        try:
            return await self._connection.recv()
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.code in (1000, 1001):
                return None
            raise _lost(closed) from closed

    async def close(self) -> None:
        await self._connection.close()

    async def _send(self, message: bytes | str) -> None:
        try:
            await self._connection.send(message)
        except ConnectionClosed as closed:
            raise _lost(closed) from closed


async def connect(url: str) -> Channel:
    """A channel to a WebSocket server. Raises TransportError, LocalProtocolError for a URL that is none."""
    try:
        return WebSocketChannel(
            await open_connection(
                url,
                compression=None,
                max_size=MOST,
                max_queue=UNREAD,
                write_limit=UNSENT,
                close_timeout=FAREWELL,
            )
        )
    except InvalidURI as error:
        raise LocalProtocolError(f"{url!r} is no URL of a WebSocket") from error
    except (OSError, InvalidHandshake, TimeoutError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TransportError(f"no agent at {url}: {reason}") from error


def _lost(closed: ConnectionClosed) -> TransportError:
    return TransportError(f"the connection to the agent is lost: {closed}")
