"""One connection of a transport with a stream of octets: frames, keep-alives, limits, back-pressure.

An asyncio protocol over any asyncio transport: TCP, TLS, or a simulated stream.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from typing import Protocol, cast

from sipstack.core.outputs import Flow, Target
from sipstack.errors import FlowClosed, TransportError
from sipstack.message.partial import MalformedMessage
from sipstack.message.stream import Ping, Pong, StreamParser
from sipstack.net.reasons import authority, reason_of
from sipstack.net.stream_limits import StreamLimits

TURN = 0.005
"""Seconds that one connection has of a turn of the loop: the others want to live too."""
EARLY = 1024 * 1024
"""Octets that may come before we know that the handshake is over."""


class ConnectionUser(Protocol):
    """The endpoint of a connection."""

    limits: StreamLimits

    def made(self, connection: Connection) -> None:
        """There is a transport."""

    def received(self, flow: Flow, data: bytes) -> None:
        """One whole message."""

    def ponged(self, flow: Flow) -> None:
        """The peer has answered a keep-alive."""

    def refusal(self, error: MalformedMessage) -> bytes:
        """The response to a request that ends the stream; empty when there is none."""

    def lost(self, connection: Connection, error: TransportError) -> None:
        """The connection is gone, or never came to be; told once."""

    def watch(self, deadline: float) -> None:
        """Look at the deadlines of the connections then."""


class Connection(asyncio.Protocol):
    """One connection; ``target`` is why we open it, None where the peer did.

    It is *made* when there is a transport, and *begun* with its flow when messages may pass: with TLS the
    handshake is between these.
    """

    __slots__ = (
        "_early",
        "_heard",
        "_is_choked",
        "_is_deaf",
        "_loop",
        "_message_began",
        "_over",
        "_parser",
        "_raw",
        "_reason",
        "_serving",
        "_user",
        "_waiting",
        "deadline",
        "flow",
        "is_closing",
        "target",
        "transport",
    )

    def __init__(self, user: ConnectionUser, target: Target | None = None) -> None:
        self.target = target
        self.flow: Flow | None = None
        self.transport: asyncio.Transport | None = None
        self._raw: asyncio.Transport | None = None  # TCP below TLS
        self.is_closing = False
        self.deadline = math.inf
        """When ``expire`` wants to be called."""
        self._user = user
        self._loop = asyncio.get_running_loop()
        self._parser = StreamParser()
        self._early = b""
        self._heard = False  # a whole message or a ping
        self._is_choked = False  # the peer does not read
        self._is_deaf = False  # we do not
        self._message_began = math.inf
        self._over = False
        self._reason = ""
        self._serving: asyncio.Handle | None = None
        self._waiting: deque[bytes | Ping | Pong] = deque()

    # -- life ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # that of uvloop is one in all but name
        self.transport = self._raw = transport
        self._user.made(self)

    def begin(self, transport: asyncio.Transport, flow: Flow) -> None:
        """Messages may pass."""
        limits, now = self._user.limits, self._loop.time()
        self.transport, self.flow = transport, flow
        self._expect(now + (limits.idle if self.target is not None else limits.first_message))

    def take_early(self) -> None:
        """What came before ``begin``."""
        if self._early:
            early, self._early = self._early, b""
            self.data_received(early)

    def close(self, reason: str = "") -> None:
        """End it when what was written is sent, at the latest after the time that an opening may take."""
        if not self.is_closing:
            self.is_closing = True
            self._reason = reason
            self._drop_waiting()
            self._expect(self._loop.time() + self._user.limits.opening)
            if self.transport is not None:
                self.transport.close()

    def abort(self, reason: str = "") -> None:
        """End it at once."""
        self._reason = self._reason or reason
        self.is_closing = True
        self._drop_waiting()
        self.deadline = math.inf
        if self._raw is not None:
            self._raw.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(self._reason or reason_of(exc))

    def fail(self, reason: str) -> None:
        """It is gone, or never came to be: tell, once."""
        self.is_closing = True
        self.deadline = math.inf
        self._drop_waiting()
        if not self._over:
            self._over = True
            words = f"{self.peer}: {reason}"
            self._user.lost(self, TransportError(words) if self.flow is None else FlowClosed(words))

    @property
    def peer(self) -> str:
        """The address of the peer as text, where it is known."""
        if self.flow is not None:
            return authority(self.flow.remote)
        return authority(self.target.address) if self.target is not None else "a peer"

    # -- time ----------------------------------------------------------------------------------------------

    def _expect(self, deadline: float) -> None:
        self.deadline = deadline
        self._user.watch(deadline)

    def expire(self, now: float) -> None:
        """The deadline has passed."""
        limits = self._user.limits
        if self.is_closing:
            self.abort()
        elif now >= self._message_began + limits.message:
            self.close(f"the peer sent no whole message within {limits.message:g} s")
        elif not self._heard and self.target is None:
            self.close(f"the peer sent nothing within {limits.first_message:g} s")
        else:
            self.close(f"nothing was sent or received for {limits.idle:g} s")

    def _touch(self) -> None:
        """Something was sent or received."""
        limits, now = self._user.limits, self._loop.time()
        if self._parser.is_within:
            if self._message_began == math.inf:
                self._message_began = now
            slow = self._message_began + limits.message
            self._expect(slow if self._heard or self.target is not None else min(slow, self.deadline))
        else:
            self._message_began = math.inf
            if self._heard or self.target is not None:
                self._expect(now + limits.idle)

    # -- sending -------------------------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Never raises. A peer that does not read ends the connection."""
        transport = self.transport
        assert transport is not None
        transport.write(data)
        if not self._parser.is_within and (self._heard or self.target is not None):
            self.deadline = self._loop.time() + self._user.limits.idle
        if self._is_choked and transport.get_write_buffer_size() > self._user.limits.unsent:
            size = transport.get_write_buffer_size()
            self.abort(f"the peer does not read what we send: {size} octets wait")

    def pause_writing(self) -> None:
        """The peer reads slower than we answer: it is heard when it has read."""
        self._is_choked = True
        self._hear_no_more()

    def resume_writing(self) -> None:
        self._is_choked = False
        if not self._waiting:
            self._hear()
        elif self._serving is None and not self.is_closing:
            self._serving = self._loop.call_soon(self._serve)

    def _hear_no_more(self) -> None:
        if not self._is_deaf and self.transport is not None and not self.transport.is_closing():
            self._is_deaf = True
            self.transport.pause_reading()

    def _hear(self) -> None:
        if self._is_deaf and self.transport is not None and not self.transport.is_closing():
            self._is_deaf = False
            self.transport.resume_reading()

    # -- receiving -----------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self.is_closing:
            return
        if self.flow is None:
            self._early += data
            if len(self._early) > EARLY:
                self.abort("too much came in the handshake")
            return
        came = len(self._waiting)
        with contextlib.suppress(MalformedMessage):  # the parser keeps it: what came before is served first
            self._waiting.extend(self._parser.feed(data))
        self._heard = self._heard or len(self._waiting) > came
        self._touch()
        if not came:
            self._serve()

    def _serve(self) -> None:
        """Hand out what came, for a turn; then the others."""
        self._serving = None
        waiting, clock = self._waiting, self._loop.time
        until = clock() + TURN
        while waiting and not self.is_closing and not self._is_choked:
            self._take(waiting.popleft())
            if waiting and clock() >= until:
                self._hear_no_more()
                self._serving = self._loop.call_soon(self._serve)
                return
        if self.is_closing or waiting:
            return
        if self._parser.error is not None:
            self._break(self._parser.error)
        elif not self._is_choked:
            self._hear()

    def _take(self, item: bytes | Ping | Pong) -> None:
        assert self.flow is not None
        if isinstance(item, bytes):
            self._user.received(self.flow, item)
        else:  # a ping may be two pongs that followed one another
            if isinstance(item, Ping):
                self.send(b"\r\n")
            self._user.ponged(self.flow)

    def _break(self, error: MalformedMessage) -> None:
        """Where the next message begins is not known."""
        refusal = self._user.refusal(error)
        if refusal:
            self.send(refusal)
        self.close(f"the peer sent what is no SIP: {error}")

    def _drop_waiting(self) -> None:
        self._waiting.clear()
        self._early = b""
        if self._serving is not None:
            self._serving.cancel()
            self._serving = None
