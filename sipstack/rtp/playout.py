"""The playout buffer: packets arrive when the network likes, and are taken at an even pace.

It has no timer. ``put`` is called for each packet, ``get`` whenever the next frame is to be played.
Packets are found by their timestamp: neither a lost packet nor a pause of the sender moves those that follow.
Timestamps are believed as long as arrival bears them out: when several packets in a row come at their usual
pace, but at another distance from their timestamps, the sender has moved its timestamps. Theirs are then
taken for those that they should have had: what came before is played to its end, and the delay stays.
"""

from __future__ import annotations

import enum
from typing import Generic, NamedTuple, TypeVar

from sipstack.rtp.delay import PlayoutDelay

Item = TypeVar("Item")

FAR = 2.0
"""Seconds by which a packet's arrival may differ from what its timestamp says, to be believed alone."""
MISFIT = 0.12
"""Seconds by which a packet's arrival must differ from what its timestamp says, to tell of a jump."""
STEADY = 0.04
"""Seconds by which packets after a jump may differ from each other: a burst after a delay does not pass."""
RUN = 3
"""Packets in a row that make a jump, over at least ``RUN_TIME``."""
RUN_TIME = 0.03
IDLE = 0.2
"""Seconds without a packet after which the sender has paused, and the delay is built up again."""
SKIP = 0.5
"""Seconds of a delay too long beyond which packets are skipped: playing faster would take too long."""
CAPACITY = 100
"""Packets held at most."""


class Gap(enum.Enum):
    """There is no packet to play; ``missing`` tells for how long."""

    IDLE = enum.auto()
    """None is due: nothing came yet, or the sender paused."""
    LOST = enum.auto()
    """One is missing: conceal it."""
    SKIPPED = enum.auto()
    """Some were left out: what comes next does not follow what was played last. It takes no time."""


class _Misfit(NamedTuple, Generic[Item]):
    """A packet that did not come when its timestamp says."""

    arrival: float
    extended: int
    offset: float
    duration: int
    item: Item
    is_placed: bool


