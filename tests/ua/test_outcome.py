"""What tasks wait for, and what becomes late."""

from __future__ import annotations

import asyncio

import pytest

from sipstack.errors import CallEnded
from sipstack.ua.outcome import Outcome, Patience, Waiters

pytestmark = pytest.mark.virtual_time


async def test_a_waiter_that_is_cancelled_leaves_the_others_alone() -> None:
    waiters = Waiters()
    tasks = [asyncio.create_task(_released(waiters)) for _ in range(3)]
    await asyncio.sleep(1)
    tasks[1].cancel()
    await asyncio.sleep(1)
    waiters.release()
    await asyncio.wait(tasks)
    assert [task.cancelled() for task in tasks] == [False, True, False]


async def test_an_outcome_is_for_all_who_wait_and_for_those_who_come_late() -> None:
    outcome: Outcome[int] = Outcome()
    tasks = [asyncio.create_task(_value(outcome)) for _ in range(3)]
    await asyncio.sleep(1)
    outcome.set(7)
    outcome.set(8)
    outcome.fail(CallEnded("remote"))
    assert await asyncio.gather(*tasks) == [7, 7, 7]
    assert await outcome == 7


async def test_an_error_is_raised_by_whoever_asks_and_by_nobody_else() -> None:
    outcome: Outcome[int] = Outcome()
    outcome.fail(CallEnded("remote"))
    await outcome.settled()
    for _ in range(2):
        with pytest.raises(CallEnded):
            await outcome


async def test_patience_ends_in_the_order_in_which_it_began() -> None:
    patience, loop = Patience(4.0), asyncio.get_running_loop()
    first, second, third = outcomes = [Outcome[int]() for _ in range(3)]
    began = loop.time()
    ends: dict[Outcome[int], float] = {}

    async def wait(outcome: Outcome[int]) -> None:
        await outcome.settled()
        ends[outcome] = round(loop.time() - began, 1)

    tasks = [asyncio.create_task(wait(outcome)) for outcome in outcomes]
    for outcome in outcomes:
        patience.limit(outcome)
        await asyncio.sleep(1)
    second.set(1)
    await asyncio.gather(*tasks)
    assert ends == {first: 4.0, second: 3.0, third: 6.0}
    assert [outcome.done for outcome in outcomes] == [False, True, False]


async def test_what_is_late_may_still_come() -> None:
    patience = Patience(4.0)
    outcome: Outcome[int] = Outcome()
    waiting = asyncio.create_task(_value(outcome))
    patience.limit(outcome)
    await asyncio.sleep(10)
    assert outcome.late
    assert not waiting.done()
    await outcome.settled()  # at once: it is late already
    outcome.set(3)
    assert await waiting == 3


async def test_patience_starts_again_after_it_has_run_out_and_ends_when_it_is_closed() -> None:
    patience = Patience(4.0)
    for _ in range(2):
        outcome: Outcome[int] = Outcome()
        patience.limit(outcome)
        await asyncio.sleep(5)
        assert outcome.late
    outcome = Outcome()
    patience.limit(outcome)
    patience.close()
    await asyncio.sleep(5)
    assert not outcome.late


async def _released(waiters: Waiters) -> None:
    await waiters.wait()


async def _value(outcome: Outcome[int]) -> int:
    return await outcome
