"""One direction of a simulated connection: what is put in comes out once and in order, as TCP does it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import NamedTuple

from sipstack.testing.clock import Clock
from sipstack.testing.network import Delivery, Network
from sipstack.transaction.flow import Address


class Kind(enum.Enum):
    """The part of a segment in the life of its connection (RFC 9293 §3.1)."""

    SYN = "SYN"
    DATA = "data"
    FIN = "FIN"


class Segment(NamedTuple):
    """The octets that one end puts in and the other takes out."""

    kind: Kind
    data: bytes = b""


class Persistence(NamedTuple):
    """The times at which a segment that got lost is sent again: after ``first`` seconds, and each time
    twice as many, ``longest`` at the most. ``tries`` is the number of repetitions before the sender gives up.
    """

    first: float
    longest: float
    tries: int

    def wait(self, tried: int) -> float:
        """Seconds from one sending to the next."""
        return min(self.first * 2.0**tried, self.longest)


FOR_DATA = Persistence(0.2, 120.0, 15)
"""As Linux does it: given up after 15 minutes."""
FOR_SYN = Persistence(1.0, 64.0, 6)
"""As Linux does it: given up after 127 s."""


class Pipe:
    """From ``source`` to ``destination``. Loss only delays: what comes behind a lost segment waits for it.

    ``arrived`` is called with each segment; data that waited together arrives together. ``gave_up`` is called
    once when a segment did not get through however often it was sent.
    """

    def __init__(
        self,
        network: Network,
        clock: Callable[[], Clock],
        source: Address,
        destination: Address,
        arrived: Callable[[Segment], None],
        gave_up: Callable[[], None],
    ) -> None:
        self._network = network
        self._clock = clock
        self._source = source
        self._destination = destination
        self._arrived = arrived
        self._gave_up = gave_up
        self._put = 0
        self._taken = 0
        self._waiting: dict[int, Segment] = {}
        self._stopped = False

    def put(self, segment: Segment) -> None:
        """Send this behind all that was put in before."""
        self._send(self._put, segment, 0)
        self._put += 1

    def stop(self) -> None:
        """Nothing comes out any more."""
        self._stopped = True

    def _send(self, number: int, segment: Segment, tried: int) -> None:
        if self._stopped:
            return
        now = self._clock().time()
        transit = self._network.transit(self._passing(segment, now))
        if transit is None:
            self._send_later(number, segment, tried)
        else:
            self._clock().call_at(now + transit, self._arrive, number, segment, tried)

    def _send_later(self, number: int, segment: Segment, tried: int) -> None:
        persistence = FOR_SYN if segment.kind is Kind.SYN else FOR_DATA
        again = self._clock().time() + persistence.wait(tried)
        if tried < persistence.tries:
            self._clock().call_at(again, self._send, number, segment, tried + 1)
        else:
            self._clock().call_at(again, self._give_up)

    def _give_up(self) -> None:
        if not self._stopped:
            self._stopped = True
            self._gave_up()

    def _arrive(self, number: int, segment: Segment, tried: int) -> None:
        if self._stopped:
            return
        if not self._network.arrives(self._passing(segment, self._clock().time())):
            self._send_later(number, segment, tried)
            return
        self._waiting[number] = segment
        for each in self._in_order():
            if not self._stopped:
                self._arrived(each)

    def _in_order(self) -> list[Segment]:
        """Takes out what nothing is missing before; data that follows data is one."""
        ready: list[Segment] = []
        while (segment := self._waiting.pop(self._taken, None)) is not None:
            self._taken += 1
            if ready and ready[-1].kind is segment.kind is Kind.DATA:
                ready[-1] = Segment(Kind.DATA, ready[-1].data + segment.data)
            else:
                ready.append(segment)
        return ready

    def _passing(self, segment: Segment, time: float) -> Delivery:
        return Delivery(time, self._source, self._destination, segment.data)
