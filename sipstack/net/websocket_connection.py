"""One WebSocket connection that carries SIP (RFC 7118), over a transport of asyncio.

Frames and handshakes are those of the package ``websockets``, without its tasks and queues: thousands of idle
connections cost no more than their sockets and a few objects. Nothing is compressed: that would
keep two windows in memory for each of them.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import Protocol, cast

from websockets.client import ClientProtocol
from websockets.exceptions import PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from sipstack.core.outputs import Flow, Target, Transport, uri_host
from sipstack.errors import FlowClosed, TransportError, printable
from sipstack.log import TRANSPORT
from sipstack.net.network import EndpointUser
from sipstack.net.settings import Settings
from sipstack.net.stream_limits import StreamLimits
from sipstack.net.websocket_handshake import LONGEST, SIP, as_client, as_server, in_words

HANDSHAKE = 32768
"""Octets that a client may send before the connection is open: browsers send their cookies along."""
PING = 30.0
"""Seconds of a peer's silence until it is asked with a ping; intermediaries drop what is silent for 60 s."""
PONG = 10.0
"""Seconds that it has for anything in reply (RFC 5626 §4.4.1)."""
CLOSING = 2.0
"""Seconds for the end of the closing handshake."""
TURN = 0.005
"""Seconds of one turn of the loop: other connections want to live too."""
SLICE = 2048
"""Octets between two looks at the clock: some hundred of the smallest frames."""


class Keeper(Protocol):
    """The endpoint, as a connection sees it."""

    user: EndpointUser
    settings: Settings
    limits: StreamLimits
    loop: asyncio.AbstractEventLoop
    transport: Transport

    def enter(self, connection: Connection, source: str | None) -> int: ...

    def leave(self, number: int, source: str | None) -> None: ...

    def flow(self, transport: asyncio.BaseTransport, number: int) -> Flow: ...

    def start_tls(
        self, connection: Connection, transport: asyncio.Transport, target: Target | None
    ) -> None: ...


