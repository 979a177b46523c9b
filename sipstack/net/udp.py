"""UDP, owned by us: a reader that drains the socket, and ICMP errors turned into transport errors.

asyncio's datagram transport costs 85 µs a call more: it makes a callback for each datagram and keeps a write
buffer. UDP has its own: what the kernel does not take is lost, and the transaction repeats it.

A turn of the loop serves so many datagrams and so long, so that media, timers and tasks have their turn. What
arrives beyond that is read all the same, and waits in a ``FairQueue``: what a flood pushes out is its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import time
from collections.abc import Callable
from typing import Any

from sipstack.core.outputs import Address, Flow, Target, Transport
from sipstack.errors import TransportError
from sipstack.icmp import ask_for_errors, take_errors
from sipstack.log import TRANSPORT
from sipstack.net.fair_queue import FairQueue
from sipstack.net.mapped_address import MappedAddress
from sipstack.net.own_address import WILDCARDS
from sipstack.readers import Reader, ReceiveFrom
from sipstack.stun import is_stun

RECEIVE_BUFFER = 4 * 1024 * 1024  # a burst of some 4,000 requests while the process is busy
MAXIMUM_DATAGRAM = 65535
FULL = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS, errno.ENOMEM)  # what is sent then is lost
BATCH = 128  # datagrams for one turn of the loop: others want to live too
TURN = 0.005  # seconds of one turn
READ_AHEAD = 512  # datagrams that are read in one turn without being served
SIP_BEGINS = b"\x04"  # and anything above: STUN begins with two bits of zero, with 0 or 1 in fact
MAXIMUM_LEARNED = 256  # registrars
MAXIMUM_PEERS = 65536  # flows remembered; a flood from many addresses starts over


class UdpEndpoint:
    """One UDP socket. Raises TransportError when it cannot be bound.

    ``advertise`` is the host that peers are told in place of the one that is bound. What is longer than
    ``maximum_datagram`` octets is dropped, with nothing read. ``bound`` is a socket that is there already.
    """

    __slots__ = (
        "_advertise",
        "_advertised_port",
        "_learned",
        "_mapped",
        "_clock",
        "_closed",
        "_failed",
        "_flows",
        "_loop",
        "_lost",
        "_maximum_datagram",
        "_maximum_peers",
        "_queue",
        "_reader",
        "_receive",
        "_serving",
        "_socket",
        "follows",
        "learns",
        "local",
        "oversized",
    )

    transport = Transport("UDP")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        address: Address,
        receive: Callable[[Flow, bytes], None],
        failed: Callable[[Flow, TransportError], None],
        *,
        advertise: str = "",
        learns: bool = False,
        maximum_peers: int = MAXIMUM_PEERS,
        maximum_datagram: int = MAXIMUM_DATAGRAM,
        clock: Callable[[], float] = time.perf_counter,
        bound: socket.socket | None = None,
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._closed = False
        self._queue = FairQueue(clock)
        self._serving: asyncio.Handle | None = None
        self._maximum_datagram = maximum_datagram
        self.oversized = 0
        """Datagrams that were longer than allowed."""
        self._advertise = advertise
        self._advertised_port = 0  # 0: as bound
        self._learned: dict[Address, Address] = {}  # by the peer that sees us there
        self._mapped: MappedAddress | None = None
        self.learns = learns
        """Whether the answers of a registrar may tell what to advertise to it."""
        self._maximum_peers = maximum_peers
        self._receive = receive
        self._failed = failed
        self._lost = 0
        self._flows: dict[tuple[object, ...], Flow] = {}
        self._socket = bound or open_socket(address)
        name = self._socket.getsockname()
        self.local: Address = (name[0], name[1])
        self.follows = name[0] in WILDCARDS
        self._reader = Reader(self._socket, MAXIMUM_DATAGRAM, self._readable)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._reader.close()
            self._queue.clear()
            if self._mapped is not None:
                self._mapped.close()
            if self.dropped or self.oversized:
                TRANSPORT.warning(
                    "%s: %s datagrams were more than could be served, %s too long",
                    self.local,
                    self.dropped,
                    self.oversized,
                )
            if self._serving is not None:
                self._serving.cancel()

    async def wait_closed(self) -> None:
        """Nothing: the system has everything that was sent."""

    @property
    def dropped(self) -> int:
        """Datagrams that were lost because their sources sent more than could be served."""
        return self._queue.dropped

    # -- the address that peers are told -------------------------------------------------------------------

    def advertise(self, address: Address) -> None:
        """From now on peers are told this one; new flows name it."""
        self._advertise, self._advertised_port = address
        self._flows.clear()

    def advertise_to(self, remote: Address, address: Address) -> None:
        """From now on the peer at ``remote`` is told this one, at which it sees us."""
        if len(self._learned) >= MAXIMUM_LEARNED:
            del self._learned[next(iter(self._learned))]
        self._learned[remote] = address
        self._flows.clear()

    def stranded(self, flow: Flow) -> bool:
        """See ``own_address.Following``."""
        try:
            return self.follows and source_address(flow.remote) != flow.local[0]
        except TransportError:
            return False

    def network_changed(self) -> None:
        """What others saw us at was in the network before this one: they are asked again."""
        self._flows.clear()
        self._learned.clear()
        if self._mapped is not None:
            self._advertise, self._advertised_port = "", 0
            self._mapped.ask_anew()

    def ask(self, server: Address, told: Callable[[Address], None]) -> MappedAddress:
        """Ask this STUN server how it sees us, now and as long as the endpoint is open; ``told`` hears what
        is news.
        """
        self._mapped = MappedAddress(self._loop, server, self._send_stun, told)
        self._mapped.ask()
        return self._mapped

    def _send_stun(self, data: bytes, server: Address) -> None:
        with contextlib.suppress(OSError):  # it is repeated
            self._socket.sendto(data, server)

    def _take_stun(self, data: bytes, address: tuple[Any, ...]) -> bool:
        """Whether the datagram is one of STUN, which is dealt with here."""
        if self._mapped is None or not is_stun(data):
            return False
        self._mapped.received(data, (address[0].partition("%")[0], address[1]))
        return True

    # -- sending -------------------------------------------------------------------------------------------

    def send(self, flow: Flow, data: bytes) -> None:
        """Hand one datagram to the kernel. An error reaches ``failed`` in the loop's next turn."""
        try:
            self._socket.sendto(data, flow.remote)
        except OSError as error:
            if type(error) is BlockingIOError or error.errno in FULL:
                self._lose()
            else:
                self._send_again(flow, data)

    def _send_again(self, flow: Flow, data: bytes) -> None:
        # an ICMP error for an earlier datagram surfaces at the next call: take it off, then try once more
        if self._closed:
            return
        self._drain_errors()
        try:
            self._socket.sendto(data, flow.remote)
        except OSError as again:
            if again.errno in FULL:
                self._lose()
                return
            if again.errno == errno.EMSGSIZE and data.startswith(b"SIP/2.0 "):
                # the peer made us echo too much: no reason to fail requests of ours on this flow
                TRANSPORT.info("%s octets are too many to answer %s", len(data), flow.remote)
                return
            failure = TransportError(f"{flow.remote[0]}:{flow.remote[1]}: {os.strerror(again.errno or 0)}")
            self._loop.call_soon(self._failed, flow, failure)

    def _lose(self) -> None:
        """A buffer or queue is full: the datagram is lost, as on any congested link. A flood of them is told
        at 1, 2, 4, 8 ... datagrams.
        """
        self._lost += 1
        if self._lost & (self._lost - 1) == 0:
            TRANSPORT.warning("%s cannot send as fast: %s datagrams are lost so far", self.local, self._lost)

    # -- receiving -----------------------------------------------------------------------------------------

    def _readable(self, receive_from: ReceiveFrom) -> None:
        clock = self._clock
        until = clock() + TURN
        if self._queue:  # what waits is served in order, by ``_serve``
            self._read(receive_from, self._queue.put, READ_AHEAD, until)
        elif self._read(receive_from, self._receive, BATCH, until) and clock() >= until:
            self._read(receive_from, self._queue.put, READ_AHEAD, until + TURN)
            self._serve_later()

    def _read(
        self, receive_from: ReceiveFrom, take: Callable[[Flow, bytes], None], most: int, until: float
    ) -> bool:
        """Hand so many datagrams at most to ``take``, until the clock says ``until``. Returns whether there
        may be more.
        """
        flows, clock, longest = self._flows, self._clock, self._maximum_datagram
        for taken in range(most):
            try:
                data, address = receive_from(MAXIMUM_DATAGRAM)
            except BlockingIOError:
                if not taken:  # woken for nothing but an error: left in its queue, it would wake us for ever
                    self._drain_errors()
                return False
            except OSError:
                self._drain_errors()
                continue
            if len(data) > longest:
                self.oversized += 1
                continue
            if data < SIP_BEGINS and self._take_stun(data, address):
                continue
            flow = flows.get(address)
            if flow is None:
                try:
                    flow = self._remember(address)
                except TransportError as error:
                    TRANSPORT.debug("a datagram is dropped: %s", error)  # no way back to its sender
                    continue
            take(flow, data)
            if self._closed:
                return False
            if clock() >= until:
                return True
        return True

    def _serve_later(self) -> None:
        if self._queue and self._serving is None and not self._closed:
            self._serving = self._loop.call_soon(self._serve)

    def _serve(self) -> None:
        self._serving = None
        try:
            self._queue.serve(self._receive, self._clock() + TURN)
        finally:
            self._serve_later()

    def _remember(self, address: tuple[str, int]) -> Flow:
        if len(self._flows) >= self._maximum_peers:
            TRANSPORT.info("%s starts over with the flows of its peers", self.local)
            self._flows.clear()
        flow = self._flows[address] = self.flow_to((address[0].partition("%")[0], address[1]))
        return flow

    def open(self, target: Target) -> Flow:
        """The flow to ``target``. Raises TransportError."""
        return self.flow_to(target.address)

    def close_flow(self, flow: Flow) -> None:
        """Nothing: there is no connection."""

    def flow_to(self, remote: Address) -> Flow:
        """The flow to ``remote``. Raises TransportError when there is no way from here."""
        if (":" in remote[0]) != (self._socket.family == socket.AF_INET6):
            raise TransportError(
                f"{remote[0]} cannot be reached from {self.local[0]}: not the same IP version"
            )
        host, port = self.local
        if self.follows:
            host = source_address(remote)
        advertised = self._advertise or host, self._advertised_port or port
        if self._learned:
            advertised = self._learned.get(remote, advertised)
        return Flow("UDP", (host, port), remote, advertised=advertised, endpoint=self)

    # -- errors --------------------------------------------------------------------------------------------

    def _drain_errors(self) -> None:
        for number, address in take_errors(self._socket, BATCH):
            self._report(number, address)

    def _report(self, number: int, address: tuple[Any, ...]) -> None:
        if number in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN):
            with contextlib.suppress(TransportError):
                flow = self.flow_to((address[0].partition("%")[0], address[1]))
                error = TransportError(f"{address[0]}:{address[1]}: {os.strerror(number)}")
                self._loop.call_soon(self._failed, flow, error)


def open_socket(address: Address, *, shared: bool = False) -> socket.socket:
    """A bound, non-blocking UDP socket that reports ICMP errors where the system can. ``shared``: with others
    of this user that are shared as well.
    """
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    try:
        return _bound(address, shared)
    except OSError as error:
        raise TransportError(f"cannot listen on udp:{host}:{address[1]}: {error.strerror}") from error


def _bound(address: Address, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        if shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, RECEIVE_BUFFER)
        if family == socket.AF_INET6:
            with contextlib.suppress(OSError):
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        ask_for_errors(opened)  # without them silence is found by Timer B and F
        opened.bind(address)
    except OSError:
        opened.close()
        raise
    return opened


def source_address(remote: Address) -> str:
    """Our address on the way to ``remote``, by asking the routing table; nothing is sent."""
    family = socket.AF_INET6 if ":" in remote[0] else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((remote[0], remote[1] or 5060))
            return str(probe.getsockname()[0])
    except OSError as error:
        raise TransportError(f"no way to {remote[0]}: {error.strerror}") from error
