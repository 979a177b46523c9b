"""The pace of many calls: no delay adds up, and no more at a time than allowed."""

from __future__ import annotations

import asyncio

import pytest

from sipstack.cli.pace import keep_pace

pytestmark = pytest.mark.virtual_time


class Working:
    """Work that lasts ``seconds(number)``, and what is seen of it."""

    def __init__(self, *lasting: float) -> None:
        self.lasting = lasting
        self.began: list[float] = []
        self.late: list[float] = []
        self.numbers: list[int] = []
        self.at_work = self.most = self.cancelled = 0

    async def __call__(self, number: int, late: float) -> None:
        self.began.append(asyncio.get_running_loop().time())
        self.late.append(late)
        self.numbers.append(number)
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        try:
            await asyncio.sleep(self.lasting[(number - 1) % len(self.lasting)])
        except asyncio.CancelledError:
            await asyncio.sleep(3)  # it hangs up first
            self.cancelled += 1
            raise
        finally:
            self.at_work -= 1

    @property
    def times(self) -> list[float]:
        """When each began, in seconds after the first."""
        return [at - self.began[0] for at in self.began]


@pytest.mark.parametrize("lasting", [0.0, 0.001, 2.5, 1000.0])
async def test_the_rate_is_held_however_long_they_last(lasting: float) -> None:
    work = Working(lasting)
    await keep_pace(work, 1000, 7.0, None)
    assert work.times == pytest.approx([number / 7 for number in range(1000)], abs=1e-6)
    assert max(work.late) < 1e-6
    assert work.numbers == list(range(1, 1001))


async def test_no_more_at_a_time_than_allowed_and_the_schedule_is_caught_up_with() -> None:
    work = Working(10.0, *([0.0] * 99))  # the first keeps the one place for ten seconds
    await keep_pace(work, 100, 1.0, 1)
    assert work.most == 1
    assert work.times[:12] == pytest.approx([0, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 11], abs=1e-6)
    assert work.times[-1] == pytest.approx(99, abs=1e-6)
    assert work.late[1] == pytest.approx(9, abs=1e-6)
    assert work.late[-1] < 1e-6


async def test_what_lasts_too_long_for_the_rate_is_late_by_the_limit_alone() -> None:
    work = Working(1.0)
    await keep_pace(work, 40, 10.0, 4)
    assert work.most == 4
    assert work.times == pytest.approx(
        [max(number / 10, number // 4 + number % 4 / 10) for number in range(40)], abs=1e-6
    )


async def test_without_a_rate_one_follows_the_other() -> None:
    work = Working(1.0)
    await keep_pace(work, 5, None, 1)
    assert work.times == pytest.approx([0, 1, 2, 3, 4], abs=1e-6)
    assert work.late == [0.0] * 5


async def test_cancelled_it_waits_for_what_it_cancels() -> None:
    loop = asyncio.get_running_loop()
    work = Working(100.0)
    task = asyncio.create_task(keep_pace(work, 1000, 10.0, None))
    await asyncio.sleep(1.05)
    task.cancel()
    began = loop.time()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (len(work.began), work.cancelled) == (11, 11)
    assert loop.time() - began == pytest.approx(3, abs=1e-6)


async def test_cancelled_while_it_waits_for_a_place() -> None:
    work = Working(100.0)
    task = asyncio.create_task(keep_pace(work, 1000, 10.0, 2))
    await asyncio.sleep(5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (len(work.began), work.cancelled) == (2, 2)
