"""A clock that jumped does not matter, and a machine that was off costs a record little."""

from __future__ import annotations

import os
import time

import pytest

from sipstack.outcome import Absent, Outcome
from sipstack.store.port import Taken
from sipstack.store.store_time import MOST_AWAY, MachineClock, Seen, offset_now
from tests.store.conformance import SOON, asked, orphans, put
from tests.store.machine import OneMachine, SetClock

YEAR = 365 * 86_400.0


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory) -> OneMachine:
    return OneMachine(tmp_path_factory.mktemp("machine") / "sessions.db")


@pytest.mark.parametrize("jump", [YEAR, -YEAR], ids=["forward", "back"])
async def test_a_wall_clock_that_jumps_changes_nothing(machine: OneMachine, jump: float) -> None:
    store = machine.store()
    await store.open("node-1")
    await put(store, "long", left=60.0)
    await put(store, "short", left=5.0)
    machine.clock.time_of_day += jump
    await machine.passes(6.0)
    assert (await asked(store.take_over, "long")).age == pytest.approx(6.0, abs=SOON)
    assert await asked(store.take_over, "short") is Absent.UNKNOWN
    other = machine.store()
    await other.open("node-2")
    assert await orphans(other) == []
    await store.close()
    await machine.passes(55.0)
    assert await asked(other.take_over, "long") is Absent.UNKNOWN
    await other.close()


@pytest.mark.parametrize(
    ("away", "counted"),
    [(0.0, 0.0), (40.0, 40.0), (MOST_AWAY, MOST_AWAY), (YEAR, MOST_AWAY), (-YEAR, 0.0)],
    ids=["none", "short", "five minutes", "a clock that jumped forward", "a clock that begins anew"],
)
async def test_a_machine_that_is_started_again_counts_five_minutes_at_most(
    machine: OneMachine, away: float, counted: float
) -> None:
    store = machine.store()
    await store.open("node-1")
    await put(store, "key", left=1800.0)
    await put(store, "short", left=max(counted, 1.0) - 0.5)
    await asked(store.forget, "over", 0)
    await store.close()
    machine.clock.starts_again(away)
    again = machine.store()
    await again.open("node-1")
    assert isinstance(await asked(again.take_over, "short"), Taken) is (counted == 0)
    assert (await asked(again.take_over, "key")).age == pytest.approx(counted, abs=SOON)
    [listed] = [each for each in await asked(again.owned) if each.key == "key"]
    assert listed.left == pytest.approx(1800.0 - counted, abs=SOON)
    assert await put(again, "over") is (Outcome.DONE if counted > 64 else Outcome.CONFLICT)
    await again.close()


async def test_the_lease_of_a_node_that_did_not_come_back_with_its_machine_ends(machine: OneMachine) -> None:
    store, other = machine.store(), machine.store()
    await store.open("node-1")
    await put(store, "key")
    await store.close()
    machine.clock.starts_again(-YEAR)
    await other.open("node-2")
    assert await orphans(other) == []
    await machine.passes(machine.lease * 1.5)
    assert await orphans(other) == ["key"]
    await other.close()


async def test_three_boots_in_a_row_lose_little_time(machine: OneMachine) -> None:
    store = machine.store()
    await store.open("node-1")
    await put(store, "key", left=1800.0)
    await store.close()
    for _ in range(3):
        machine.clock.starts_again(100.0)
        store = machine.store()
        await store.open("node-1")
        await machine.passes(10.0)
        await store.close()
    await store.open("node-1")
    [listed] = await asked(store.owned)
    assert listed.left == pytest.approx(1800.0 - 330.0, abs=3 * SOON + 7.5)  # the last seconds of each boot
    await store.close()


def test_where_the_system_tells_no_boot_a_lower_monotonic_clock_does() -> None:
    clock = SetClock()
    clock.boots = ""
    seen = Seen("", offset_now(None, clock), 0.0, clock.wall())
    clock.passes(20.0)
    assert clock.monotonic() + offset_now(seen, clock) == pytest.approx(20.0)
    seen = Seen("", seen.offset, 20.0, clock.wall())
    clock.time, clock.time_of_day = 7.0, clock.time_of_day + 30.0
    assert clock.monotonic() + offset_now(seen, clock) == pytest.approx(50.0)


def test_the_clocks_are_those_of_the_machine() -> None:
    clock = MachineClock()
    assert clock.monotonic() == pytest.approx(time.monotonic(), abs=1.0)
    assert clock.wall() == pytest.approx(time.time(), abs=1.0)
    assert clock.boot() == MachineClock().boot()
    assert bool(clock.boot()) is os.path.exists("/proc/sys/kernel/random/boot_id")
