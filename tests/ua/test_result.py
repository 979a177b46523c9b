"""Results that tasks wait for, and their grace."""

from __future__ import annotations

import asyncio

import pytest

from sipstack.errors import CallEnded
from sipstack.ua.result import Grace, Result, Waiters

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


async def test_an_result_is_for_all_who_wait_and_for_those_who_come_late() -> None:
    result: Result[int] = Result()
    tasks = [asyncio.create_task(_value(result)) for _ in range(3)]
    await asyncio.sleep(1)
    result.set(7)
    result.set(8)
    result.fail(CallEnded("remote"))
    assert await asyncio.gather(*tasks) == [7, 7, 7]
    assert await result == 7


async def test_an_error_is_raised_each_time_the_result_is_asked_for() -> None:
    result: Result[int] = Result()
    result.fail(CallEnded("remote"))
    await result.settled()
    for _ in range(2):
        with pytest.raises(CallEnded):
            await result


async def test_grace_ends_in_the_order_in_which_it_began() -> None:
    grace, loop = Grace(4.0), asyncio.get_running_loop()
    first, second, third = results = [Result[int]() for _ in range(3)]
    began = loop.time()
    ends: dict[Result[int], float] = {}

    async def wait(result: Result[int]) -> None:
        await result.settled()
        ends[result] = round(loop.time() - began, 1)

    tasks = [asyncio.create_task(wait(result)) for result in results]
    for result in results:
        grace.begin(result)
        await asyncio.sleep(1)
    second.set(1)
    await asyncio.gather(*tasks)
    assert ends == {first: 4.0, second: 3.0, third: 6.0}
    assert [result.done for result in results] == [False, True, False]


async def test_what_is_late_may_still_come() -> None:
    grace = Grace(4.0)
    result: Result[int] = Result()
    waiting = asyncio.create_task(_value(result))
    grace.begin(result)
    await asyncio.sleep(10)
    assert result.late
    assert not waiting.done()
    await result.settled()  # at once: it is late already
    result.set(3)
    assert await waiting == 3


async def test_grace_starts_again_after_it_has_run_out_and_ends_when_it_is_closed() -> None:
    grace = Grace(4.0)
    for _ in range(2):
        result: Result[int] = Result()
        grace.begin(result)
        await asyncio.sleep(5)
        assert result.late
    result = Result()
    grace.begin(result)
    grace.close()
    await asyncio.sleep(5)
    assert not result.late


async def _released(waiters: Waiters) -> None:
    await waiters.wait()


async def _value(result: Result[int]) -> int:
    return await result
