"""Five seconds of calls that come and go leave nothing behind; and what is left behind would be found."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from functools import lru_cache

import attrs
import pytest

from interop.bench.churn import GROWTH, Outcome, Pace, churn
from interop.bench.leftovers import FEW, Holdings
from sipstack.media.audio import Audio

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="descriptors are counted in /proc"
)


async def test_five_seconds_of_a_thousand_calls_a_minute_leave_nothing() -> None:
    outcome = await churn(1000.0, 5.0)
    assert outcome.clean, str(outcome)
    assert outcome.calls >= 10
    assert outcome.grown is None


async def test_what_is_left_over_is_found() -> None:
    before = Holdings.now()
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    task = asyncio.create_task(asyncio.sleep(60))
    calls = [Audio() for _ in range(FEW + 1)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind(("127.0.0.1", 0))
        left = Holdings.now().beyond(before)
    assert left == {
        "descriptors": 1,
        "sockets": 1,
        "ports": 1,
        "tasks": 1,
        "threads": 1,
        "sipstack.media.audio.Audio": len(calls),
    }
    over.set()
    thread.join()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    calls.clear()
    assert Holdings.now().beyond(before) == {}


async def test_what_is_in_caches_is_not_left_over() -> None:
    before = Holdings.now()

    @lru_cache(maxsize=100)
    def parsed(number: int) -> Audio:
        return Audio()

    parsed.__module__ = Audio.__module__
    for number in range(100):
        parsed(number)
    assert Holdings.now().beyond(before) == {}
    assert parsed.cache_info().currsize == 0


def test_a_machine_that_keeps_up_keeps_the_rate() -> None:
    pace = Pace(600.0, due=10.0)
    assert [round(pace.next(now), 3) for now in (10.0, 10.1, 10.25, 10.7)] == [0.1, 0.1, 0.05, 0.0]
    assert pace.rate == 600.0


def test_a_machine_that_falls_behind_gets_a_lower_rate_which_climbs_again() -> None:
    pace = Pace(600.0, due=10.0)
    assert pace.next(11.0) == 0.0
    assert pace.rate == pytest.approx(540.0)
    assert pace.next(11.0) == pytest.approx(60 / 540)
    while pace.next(pace.due) and pace.rate < 600.0:
        assert pace.due < 20.0
    assert pace.rate == 600.0


@pytest.mark.parametrize(
    "change", [{"calls": 0}, {"wrong": {"plain: no keys": 1}}, {"left": {"tasks": 1}}, {"grown": GROWTH + 1}]
)
def test_what_is_wrong_is_told(change: dict[str, object]) -> None:
    good = Outcome(calls=1000, seconds=60.0, rate=1000.0, wrong={}, left={}, grown=GROWTH)
    assert good.clean
    assert "wrong: nothing; left over: nothing" in str(good)
    bad = attrs.evolve(good, **change)  # type: ignore[arg-type]
    assert not bad.clean