class Connection(asyncio.Protocol):
    """``target`` is why we open it, None where a peer did. Raises TransportError for a target that no request
    of HTTP can name.
    """

    __slots__ = (
        "_armed",
        "_begun",
        "_flow",
        "_heard",
        "_is_ended",
        "_is_paused",
        "_keeper",
        "_message",
        "_number",
        "_overdue",
        "_pending",
        "_pinged",
        "_protocol",
        "_raw",
        "_reason",
        "_sent",
        "_serving",
        "_source",
        "_taken",
        "_target",
        "_timer",
        "_transport",
        "_until",
    )

    def __init__(self, keeper: Keeper, target: Target | None) -> None:
        self._keeper = keeper
        self._target = target
        self._protocol = as_server(keeper.settings.origins) if target is None else as_client(target)
        self._flow: Flow | None = None
        self._number = 0
        self._source: str | None = None
        self._raw: asyncio.Transport | None = None
        self._transport: asyncio.Transport | None = None
        """What carries the octets: the raw one, or TLS on it once that is there."""
        self._reason = ""
        """Why we have ended it."""
        self._is_ended = False
        # what has come and is not served yet
        self._pending = b""
        self._serving: asyncio.Handle | None = None
        self._is_paused = False
        self._taken = 0
        self._message: tuple[bool, bytearray] | None = None
        """Whether the message that comes in fragments is text, and what has come of it."""
        # times
        self._timer: asyncio.TimerHandle | None = None
        self._armed = math.inf
        self._until, self._overdue = math.inf, ""
        self._begun = self._pinged = math.inf
        self._heard = self._sent = keeper.loop.time()

    # -- from the endpoint ---------------------------------------------------------------------------------

    def begin(self, transport: asyncio.Transport) -> None:
        """Octets may go: TLS is there, or not wanted."""
        if self._is_ended or self._reason:
            transport.abort()
            return
        self._transport = transport
        protocol = self._protocol
        if isinstance(protocol, ClientProtocol):
            protocol.send_request(protocol.connect())
            self._flush()
        self._serve()

    def send(self, data: bytes) -> None:
        """One message. When the connection is about to end, ``failed`` is on its way."""
        if self._reason or self._protocol.state is not OPEN:
            return
        try:
            data.decode()
        except UnicodeDecodeError:
            self._protocol.send_binary(data)
        else:
            self._protocol.send_text(data)
        self._sent = self._keeper.loop.time()
        self._flush()

    def close(self) -> None:
        """Take leave; what comes from now on is not wanted."""
        if self._reason:
            return
        self._reason = "we have closed the connection"
        if self._protocol.state is OPEN:
            self._protocol.send_close(1000)
            self._flush()
            self._watch(CLOSING, "the close was not answered")
        else:
            self._abort(self._reason)

    def leave(self) -> None:
        """The endpoint closes: what was written goes out, and there is nobody to tell."""
        self._is_ended = True
        self._cancel()
        if self._protocol.state is OPEN:
            self._protocol.send_close(1001)
            self._flush()
        self._reason = ""  # ``close`` ends it at once from here on
        if self._transport is not None:
            self._transport.close()
        else:
            self._abort("")
            self._keeper.leave(self._number, self._source)

    # -- from the transport --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # that of uvloop is one in all but name
        self._raw = transport
        peer = transport.get_extra_info("peername")
        if self._target is None:
            self._source = peer[0] if peer else ""
        self._number = self._keeper.enter(self, self._source)
        if not self._number:
            self._is_ended = True
            transport.abort()
            return
        self._watch(self._keeper.limits.opening, "the handshake took too long")
        if self._keeper.transport.secure:
            self._keeper.start_tls(self, transport, self._target)
        else:
            self.begin(transport)

    def data_received(self, data: bytes) -> None:
        if self._is_ended:
            return
        self._pending = self._pending + data if self._pending else bytes(data)
        if self._transport is not None and self._serving is None:
            self._serve()

    def eof_received(self) -> None:
        if self._transport is not None and not self._is_ended:
            self._serve(math.inf)
            self._protocol.receive_eof()
            self._take_all()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None and not self._is_ended:
            self._serve(math.inf)
        self.end(self._why_lost(exc))

    def end(self, reason: str) -> None:
        """The connection is gone, or never was."""
        self._keeper.leave(self._number, self._source)
        if self._is_ended:
            return
        self._is_ended = True
        self._cancel()
        if self._raw is not None:
            self._raw.abort()
        self._tell(self._reason or reason)

    def _cancel(self) -> None:
        for handle in (self._timer, self._serving):
            if handle is not None:
                handle.cancel()
        self._timer = self._serving = None

    def _tell(self, reason: str) -> None:
        user, flow, target = self._keeper.user, self._flow, self._target
        if flow is not None:
            where = f"{uri_host(flow.remote[0])}:{flow.remote[1]}"
            user.failed(flow, FlowClosed(f"{where}: {reason}"))
        elif target is not None:
            user.refused(target, TransportError(f"{_authority(target)}: {reason}"))
        else:
            TRANSPORT.debug("a connection from %s came to nothing: %s", self._source, reason)

    # -- octets and frames ---------------------------------------------------------------------------------

    def _serve(self, seconds: float = TURN) -> None:
        """Take what has come, for so long; the rest waits for the next turn, and the peer with it."""
        self._serving = None
        data, at = self._pending, 0
        until = time.perf_counter() + seconds
        while at < len(data) and self._transport is not None:
            self._feed(data[at : at + SLICE])
            at += SLICE
            if time.perf_counter() >= until:
                break
        transport = self._transport
        if transport is None or self._is_ended:
            self._pending = b""
            return
        self._pending = data[at:]
        if self._pending:
            self._serving = self._keeper.loop.call_soon(self._serve)
        if self._is_paused != bool(self._pending) and not transport.is_closing():
            self._is_paused = not self._is_paused
            (transport.pause_reading if self._is_paused else transport.resume_reading)()

    def _feed(self, data: bytes) -> None:
        self._heard = self._keeper.loop.time()
        self._pinged = math.inf
        protocol = self._protocol
        if self._flow is None and self._target is None:
            self._taken += len(data)
            if self._taken > HANDSHAKE:
                self._abort("its handshake is too long")
                return
        protocol.receive_data(data)
        self._take_all()
        if self._message is None and not protocol.reader.buffer:
            self._begun = math.inf
        elif self._begun == math.inf:
            self._begun = self._heard
            self._arm(self._begun + self._keeper.limits.message)

    def _take_all(self) -> None:
        """Answer what the protocol answers, and take its events."""
        protocol = self._protocol
        self._flush()
        for event in protocol.events_received():
            if self._reason:
                return
            if isinstance(event, Frame):
                self._take(event)
            elif isinstance(event, Request):
                self._answer(event)
            elif isinstance(event, Response):
                self._answered(event)
        if self._flow is None and protocol.handshake_exc is not None:
            self._give_up(in_words(protocol.handshake_exc, self._target))
        elif protocol.close_expected() and self._until == math.inf:
            self._watch(CLOSING, "the connection was not closed in time")

    def _take(self, frame: Frame) -> None:
        user, flow = self._keeper.user, self._flow
        if flow is None:
            return
        opcode = frame.opcode
        if opcode is Opcode.PONG:
            user.ponged(flow)
        elif opcode is Opcode.CONT and self._message is not None:
            is_text, message = self._message
            message += frame.data
            if frame.fin:
                self._message = None
                self._deliver(flow, is_text, bytes(message))
        elif opcode in (Opcode.TEXT, Opcode.BINARY):
            is_text = opcode is Opcode.TEXT
            if frame.fin:
                self._deliver(flow, is_text, bytes(frame.data))
            else:
                self._message = is_text, bytearray(frame.data)

    def _deliver(self, flow: Flow, is_text: bool, data: bytes) -> None:
        """One whole message: SIP, or a keep-alive (RFC 5626 §3.5.1, RFC 7118 §6)."""
        self._begun = math.inf
        if is_text and not _is_utf8(data):
            self._protocol.fail(1007, "text that is no UTF-8")  # RFC 6455 §8.1
            self._flush()
            self._reason = "text that is no UTF-8"
            self._watch(CLOSING, self._reason)
        elif data == b"\r\n\r\n":
            self.send(b"\r\n")
        elif data == b"\r\n":
            self._keeper.user.ponged(flow)
        elif data:
            self._until = math.inf
            self._keeper.user.received(flow, data)

    def _flush(self) -> None:
        transport = self._transport
        writes = self._protocol.data_to_send()
        if transport is None or not writes or transport.is_closing():
            return
        data = writes[0] if len(writes) == 1 else b"".join(writes)
        if data:
            transport.write(data)
        if not writes[-1]:  # as the package says that nothing follows
            transport.close()
        waiting = transport.get_write_buffer_size()
        if waiting > self._keeper.limits.unsent:
            self._abort(f"the peer does not read: {waiting} octets wait for it")

    # -- handshake -----------------------------------------------------------------------------------------

    def _answer(self, request: Request) -> None:
        protocol = self._protocol
        assert isinstance(protocol, ServerProtocol)
        protocol.send_response(protocol.accept(request))
        self._flush()
        if protocol.state is OPEN and not self._reason:
            self._until = math.inf
            self._watch(self._keeper.limits.first_message, "no message came")
            self._is_there()

    def _answered(self, response: Response) -> None:
        if self._protocol.handshake_exc is None:
            if self._protocol.subprotocol != SIP:
                self._give_up("does not speak the subprotocol 'sip' (RFC 7118)")
                return
            self._until = math.inf
            self._is_there()

    def _is_there(self) -> None:
        assert self._transport is not None
        try:
            flow = self._keeper.flow(self._transport, self._number)
        except TransportError as error:
            self._abort(str(error))
            return
        self._flow = flow
        if self._target is None:
            self._keeper.user.accepted(flow)
        else:
            self._keeper.user.opened(self._target, flow)
        self._arm(self._heard + min(PING, self._keeper.limits.idle))

    def _give_up(self, reason: str) -> None:
        """The handshake came to nothing: a client goes at once, a server when its answer is sent."""
        if self._target is not None:
            self._abort(reason)
        elif not self._reason:
            self._reason = reason

    # -- times ---------------------------------------------------------------------------------------------

    def _watch(self, seconds: float, overdue: str) -> None:
        """What must happen within so many seconds, and what it means when it does not."""
        self._until, self._overdue = self._keeper.loop.time() + seconds, overdue
        self._arm(self._until)

    def _arm(self, at: float) -> None:
        if at < self._armed and not self._is_ended:
            if self._timer is not None:
                self._timer.cancel()
            self._armed = at
            self._timer = self._keeper.loop.call_at(at, self._look)

    def _look(self) -> None:
        """The clock has reached what was armed: most of the time a good deal has happened since."""
        self._timer, now = None, max(self._armed, self._keeper.loop.time())
        self._armed = math.inf
        limits = self._keeper.limits
        if now >= self._until:
            self._abort(self._overdue)
        elif now >= self._begun + limits.message:
            self._abort(f"a message took longer than {limits.message:g} s")
        elif now >= self._pinged + PONG:
            self._abort(f"the peer has not answered a ping for {PONG:g} s")
        elif self._flow is not None and now >= max(self._heard, self._sent) + limits.idle:
            self._reason = f"nothing was said for {limits.idle:g} s"
            self._protocol.send_close(1000)
            self._flush()
            self._watch(CLOSING, self._reason)
        else:
            self._ask(now)

    def _ask(self, now: float) -> None:
        """Ping a peer that is silent, and arm the clock again."""
        limits, at = self._keeper.limits, min(self._until, self._begun + self._keeper.limits.message)
        if self._flow is not None and self._protocol.state is OPEN:
            if self._pinged == math.inf and now >= self._heard + PING:
                self._pinged = now
                self._protocol.send_ping(b"")
                self._flush()
            ping = self._heard + PING if self._pinged == math.inf else self._pinged + PONG
            at = min(at, ping, max(self._heard, self._sent) + limits.idle)
        if at < math.inf:
            self._arm(at)

    def _abort(self, reason: str) -> None:
        """End it at once; ``connection_lost`` follows. Nothing is taken or written from here on."""
        self._reason = self._reason or reason
        transport, self._transport, self._pending = self._transport or self._raw, None, b""
        if transport is not None:
            transport.abort()

    def _why_lost(self, exc: Exception | None) -> str:
        protocol = self._protocol
        if isinstance(protocol.parser_exc, PayloadTooBig):
            return f"a message is longer than {LONGEST} octets"
        if protocol.parser_exc is not None and not isinstance(protocol.parser_exc, EOFError):
            return f"it breaks the rules of WebSocket: {printable(str(protocol.parser_exc))}"
        if protocol.close_rcvd is not None:
            return f"the peer has closed the connection ({printable(str(protocol.close_rcvd))})"
        if isinstance(exc, OSError) and exc.strerror:
            return exc.strerror
        return "the connection is closed"


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _authority(target: Target) -> str:
    return f"{uri_host(target.domain or target.address[0])}:{target.address[1]}"
