"""One clock for all calls: absolute deadlines, spread over slots, and what a stall does to it."""

from __future__ import annotations

import asyncio

import pytest

from sipstack.media.clock import PERIOD, SLOTS, MediaClock
from sipstack.testing.loop import run
from tests.media.stepped import SteppedLoop


class Counter:
    """Takes part in a clock and notes each tick."""

    def __init__(self) -> None:
        self.ticks: list[tuple[float, int]] = []

    def tick(self, now: float, periods: int) -> None:
        self.ticks.append((round(now, 6), periods))


def test_ticks_come_each_period_at_absolute_times() -> None:
    loop, counter = SteppedLoop(), Counter()
    MediaClock(loop).join(counter.tick)
    loop.pass_time(600.0)
    assert len(counter.ticks) == 30_000
    first = counter.ticks[0][0]
    assert counter.ticks == [(round(first + index * PERIOD, 6), 1) for index in range(30_000)]


def test_participants_are_spread_over_the_period() -> None:
    loop = SteppedLoop()
    clock = MediaClock(loop)
    counters = [Counter() for _ in range(2 * SLOTS)]
    for counter in counters:
        clock.join(counter.tick)
    assert clock.participants == 2 * SLOTS
    loop.pass_time(PERIOD)
    moments = sorted(now for counter in counters for now, _ in counter.ticks)
    assert moments == [round(0.0025 * (1 + index // 2), 6) for index in range(2 * SLOTS)]


def test_who_joins_twice_is_ticked_once_and_leaves_once() -> None:
    loop, counter = SteppedLoop(), Counter()
    clock = MediaClock(loop)
    clock.join(counter.tick)
    clock.join(counter.tick)
    loop.pass_time(1.0)
    assert len(counter.ticks) == 50
    clock.leave(counter.tick)
    clock.leave(counter.tick)
    assert (clock.participants, loop.pending) == (0, 0)


def test_who_joins_a_slot_that_has_others_is_ticked_with_them() -> None:
    loop, early, late = SteppedLoop(), [Counter() for _ in range(SLOTS)], Counter()
    clock = MediaClock(loop)
    for counter in early:
        clock.join(counter.tick)
    loop.pass_time(0.5)
    clock.join(late.tick)
    loop.pass_time(1.0)
    assert late.ticks == early[0].ticks[-50:]


def test_a_lone_participant_wakes_the_loop_once_a_period() -> None:
    loop = SteppedLoop()
    MediaClock(loop).join(Counter().tick)
    loop.pass_time(1.0)
    assert loop.pending == 1


def test_who_joins_later_is_ticked_from_then_on() -> None:
    loop, early, late = SteppedLoop(), Counter(), Counter()
    clock = MediaClock(loop)
    clock.join(early.tick)
    loop.pass_time(0.5)
    clock.join(late.tick)
    loop.pass_time(0.1)
    assert (len(early.ticks), len(late.ticks)) == (30, 5)
    assert late.ticks[0][0] > 0.5


def test_a_short_stall_is_made_up_for() -> None:
    """150 ms: the peer's playout buffer may bridge it, so all packets go out, late."""
    loop, counter = SteppedLoop(), Counter()
    clock = MediaClock(loop)
    clock.join(counter.tick)
    loop.pass_time(0.1)
    loop.stall(0.15)
    loop.pass_time(0.25)
    assert [periods for _, periods in counter.ticks] == [1] * 25
    assert clock.skipped == 0
    assert clock.late == 6  # those due from 2.5 to 102.5 ms of the 150


def test_a_clock_that_is_far_behind_says_so_until_it_has_caught_up() -> None:
    loop, told = SteppedLoop(), []
    clock = MediaClock(loop)
    clock.join(lambda now, periods: told.append(clock.coders.are_behind))
    loop.pass_time(0.1)
    loop.stall(0.15)
    loop.pass_time(0.25)
    assert told == [False] * 5 + [True] * 2 + [False] * 18  # two of them 130 and 110 ms late


def test_a_long_stall_is_skipped_and_told() -> None:
    loop, counter = SteppedLoop(), Counter()
    clock = MediaClock(loop)
    clock.join(counter.tick)
    loop.pass_time(0.1)
    loop.stall(10.0)
    loop.pass_time(0.4)
    assert sum(periods for _, periods in counter.ticks) == 525
    assert [periods for _, periods in counter.ticks] == [1] * 5 + [500] + [1] * 20
    assert clock.skipped == 499
    assert clock.late == 1


def test_the_clock_stays_in_phase_after_a_stall() -> None:
    loop, counter = SteppedLoop(), Counter()
    MediaClock(loop).join(counter.tick)
    loop.pass_time(0.1)
    first = counter.ticks[0][0]
    loop.stall(1.2345)
    loop.pass_time(0.1)
    phase = (counter.ticks[-1][0] - first) / PERIOD
    assert phase == pytest.approx(round(phase), abs=1e-6)


def test_who_leaves_is_ticked_no_more_and_the_last_one_stops_the_clock() -> None:
    loop, one, two = SteppedLoop(), Counter(), Counter()
    clock = MediaClock(loop)
    clock.join(one.tick)
    clock.join(two.tick)
    clock.leave(one.tick)
    loop.pass_time(0.1)
    assert (len(one.ticks), len(two.ticks)) == (0, 5)
    clock.leave(two.tick)
    clock.leave(two.tick)
    assert (clock.participants, loop.pending) == (0, 0)


def test_it_can_be_joined_again() -> None:
    loop, counter = SteppedLoop(), Counter()
    clock = MediaClock(loop)
    for _ in range(2):
        clock.join(counter.tick)
        loop.pass_time(0.1)
        clock.leave(counter.tick)
        loop.pass_time(5.001)
    assert [periods for _, periods in counter.ticks] == [1] * 10


def test_one_that_fails_disturbs_no_other() -> None:
    def broken(now: float, periods: int) -> None:
        raise RuntimeError("mine")

    loop, counter = SteppedLoop(), Counter()
    clock = MediaClock(loop)
    for _ in range(SLOTS):
        clock.join(counter.tick) if clock.participants else clock.join(broken)
    other = Counter()
    clock.join(other.tick)  # the second one in the slot of the broken one
    loop.pass_time(0.04)
    assert len(other.ticks) == 2
    assert [str(error["exception"]) for error in loop.errors] == ["mine", "mine"]


def test_one_may_leave_during_its_own_tick() -> None:
    loop = SteppedLoop()
    clock = MediaClock(loop)
    ticks = []

    def once(now: float, periods: int) -> None:
        ticks.append(now)
        clock.leave(once)

    clock.join(once)
    loop.pass_time(1.0)
    assert (len(ticks), loop.pending) == (1, 0)


def test_each_loop_has_one_shared_clock_while_it_is_used() -> None:
    async def main() -> MediaClock:
        clock = MediaClock.shared()
        assert MediaClock.shared() is clock
        counter = Counter()
        clock.join(counter.tick)
        await asyncio.sleep(1.0)
        assert len(counter.ticks) == 50
        clock.leave(counter.tick)
        assert MediaClock.shared() is not clock
        return clock

    assert run(main()) is not run(main())
