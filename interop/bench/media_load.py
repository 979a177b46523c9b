"""The load of ``media``: it talks to all calls of another process, and notes when their packets come.

It runs on a core of its own. A packet is built once for all calls; of what comes it keeps the headers, with
the time at which the kernel got them, and looks at them afterwards.
"""

from __future__ import annotations

import gc
import random
import socket
import struct
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import attrs

from interop.bench.media_seat import HOST
from sipstack.media.peer_address import Address
from sipstack.media.transport import SendTo, bind_pair
from sipstack.rtp.packet import HEADER
from sipstack.rtp.sorting import is_rtcp

PERIOD = 0.02
GROUPS = 20
"""The calls are sent to in as many groups, one each millisecond."""
PAIRS = 4
"""Ports to send from and to be sent to."""
BUFFER = 4 << 20
_TIMESTAMPS = 35  # SO_TIMESTAMPNS, which the socket module does not name
_SPACE = socket.CMSG_SPACE(16)
_SECONDS = struct.Struct("@qq")

Arrived = tuple[int, bytes, bytes]
"""The port that it came from, the RTP header, the kernel's time."""

Way = tuple[SendTo, Address]
"""To one call."""


@attrs.frozen
class Traffic:
    """What was seen of one run. Times are seconds; shares are of the packets that were due."""

    p50: float
    """Lateness of the packets that came, half of them and 99 of 100 of them."""
    p99: float
    missing: float
    """Share of the packets that should have come, and did not."""
    own: float
    """How late we were with 99 of 100 packets ourselves."""
    sent: int
    """Packets that we sent in all."""


class Load:
    """``with`` it, there are ports to send to, and ``run`` makes calls."""

    def __init__(self, packets: Callable[[int], bytes], clock_rate: int) -> None:
        self._packets = packets
        self._rate = clock_rate
        self._arrived: list[Arrived] = []
        self._late: list[float] = []
        self._sent = self._number = 0
        self._stack = ExitStack()
        self._sockets: list[socket.socket] = []
        self.ports: list[int] = []
        """Where the calls send to: the first to the first, and so in turn."""

    def __enter__(self) -> Load:
        for _ in range(PAIRS):
            rtp, rtcp = bind_pair(HOST, (0, 0), random.uniform)
            for port in (rtp, rtcp):  # what comes of RTCP is not read
                self._stack.callback(port.close)
            rtp.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            rtp.socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
            self._sockets.append(rtp.socket)
            self.ports.append(rtp.number)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def run(
        self, calls: Sequence[int], warm_up: float, seconds: float, began: Callable[[], object]
    ) -> Traffic:
        """Talk to these ports for ``warm_up`` and ``seconds``. ``began`` is called between the two."""
        to: list[Way] = [(self._sockets[at % PAIRS].sendto, (HOST, port)) for at, port in enumerate(calls)]
        groups = [to[first::GROUPS] for first in range(GROUPS)]
        gc.disable()
        try:
            self._talk(groups, warm_up)
            self._late.clear()
            self._arrived.clear()
            began()
            since = time.time()
            self._talk(groups, seconds)
            self._receive()
        finally:
            gc.enable()
        return self._seen(set(calls), since, seconds)

    def _talk(self, groups: Sequence[Sequence[Way]], seconds: float) -> None:
        start = time.monotonic()
        for period in range(round(seconds / PERIOD)):
            packet = self._packets(self._number)
            self._number += 1
            for at, group in enumerate(groups):
                due = start + (period + at / GROUPS) * PERIOD
                while (early := due - time.monotonic()) > 0:
                    time.sleep(early)  # not in a poll: each packet to us would have to wake us
                self._late.append(-early)
                self._receive()
                for send, address in group:
                    send(packet, address)
                self._sent += len(group)

    def _receive(self) -> None:
        """What has come."""
        arrived = self._arrived
        for sock in self._sockets:
            receive = sock.recvmsg
            try:
                while True:
                    data, ancillary, _, source = receive(12, _SPACE)
                    arrived.append((source[1], data, ancillary[0][2]))
            except BlockingIOError:
                pass

    def _seen(self, calls: set[int], since: float, seconds: float) -> Traffic:
        streams: dict[int, list[tuple[float, int]]] = defaultdict(list)
        for port, data, stamp in self._arrived:
            whole, fraction = _SECONDS.unpack(stamp)
            at = whole + fraction * 1e-9
            if port in calls and not is_rtcp(data) and len(data) == 12 and since <= at < since + seconds:
                streams[port].append((at, HEADER.unpack(data)[3]))
        late = sorted(one for stream in streams.values() for one in lateness(stream, self._rate))
        due = len(calls) * seconds / PERIOD
        own = sorted(self._late)
        p50, p99 = (late[len(late) * share // 100] for share in (50, 99)) if late else (0.0, 0.0)
        return Traffic(p50, p99, max(1 - len(late) / due, 0.0), own[len(own) * 99 // 100], self._sent)


def lateness(stream: Sequence[tuple[float, int]], clock_rate: int) -> Iterator[float]:
    """Seconds by which each packet of one call, (arrival, RTP timestamp), comes later than the most punctual
    of them would have it.
    """
    first = stream[0][1]
    offsets = [at - _since(first, timestamp) / clock_rate for at, timestamp in stream]
    earliest = min(offsets)
    return (offset - earliest for offset in offsets)


def _since(first: int, timestamp: int) -> int:
    return (timestamp - first + 0x80000000 & 0xFFFFFFFF) - 0x80000000
