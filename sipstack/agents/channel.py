"""The way to an agent, whatever carries it: messages of audio and of control, as ``wire`` says."""

from __future__ import annotations

import asyncio
import re
import shlex
from typing import Protocol

import attrs

from sipstack.agents.wire import PATIENCE
from sipstack.errors import LocalProtocolError, TransportError

RETRY = 0.25
"""Seconds until an agent that is not there is tried again; then twice as many, and so on."""

TCP = re.compile(r"tcp:(?P<host>\[[^\[\]\s]+\]|[^:\[\]\s]+):(?P<port>\d{1,5})", re.IGNORECASE)
WEB = re.compile(r"wss?://[^\s/]+(/\S*)?", re.IGNORECASE)


class Channel(Protocol):
    """A connection to an agent, for one call. One task sends at a time, and one receives."""

    async def send_audio(self, pcm: bytes) -> None:
        """Send audio, and wait while the agent has much to read. Raises TransportError."""

    async def send_control(self, text: str) -> None:
        """Send a JSON object. Raises TransportError."""

    async def receive(self) -> bytes | str | None:
        """The next message: octets are audio, a text is control; None when the agent has gone.

        Raises TransportError, and ParseError for what is no message.
        """

    async def close(self) -> None:
        """Let the agent end, then end it. Bounded in time; calling it again does nothing."""


class Agent(Protocol):
    """Where an agent is."""

    async def connect(self) -> Channel:
        """Begin a connection for one call. Raises TransportError."""


@attrs.frozen
class WebSocketAgent:
    """An agent that is a WebSocket server: ``ws://`` or ``wss://``. Needs the ``websocket`` extra."""

    url: str

    def __str__(self) -> str:
        return self.url

    async def connect(self) -> Channel:
        from sipstack.agents.websocket import connect

        return await connect(self.url)


@attrs.frozen
class TcpAgent:
    """An agent that listens for TCP connections."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp:{self.host}:{self.port}"

    async def connect(self) -> Channel:
        from sipstack.agents.streams import connect_tcp

        return await connect_tcp(self.host, self.port)


@attrs.frozen
class ProgramAgent:
    """A program that is started for each call and talks on its standard input and output."""

    command: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(self.command)

    async def connect(self) -> Channel:
        from sipstack.agents.streams import start_program

        return await start_program(self.command)


def agent_at(address: str) -> Agent:
    """The agent at ``ws://...``, ``wss://...`` or ``tcp:HOST:PORT``. Raises LocalProtocolError when it is
    none of them, or the extra is missing.
    """
    if WEB.fullmatch(address):
        import sipstack.agents.websocket  # noqa: F401 - not when the first call comes

        return WebSocketAgent(address)
    match = TCP.fullmatch(address)
    if match is None or int(match["port"]) > 65535:
        raise LocalProtocolError(f"{address!r} is no agent: write ws://HOST:PORT/PATH or tcp:HOST:PORT")
    return TcpAgent(match["host"].strip("[]"), int(match["port"]))


async def connect(agent: Agent) -> Channel:
    """A channel to the agent, which is tried for some seconds. Raises TransportError when it is not there."""
    delay = RETRY
    refusal: TransportError | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await agent.connect()
                except TransportError as error:
                    if not error.transient or isinstance(agent, ProgramAgent):
                        raise
                    refusal = error
                await asyncio.sleep(delay)
                delay *= 2
    except TimeoutError:
        raise refusal or TransportError(f"the agent {agent} does not answer") from None