class PlayoutBuffer(Generic[Item]):
    """The packets of one source, each played ``target`` seconds after it should have arrived.

    The target begins at ``target``, grows up to ``maximum`` when packets come too late, and comes down again
    when they do not. Whoever plays them may then leave out ``excess``, where it is not heard.
    """

    __slots__ = (
        "_delay",
        "_end",
        "_frame",
        "_last",
        "_line",
        "_misfits",
        "_missed",
        "_next",
        "_owed",
        "_packets",
        "_played",
        "_rate",
        "_shift",
        "_start",
        "_step",
        "_waited",
        "dropped",
        "late",
        "missing",
        "until",
    )

    def __init__(self, clock_rate: int = 8000, target: float = 0.06, maximum: float = 0.2) -> None:
        self._rate = clock_rate
        self._frame = clock_rate // 50
        self._delay = PlayoutDelay(clock_rate, target, maximum)
        self.late = 0
        """Packets that came after their time, or twice."""
        self.dropped = 0
        """Packets skipped to get the delay down again, or refused since the buffer is full."""
        self._clear()

    @property
    def target(self) -> float:
        """Seconds."""
        return self._delay.target

    @property
    def maximum(self) -> float:
        """Seconds that the target can be."""
        return self._delay.maximum

    @property
    def excess(self) -> int:
        """Units by which the delay has been longer than it must be for a while: so much may be left out."""
        wanted = self._delay.wanted
        return max(int(wanted - self._played), 0) if wanted is not None else 0

    def use_clock(self, clock_rate: int) -> None:
        """Timestamps count at another rate from here on: the buffer begins anew. The counts stay."""
        self._rate = clock_rate
        self._frame = clock_rate // 50
        self._delay.use_clock(clock_rate)
        self._clear()

    def reset(self) -> None:
        """Another source: its first packet begins anew. The counts stay."""
        self._delay.forget()
        self._clear()

    def _clear(self) -> None:
        self._delay.begin()
        self._packets: dict[int, tuple[int, Item]] = {}
        self._end = 0  # after the newest packet; timestamps in here are not reduced to 32 bits
        self._last: int | None = None  # after what the source has said to be the last of it
        self._shift = 0  # what those of the sender have to be moved by
        self._next: int | None = None  # to play next; None while the delay is built up
        self._start = 0.0  # when it is built up
        self._waited = 0  # units concealed without moving on, since the buffer ran dry
        self._owed = 0  # units to conceal without moving on, when a packet is missing
        self._line = 0.0  # timestamp less arrival, as it usually is; in units
        self._played = 0.0  # timestamp less time of what was played last
        self._misfits: list[_Misfit[Item]] = []  # the last packets, which did not come as they should
        self._step = self._frame  # units of the last packet, a frame at the most
        self._missed = False  # what was taken last was a gap before other packets
        self.missing = self._frame
        """Units to conceal or to leave silent, after ``get`` has given a ``Gap``."""
        self.until = 0
        """Units from there to what ``following`` gives, after ``get`` has given ``LOST``; 0: nobody knows."""

    def put(self, timestamp: int, duration: int, item: Item, now: float) -> None:
        """A packet of ``duration`` timestamp units has arrived."""
        if duration <= 0:
            return
        end, rate, delay = self._end, self._rate, self._delay
        extended = end + ((timestamp + self._shift - end + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        offset = extended - now * rate
        if self._next is None and not self._packets:
            self._start = now + delay.target
            self._line = offset
            delay.begin()
            self._end = extended  # what was announced before a pause does not count
        deviation = offset - self._line
        fits = abs(deviation) <= MISFIT * rate
        if fits:
            self._line += deviation / 16
            if self._misfits:
                self._misfits.clear()
        if (fits or -delay.maximum * rate <= deviation < 0.0) and delay.heard(offset, now):
            delay.measure(self._played if self._next is not None else offset)
        if fits or abs(deviation) <= FAR * rate:
            is_placed = self._place(extended, duration, item)
        else:
            self.dropped += 1
            is_placed = False
        if not fits:
            self._doubt(_Misfit(now, extended, offset, duration, item, is_placed))

    def _place(self, extended: int, duration: int, item: Item) -> bool:
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
            return True
        return False

    def get(self, now: float) -> Item | Gap:
        """The packet that is due, or what its absence means for the next ``missing`` units."""
        packets = self._packets
        due = self._next
        if due is None:
            if not packets or now < self._start:
                return self._idle()
            due = min(packets)
        self._played = due - now * self._rate
        if not packets:
            return self._run_dry(due)
        if self._waited:
            due += self._lost_while_dry(min(packets) - due)
        if due not in packets:
            gap = min(packets) - due
            if gap >= self._step or (self._missed and gap > 0):
                return self._miss(due, min(gap, self._frame))
            due += gap  # the sender's timestamps slipped by less than a packet
        if self._delay.wanted is not None and (gap_made := self._adjust(due)):
            return gap_made
        duration, item = packets.pop(due)
        self._step = min(duration, self._frame)
        self._missed = False
        self._next = due + duration
        return item

    def finish(self) -> None:
        """The source sends no more: what is here is played, and nothing is taken for missing behind it."""
        self._last = self._end

    def following(self, units: int) -> list[Item]:
        """The packets behind a gap, in a row and ``units`` long, as far as they are there already."""
        found: list[Item] = []
        if self.until:
            place = first = min(self._packets)
            while place < first + units and place in self._packets:
                duration, item = self._packets[place]
                found.append(item)
                place += duration
        return found

    def _doubt(self, misfit: _Misfit[Item]) -> None:
        """Several in a row show that the sender has moved its timestamps."""
        run = self._misfits
        if run and abs(misfit.offset - run[0].offset) > STEADY * self._rate:
            run.clear()
        run.append(misfit)
        if len(run) >= RUN and misfit.arrival - run[0].arrival >= RUN_TIME:
            self._move(run)
            self._misfits = []
        del run[CAPACITY:]

    def _move(self, run: list[_Misfit[Item]]) -> None:
        """From the first of these on timestamps are others: they follow what is there when they have come."""
        again = [each for each in run if self._take_back(each)]
        first = run[0]
        ends = [start + duration for start, (duration, _) in self._packets.items()]
        if self._next is not None:
            ends.append(self._next)  # it may be negative
        place = max([round(self._line + first.arrival * self._rate), *ends])
        move = place - first.extended
        self._shift = (self._shift + move) & 0xFFFFFFFF
        self._line = first.offset + move
        self._end = place
        self._delay.begin()
        for each in again:
            self._place(each.extended + move, each.duration, each.item)

    def _take_back(self, misfit: _Misfit[Item]) -> bool:
        """As if it had not come; not when it has been played."""
        if not misfit.is_placed:
            if abs(misfit.offset - self._line) > FAR * self._rate:
                self.dropped -= 1
            else:
                self.late -= 1
            return True
        held = self._packets.get(misfit.extended)
        if held is None or held[1] is not misfit.item:
            return False
        del self._packets[misfit.extended]
        return True

    def _lost_while_dry(self, missing: int) -> int:
        """Of what was concealed while dry, the units that stood for lost packets; the rest is delay."""
        lost = min(missing, self._waited)
        if lost < self._waited:
            self._delay.grow(self._frame)
        self._waited = 0
        return lost

    def _count_late(self, lateness: int) -> None:
        self.late += 1
        if lateness <= (self._delay.maximum - self._delay.target) * self._rate:
            self._delay.grow(self._frame)
            self._owed += self._frame

    def _run_dry(self, due: int) -> Gap:
        """Nothing is left. Wait for packets that may only be late, then take it that the sender paused."""
        self._next = due
        self.missing = self._step
        self.until = 0
        self._waited += self._step
        if self._waited <= IDLE * self._rate and due != self._last:
            return Gap.LOST
        self._next, self._waited = None, 0
        return self._idle()

    def _idle(self) -> Gap:
        self.missing = self._frame
        return Gap.IDLE

    def _miss(self, due: int, units: int) -> Gap:
        """One is missing before others. A delay that must grow grows here, where it is heard least."""
        self.missing = units
        self.until = min(self._packets) - due + -(-self._owed // units) * units
        self._missed = True
        if self._owed > 0:
            self._owed -= units
            self._next = due
        else:
            self._next = due + units
        return Gap.LOST

    def _adjust(self, due: int) -> Gap | None:
        """The delay has not been what it must be. Too long: whoever plays leaves something out, unless it is
        so long that packets are skipped. Too short: something is made up.
        """
        delay = self._delay
        assert delay.wanted is not None
        excess = int(delay.wanted - self._played)
        if 0 < excess <= SKIP * self._rate:
            return None
        delay.wanted = None
        if -self._frame < excess <= 0:
            return None
        if excess < 0:
            self._next = due
            self.missing = self.until = self._frame
            return Gap.LOST
        self._next = due = due + excess
        behind = [timestamp for timestamp in self._packets if timestamp < due]
        for timestamp in behind:
            del self._packets[timestamp]
        self.dropped += len(behind)
        self.missing = 0
        return Gap.SKIPPED
