"""One end of a simulated TCP connection, as an asyncio transport."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sipstack.testing.network import Departure, authority
from sipstack.testing.pipe import Kind, Pipe, Segment
from sipstack.transaction.flow import Address

if TYPE_CHECKING:
    from sipstack.testing.streams import SimulatedStreams


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
