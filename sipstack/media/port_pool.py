"""Pairs of RTP ports for one call after another: an open port costs a new call nearly nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial

import attrs

from sipstack.errors import TransportError
from sipstack.media.peer_address import Address
from sipstack.media.transport import UdpTransport, Uniform, bind_pair, close_both
from sipstack.media.udp_port import EXPEDITED, UdpPort

KEPT = 1024
"""Pairs that may be open while some of them wait for a call: enough for a thousand short calls a second."""
QUIET = 0.25
"""Seconds without a packet before a pair is used again: the last packets of a call come within a round trip
of its BYE."""
STRAGGLERS = 50
"""Packets, a second of audio, after which a pair is given up: its last peer does not stop."""

Key = tuple[str, tuple[int, int]]


@attrs.define(eq=False)
class IdlePair:
    """A pair that waits for a call, and drops what comes."""

    ports: tuple[UdpPort, UdpPort]
    heard_at: float
    """When something came last, or the call ended."""
    stragglers: int = 0
    is_broken: bool = False

    def __attrs_post_init__(self) -> None:
        for port in self.ports:
            port.use(self._drop, ignore, self._fail)

    def _drop(self, data: bytes, source: Address, now: float) -> None:
        self.heard_at = now
        self.stragglers += 1
        if self.stragglers == STRAGGLERS:
            self._give_up()

    def _fail(self, error: TransportError) -> None:
        self._give_up()

    def _give_up(self) -> None:
        self.is_broken = True
        close_both(*self.ports)


def ignore(error: OSError) -> None:
    """Of a packet of the last call."""


class PortPool:
    """Opens RTP ports like ``UdpTransport.bind``, and keeps those of ended calls for the next ones.

        ports = PortPool()
        ua = UserAgent(..., media=lambda host: AudioSession(host, bind=ports.bind))

    For one event loop; ``close`` frees what is kept. At most ``kept`` pairs are open while one is idle, so
    nothing is kept when there are many calls. ``dscp`` is how routers are asked to treat our packets.
    """

    def __init__(self, kept: int = KEPT, *, dscp: int = EXPEDITED) -> None:
        self._kept = kept
        self._dscp = dscp
        self._open = 0
        self._idle: dict[Key, deque[IdlePair]] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"<PortPool {self._open} pairs open, {self.idle} of them idle>"

    @property
    def idle(self) -> int:
        """Pairs that wait for a call."""
        return sum(map(len, self._idle.values()))

    def bind(self, host: str, ports: tuple[int, int], uniform: Uniform) -> UdpTransport:
        """A pair that has been quiet, else a new one. Raises TransportError as ``UdpTransport.bind`` does."""
        if ports[0] and ports[1] - ports[0] < 2:  # that one pair, which no other call asks for
            return UdpTransport.bind(host, ports, uniform, dscp=self._dscp)
        key = host, ports
        idle = self._idle.get(key) or self._idle.setdefault(key, deque())
        pair = self._quiet(idle)
        if pair is None:
            pair = self._new(key, uniform, idle)
        return UdpTransport(*pair, partial(self._release, key))

    def close(self) -> None:
        """Free what is kept. What is in use is freed when its call is over."""
        self._closed = True
        for key in tuple(self._idle):
            self._free(key)

    def _quiet(self, idle: deque[IdlePair]) -> tuple[UdpPort, UdpPort] | None:
        """The one that waits longest, if that is long enough."""
        now = asyncio.get_running_loop().time()
        while idle:
            pair = idle[0]
            if pair.is_broken:
                idle.popleft()
                self._open -= 1
            elif now - pair.heard_at < QUIET:
                break
            else:
                return idle.popleft().ports
        return None

    def _new(self, key: Key, uniform: Uniform, idle: deque[IdlePair]) -> tuple[UdpPort, UdpPort]:
        try:
            pair = bind_pair(*key, uniform, self._dscp)
        except TransportError:
            for other in [each for each in self._idle if each != key]:
                self._free(other)
            if idle and not idle[0].is_broken:  # better one that is not quiet than none
                return idle.popleft().ports
            pair = bind_pair(*key, uniform, self._dscp)
        self._open += 1
        return pair

    def _release(self, key: Key, rtp: UdpPort, rtcp: UdpPort) -> None:
        if self._closed or self._open > self._kept or not (rtp.is_read and rtcp.is_read):
            self._open -= 1
            close_both(rtp, rtcp)
            return
        self._idle.setdefault(key, deque()).append(IdlePair((rtp, rtcp), asyncio.get_running_loop().time()))

    def _free(self, key: Key) -> None:
        for pair in self._idle.pop(key):
            self._open -= 1
            if not pair.is_broken:
                close_both(*pair.ports)
