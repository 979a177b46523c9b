"""The clock that a test moves by hand."""

from __future__ import annotations

import math

import pytest

from sipstack.testing.clock import ManualClock
from sipstack.testing.world import World


def test_nothing_happens_before_its_time() -> None:
    clock, done = ManualClock(), list[str]()
    clock.call_at(2.0, done.append, "later")
    assert (clock.next, clock.perform(), done) == (2.0, False, [])
    clock.advance(2.0)
    assert (clock.perform(), clock.perform(), done, clock.next) == (True, False, ["later"], math.inf)


def test_what_was_cancelled_does_not_happen() -> None:
    clock, done = ManualClock(), list[str]()
    clock.call_at(1.0, done.append, "cancelled").cancel()
    clock.call_at(1.0, done.append, "kept")
    clock.advance(1.0)
    while clock.perform():
        pass
    assert done == ["kept"]


def test_one_moment_keeps_the_order_of_planning_and_the_past_is_now() -> None:
    clock, done = ManualClock(), list[str]()
    clock.advance(5.0)
    clock.call_soon(done.append, "one")
    assert clock.call_at(1.0, done.append, "two").when() == 5.0
    clock.call_soon(done.append, "three")
    while clock.perform():
        pass
    assert done == ["one", "two", "three"]


def test_it_never_goes_back() -> None:
    clock = ManualClock()
    clock.advance(5.0)
    clock.advance(1.0)
    assert clock.time() == 5.0


def test_a_world_that_never_rests_says_so() -> None:
    world = World()

    def again() -> None:
        world.later(1.0, again)

    again()
    world.run(100)
    assert (world.now, world.next) == (100.0, 101.0)
    with pytest.raises(RuntimeError, match="does not come to rest"):
        world.settle()
