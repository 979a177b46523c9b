"""The playout buffer: packets arrive when the network likes, and are taken at an even pace.

It has no timer. ``put`` is called for each packet, ``get`` whenever the next frame is to be played.
Packets are found by their timestamp: neither a lost packet nor a pause of the sender moves those that follow.
"""

from __future__ import annotations

import enum
from typing import Generic, TypeVar

Item = TypeVar("Item")

JUMP = 2.0
"""Seconds between a packet and the newest one beyond which the sender has begun anew."""
IDLE = 0.2
"""Seconds without a packet after which the sender has paused, and the delay is built up again."""
SLACK = 0.04
"""Seconds by which the delay may exceed its target for long: the sender's clock is faster, or we stalled."""
WINDOW = 25
"""Packets over which the delay must be too long before some are skipped."""
CAPACITY = 100
"""Packets held at most."""
_BOTTOMLESS = 1 << 32


class Gap(enum.Enum):
    """There is no packet to play for the next 20 ms."""

    IDLE = enum.auto()
    """None is due: nothing came yet, or the sender paused."""
    LOST = enum.auto()
    """One is missing: conceal it."""


class PlayoutBuffer(Generic[Item]):
    """The packets of one source, each played ``target`` seconds after it should have arrived.

    The target begins at ``target`` and grows by a frame, up to ``maximum``, whenever a packet comes too late.
    """

    __slots__ = (
        "_begun",
        "_end",
        "_first_target",
        "_frame",
        "_next",
        "_owed",
        "_packets",
        "_rate",
        "_shallowest",
        "_start",
        "_taken",
        "_waited",
        "dropped",
        "late",
        "maximum",
        "target",
    )

    def __init__(self, clock_rate: int = 8000, target: float = 0.06, maximum: float = 0.2) -> None:
        self._rate = clock_rate
        self._frame = clock_rate // 50
        self._first_target = target
        self.maximum = maximum
        self.late = 0
        """Packets that came after their time, or twice."""
        self.dropped = 0
        """Packets skipped to get the delay down again, or refused since the buffer is full."""
        self.reset()

    def use_clock(self, clock_rate: int) -> None:
        """Timestamps count at another rate from here on: the buffer begins anew. The counts stay."""
        self._rate = clock_rate
        self._frame = clock_rate // 50
        self.reset()

    def reset(self) -> None:
        """Another source: its first packet begins anew. The counts stay."""
        self.target = self._first_target
        self._clear()

    def _clear(self) -> None:
        self._packets: dict[int, tuple[int, Item]] = {}
        self._begun = False
        self._end = 0  # after the newest packet; timestamps in here are not reduced to 32 bits
        self._next: int | None = None  # to play next; None while the delay is built up
        self._start = 0.0  # when it is built up
        self._waited = 0  # units concealed without moving on, since the buffer ran dry
        self._owed = 0  # units to conceal without moving on, when a packet is missing
        self._shallowest = _BOTTOMLESS  # the least that was left in the last packets taken
        self._taken = 0

    def put(self, timestamp: int, duration: int, item: Item, now: float) -> None:
        """A packet of ``duration`` timestamp units has arrived."""
        if duration <= 0:
            return
        extended = self._extend(timestamp)
        if self._next is None and not self._packets:
            self._start = now + self.target
        if self._next is not None and extended < self._next:
            self._count_late(self._next - extended)
        elif extended in self._packets:
            self.late += 1
        elif len(self._packets) >= CAPACITY:
            self.dropped += 1
        else:
            self._packets[extended] = (duration, item)
            if extended + duration > self._end:
                self._end = extended + duration

    def get(self, now: float) -> Item | Gap:
        """The packet that is due, or what its absence means for the next 20 ms."""
        packets = self._packets
        due = self._next
        if due is None:
            if not packets or now < self._start:
                return Gap.IDLE
            due = min(packets)
        if not packets:
            return self._run_dry(due)
        if self._waited:
            due += self._lost_while_dry(min(packets) - due)
        if due not in packets:
            first = min(packets)
            if first - due >= self._frame:
                return self._miss(due)
            due = first  # the sender's timestamps slipped by less than a frame
        duration, item = packets.pop(due)
        self._next = due = due + duration
        if self._end - due < self._shallowest:
            self._shallowest = self._end - due
        self._taken += 1
        if self._taken == WINDOW:
            self._skip_excess(due)
        return item

    def _extend(self, timestamp: int) -> int:
        """The timestamp beyond 32 bits, next to the others. One far from them begins anew."""
        if self._begun:
            ahead = ((timestamp - self._end + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            if abs(ahead) <= JUMP * self._rate:
                return self._end + ahead
            self._clear()
        self._begun = True
        self._end = timestamp
        return timestamp

    def _lost_while_dry(self, missing: int) -> int:
        """Of what was concealed while dry, the units that stood for lost packets; the rest is delay."""
        lost = min(missing, self._waited)
        if lost < self._waited:
            self._grow()
        self._waited = 0
        return lost

    def _count_late(self, lateness: int) -> None:
        self.late += 1
        if lateness <= (self.maximum - self.target) * self._rate:
            self._grow()
            self._owed += self._frame

    def _grow(self) -> None:
        self.target = min(self.maximum, self.target + self._frame / self._rate)

    def _run_dry(self, due: int) -> Gap:
        """Nothing is left. Wait for packets that may only be late, then take it that the sender paused."""
        self._next = due
        self._waited += self._frame
        if self._waited <= IDLE * self._rate:
            return Gap.LOST
        self._next, self._waited = None, 0
        return Gap.IDLE

    def _miss(self, due: int) -> Gap:
        """One is missing before others. A delay that must grow grows here, where it is heard least."""
        if self._owed:
            self._owed -= self._frame
            self._next = due
        else:
            self._next = due + self._frame
        return Gap.LOST

    def _skip_excess(self, due: int) -> None:
        """Of a delay that was too long all the time, skip what is beyond the target."""
        target = int(self.target * self._rate)
        if self._shallowest > target + SLACK * self._rate:
            self._next = due = due + self._shallowest - target
            behind = [timestamp for timestamp in self._packets if timestamp < due]
            for timestamp in behind:
                del self._packets[timestamp]
            self.dropped += len(behind)
        self._shallowest = _BOTTOMLESS
        self._taken = 0
