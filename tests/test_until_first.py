"""Several things at once, until the first has ended."""

from __future__ import annotations

import asyncio

import pytest

from sipstack.until_first import until_first

pytestmark = pytest.mark.virtual_time


class Worker:
    """Works for so many seconds, and notes how that ended."""

    def __init__(self, seconds: float, error: Exception | None = None, *, last_words: float = 0.0) -> None:
        self.ended = ""
        self._seconds, self._error, self._last_words = seconds, error, last_words

    async def work(self) -> None:
        try:
            await asyncio.sleep(self._seconds)
            if self._error is not None:
                raise self._error
            self.ended = "done"
        except asyncio.CancelledError:
            await asyncio.sleep(self._last_words)
            self.ended = "cancelled"
            raise


async def test_the_others_are_over_when_the_first_has_ended() -> None:
    quick, slow = Worker(1), Worker(9, last_words=0.5)
    await until_first(slow.work(), quick.work())
    assert (quick.ended, slow.ended) == ("done", "cancelled")
    assert asyncio.get_running_loop().time() == 1.5
    assert len(asyncio.all_tasks()) == 1


async def test_what_ended_it_is_raised() -> None:
    slow = Worker(9)
    with pytest.raises(ValueError, match="quick"):
        await until_first(slow.work(), Worker(1, ValueError("quick")).work())
    assert slow.ended == "cancelled"


async def test_an_error_counts_beside_another_that_ends_well_at_the_same_moment() -> None:
    with pytest.raises(ValueError, match="one"):
        await until_first(
            Worker(1).work(), Worker(1, ValueError("one")).work(), Worker(1, ValueError("two")).work()
        )


async def test_who_is_cancelled_cancels_all_of_them() -> None:
    one, two = Worker(9), Worker(9)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await until_first(one.work(), two.work())
    assert (one.ended, two.ended) == ("cancelled", "cancelled")


async def test_what_fails_while_it_is_cancelled_hides_nothing() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(9)
        finally:
            raise ValueError("on the way out")

    await until_first(Worker(1).work(), stubborn())
