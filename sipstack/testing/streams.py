"""TCP connections on a simulated network: reliable, in order, and cut into pieces wherever the test likes.

A stream is an asyncio transport, and what reads it an asyncio protocol, so code for real connections runs on
it unchanged. It needs no event loop, only a clock: the running loop, unless another is given.
"""

from __future__ import annotations

import asyncio
import errno
import random
from collections.abc import Callable, Iterable
from functools import partial

from sipstack.testing.clock import Clock
from sipstack.testing.network import Delivery, Network
from sipstack.testing.pipe import Kind, Pipe, Segment
from sipstack.testing.ports import system_error, taking
from sipstack.testing.stream import SimulatedStream
from sipstack.transaction.flow import Address

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
    """The listeners for connections on ``network``, and the connections that are open.

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
        """The addresses where connections are accepted, in order."""
        return sorted(self._listeners)

    def listen(self, host: str, port: int, accepted: Callable[[], asyncio.Protocol]) -> SimulatedListener:
        """Accept connections; ``accepted`` makes the protocol of each. Port 0 takes a free one.

        Raises OSError: EADDRINUSE, EADDRNOTAVAIL.
        """
        local = taking(host, port, self._listeners)
        listener = self._listeners[local] = SimulatedListener(self, local, accepted)
        return listener

    def connect(self, source: Address, destination: Address, protocol: asyncio.Protocol) -> SimulatedStream:
        """Open a connection; port 0 of the source is a free one.

        The protocol's ``connection_made`` follows after a round trip, or else ``connection_lost`` alone, with
        ConnectionRefusedError (nobody listens there) or TimeoutError (no word for 127 s). What is written
        before that arrives behind the opening.
        """
        local = taking(*source, self._taken())
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

    def _taken(self) -> set[Address]:
        return {stream.local for stream in self.streams} | self._listeners.keys()

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
        gave_up = partial(stream.lost, system_error(errno.ETIMEDOUT))
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
            end.lost(system_error(code))


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
