"""TCP connections on a simulated network: reliable, in order, and cut into pieces wherever the test likes.

A stream is an asyncio transport, and what reads it an asyncio protocol, so code for real connections runs on
it unchanged. It needs no event loop, only a clock: the running loop, unless another is given.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from sipstack.testing.clock import Clock
from sipstack.testing.network import Delivery, Departure, Network, authority
from sipstack.testing.pipe import Kind, Pipe, Segment
from sipstack.transaction.flow import Address

FIRST_PORT = 49152
LAST_PORT = 65535

Cut = Callable[[bytes, random.Random], Iterable[bytes]]
"""Makes the segments of what was written at once."""


def uncut(data: bytes, draw: random.Random) -> Iterable[bytes]:
    """One segment for what was written at once."""
    return [data]


def octet_by_octet(data: bytes, draw: random.Random) -> Iterable[bytes]:
    """A segment for each octet."""
    return [data[place : place + 1] for place in range(len(data))]


def anywhere(data: bytes, draw: random.Random) -> Iterable[bytes]:
    """Up to four segments, cut where the seed says."""
    places = sorted(draw.randrange(1, len(data)) for _ in range(draw.randrange(4))) if len(data) > 1 else []
    ends = zip([0, *places], [*places, len(data)], strict=True)
    return [data[begin:end] for begin, end in ends if begin < end]


class SimulatedStreams:
    """Who listens for connections on ``network``, and the connections that are open.

    ``cut`` decides how what was written is cut into segments, which are received one by one; set it at any
    time. Partitions, and hosts that are down, are silence: segments are sent again until they get through,
    or until the sender gives up with ETIMEDOUT.
    """

    def __init__(
        self, network: Network, *, seed: int = 0, clock: Callable[[], Clock] = asyncio.get_running_loop
    ) -> None:
        self.network = network
        self.clock = clock
        self.cut: Cut = uncut
        self.streams: list[SimulatedStream] = []
        """The ends that are open, or being opened, in the order of their making."""
        self.sources: set[Address] = set()
        """The addresses that connections were opened from, so far."""
        self._draw = random.Random(f"cuts {seed}")
        self._listeners: dict[Address, SimulatedListener] = {}

    @property
    def listening(self) -> list[Address]:
        """Where connections are accepted, in order."""
        return sorted(self._listeners)

    def listen(self, host: str, port: int, accepted: Callable[[], asyncio.Protocol]) -> SimulatedListener:
        """Accept connections; ``accepted`` makes the protocol of each. Port 0 takes a free one.

        Raises OSError: EADDRINUSE, EADDRNOTAVAIL.
        """
        local = (host, port or self._free_port(host))
        if ipaddress.ip_address(host).is_unspecified:
            raise _error(errno.EADDRNOTAVAIL)
        if local in self._listeners:
            raise _error(errno.EADDRINUSE)
        listener = self._listeners[local] = SimulatedListener(self, local, accepted)
        return listener

    def connect(self, source: Address, destination: Address, protocol: asyncio.Protocol) -> SimulatedStream:
        """Open a connection; port 0 of the source is a free one.

        The protocol's ``connection_made`` follows after a round trip, or else ``connection_lost`` alone, with
        ConnectionRefusedError (nobody listens there) or TimeoutError (no word for 127 s). What is written
        before that arrives behind the opening.
        """
        local = (source[0], source[1] or self._free_port(source[0]))
        self.sources.add(local)
        stream = SimulatedStream(self, local, destination, protocol)
        stream.pipe = self._pipe(stream, partial(self._opening, stream))
        stream.pipe.put(Segment(Kind.SYN))
        return stream

    def segments(self, data: bytes) -> Iterable[bytes]:
        """The data as ``cut`` wants it."""
        return self.cut(data, self._draw)

    def stop_listening(self, listener: SimulatedListener) -> None:
        """The listener is closed: its address is free."""
        if self._listeners.get(listener.local) is listener:
            del self._listeners[listener.local]

    def _opening(self, near: SimulatedStream, segment: Segment) -> None:
        """The first segment reached the other host; those behind it go to the end that it made there."""
        if near.peer is not None:
            near.peer.receive(segment)
            return
        listener = self._listeners.get(near.remote)
        if listener is None:
            self.reset(near.remote, near, errno.ECONNREFUSED)
            return
        far = SimulatedStream(self, near.remote, near.local, listener.accepted())
        far.peer, near.peer = near, far
        far.pipe = self._pipe(far, near.receive)
        far.pipe.put(Segment(Kind.SYN))
        far.receive(segment)

    def _pipe(self, stream: SimulatedStream, arrived: Callable[[Segment], None]) -> Pipe:
        gave_up = partial(stream.lost, _error(errno.ETIMEDOUT))
        return Pipe(self.network, self.clock, stream.local, stream.remote, arrived, gave_up)

    def reset(self, source: Address, end: SimulatedStream, code: int = errno.ECONNRESET) -> None:
        """Send a reset to this end. It may get lost, and nobody sends it again (RFC 9293 §3.5.2)."""
        now = self.clock().time()
        passing = Delivery(now, source, end.local, b"")
        transit = self.network.transit(passing)
        if transit is not None:
            arrival = now + transit
            self.clock().call_at(arrival, self._reset_arrives, passing._replace(time=arrival), end, code)

    def _reset_arrives(self, passing: Delivery, end: SimulatedStream, code: int) -> None:
        if self.network.arrives(passing):
            end.lost(_error(code))

    def _free_port(self, host: str) -> int:
        taken = {stream.local for stream in self.streams} | self._listeners.keys()
        for port in range(FIRST_PORT, LAST_PORT + 1):
            if (host, port) not in taken:
                return port
        raise _error(errno.EADDRINUSE)


class SimulatedListener:
    """An open TCP port at ``local``."""

    def __init__(
        self, streams: SimulatedStreams, local: Address, accepted: Callable[[], asyncio.Protocol]
    ) -> None:
        self.local = local
        self.accepted = accepted
        self._streams = streams

    def close(self) -> None:
        """Accept no more; the connections that were accepted stay. May be called again."""
        self._streams.stop_listening(self)


class SimulatedStream(asyncio.Transport):
    """One end of a connection. ``peer`` is the other end, once there is one."""

    pipe: Pipe

    def __init__(
        self, streams: SimulatedStreams, local: Address, remote: Address, protocol: asyncio.Protocol
    ) -> None:
        super().__init__({"sockname": local, "peername": remote})
        self.local = local
        self.remote = remote
        self.peer: SimulatedStream | None = None
        self._streams = streams
        self._protocol = protocol
        self._finished = False  # our FIN is sent
        self._closed = False  # receives no more
        self._over = False  # the protocol has heard the last
        streams.streams.append(self)

    def __repr__(self) -> str:
        state = " closed" if self._closed else ""
        return f"<SimulatedStream {authority(self.local)} to {authority(self.remote)}{state}>"

    # -- the transport -------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Send octets behind those before. Nothing happens once the connection is lost or closed."""
        if self._finished and not self._closed:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._closed or not data:
            return
        octets = bytes(data)
        now = self._streams.clock().time()
        self._streams.network.written(Departure(now, self.local, self.remote, octets))
        for segment in self._streams.segments(octets):
            self.pipe.put(Segment(Kind.DATA, segment))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Say that no more comes from here; the other end may go on."""
        if not self._finished and not self._closed:
            self._finished = True
            self.pipe.put(Segment(Kind.FIN))

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Send what was written, then the end. What still comes from the other end is answered by a reset."""
        if not self._closed:
            self.write_eof()
            self._closed = True
            self._streams.clock().call_soon(self.lost, None)

    def abort(self) -> None:
        """Break the connection: the other end is sent a reset, and nothing else any more."""
        if not self._closed:
            self._closed = True
            self.pipe.stop()
            self._reset_peer()
            self._streams.clock().call_soon(self.lost, None)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    # -- the network ---------------------------------------------------------------------------------------

    def vanish(self) -> None:
        """This end is gone without a word, as when its host loses power: not even its own protocol is told.

        The other end is open still. It learns of this by a reset when it sends something, or by silence while
        the host is down.
        """
        self.pipe.stop()
        self._closed = True
        self._forget()

    def receive(self, segment: Segment) -> None:
        """A segment has come from the other end."""
        if self._closed:
            if segment.kind is not Kind.FIN:
                self._reset_peer()
        elif segment.kind is Kind.SYN:
            self._protocol.connection_made(self)
        elif segment.kind is Kind.DATA:
            self._protocol.data_received(segment.data)
        elif not self._protocol.eof_received():
            self.close()

    def lost(self, error: OSError | None) -> None:
        """The connection is over: tell the protocol, once."""
        if error is not None:
            self._closed = True
            self.pipe.stop()
        if not self._over:
            self._forget()
            self._protocol.connection_lost(error)

    def _forget(self) -> None:
        if not self._over:
            self._over = True
            self._streams.streams.remove(self)

    def _reset_peer(self) -> None:
        if self.peer is not None:
            self._streams.reset(self.local, self.peer)


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))  # ConnectionRefusedError and its like
