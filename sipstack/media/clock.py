"""The media clock: one timer for all calls of an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from sipstack.media.coders import Coders

PERIOD = 0.02
"""Seconds from one tick of a call to its next."""
SLOTS = 8
"""Calls are spread over this many moments of the period, so that they do not send all at once."""
STALL = 0.2
"""Seconds of lateness that are made up for by ticking faster; beyond it ticks are left out."""
BEHIND = 0.1
"""Seconds of lateness that no short pause explains: the loop has more to do than it can."""

Tick = Callable[[float, int], None]
"""Called with the loop's time and the number of periods since the last tick: 1, or more after a stall."""

_STEP = PERIOD / SLOTS


class Timer(Protocol):
    """A timer of the event loop, as ``call_at`` gives it."""

    def cancel(self) -> None:
        """Do not call."""


class Scheduler(Protocol):
    """The part of an event loop that the clock uses."""

    def time(self) -> float:
        """Seconds."""

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        """Call it once, when ``time()`` is ``when`` or soon after."""

    def call_exception_handler(self, context: dict[str, Any], /) -> None:
        """A callback failed."""


class MediaClock:
    """Ticks every participant each 20 ms, at absolute deadlines of ``loop.time()``: it does not drift."""

    def __init__(self, loop: Scheduler) -> None:
        self.late = 0
        """Ticks that came more than a period late."""
        self.skipped = 0
        """Ticks left out after stalls."""
        self.coders = Coders()
        """The encoders and decoders of the calls: what most of the time goes into, where it is not G.711."""
        self._loop = loop
        self._origin = loop.time()
        self._slots: list[dict[Tick, None]] = [{} for _ in range(SLOTS)]
        self._slot_of: dict[Tick, int] = {}
        self._due = [0] * SLOTS  # the step of each slot's next tick
        self._timer: Timer | None = None
        self._next_slot = 0  # the timer's

    @classmethod
    def shared(cls) -> MediaClock:
        """The running loop's clock, shared by all that join it: it is forgotten when the last one leaves."""
        loop = asyncio.get_running_loop()
        if loop not in _shared:
            _shared[loop] = cls(loop)
        return _shared[loop]

    @property
    def participants(self) -> int:
        """The number of participants."""
        return len(self._slot_of)

    def join(self, tick: Tick) -> None:
        """Call ``tick`` each period from now on. Does nothing when it takes part already."""
        if tick in self._slot_of:
            return
        sizes = [len(slot) for slot in self._slots]
        smallest = min(sizes)
        slot = self._slot_of[tick] = sizes.index(smallest)
        self._slots[slot][tick] = None
        if not smallest:  # else the timer knows of this slot
            step = int((self._loop.time() - self._origin) / _STEP) + 1
            self._due[slot] = step + (slot - step) % SLOTS
            if self._timer is None or self._due[slot] < self._due[self._next_slot]:
                self._schedule()

    def leave(self, tick: Tick) -> None:
        """Do not call ``tick`` any more. Does nothing when it takes no part."""
        slot = self._slot_of.pop(tick, None)
        if slot is not None:
            del self._slots[slot][tick]
        if not self._slot_of:
            if _shared.get(self._loop) is self:
                del _shared[self._loop]
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next_slot = min((slot for slot in range(SLOTS) if self._slots[slot]), key=self._due.__getitem__)
        self._timer = self._loop.call_at(self._origin + self._due[self._next_slot] * _STEP, self._run)

    def _run(self) -> None:
        now = self._loop.time()
        slot = self._next_slot
        lag = now - (self._origin + self._due[slot] * _STEP)
        periods = 1
        if lag > STALL:
            # Sending what was missed in one burst would only overrun the peer's playout buffer.
            periods += int(lag / PERIOD)
            self.skipped += periods - 1
        self.coders.are_behind = lag > BEHIND
        if lag > PERIOD:
            self.late += 1
        self._due[slot] += periods * SLOTS
        self._timer = None
        self._schedule()
        # Whatever became ready is served before the next slot, even when that is late too.
        for tick in tuple(self._slots[slot]):
            try:
                tick(now, periods)
            except Exception as error:
                context = {"message": "exception in a media clock tick", "exception": error}
                self._loop.call_exception_handler(context)


_shared: dict[Scheduler, MediaClock] = {}
