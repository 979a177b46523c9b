"""Hold in the middle of what is done in a call."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import pytest

import sipstack
from sipstack.cli.holding import hold_beside
from sipstack.cli.report import Event, Teller
from sipstack.errors import CallEnded, RequestFailed
from sipstack.message import Response

pytestmark = pytest.mark.virtual_time


class Reported:
    """What a run is told."""

    def __init__(self) -> None:
        self.call_id: str | None = None
        self.events: list[Event] = []

    @property
    def report(self) -> Teller:
        return self

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def waiting(self, doing: str) -> AbstractContextManager[object]:
        return nullcontext()


class HeldCall:
    """As much of a call as can be held; ``failure`` is what its re-INVITE comes to."""

    id, local, remote = "c1", "sip:alice@example.com", "sip:bob@example.com"

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.holds: list[float] = []

    async def hold(self) -> None:
        self.holds.append(asyncio.get_running_loop().time())
        if self.failure is not None:
            raise self.failure

    async def ended(self) -> CallEnded:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("it never ends")


async def hold(call: HeldCall, after: float, work: Any, *, to_come: bool) -> tuple[float, list[str]]:
    """How long it took, and the events."""
    run, loop = Reported(), asyncio.get_running_loop()
    began = loop.time()
    await hold_beside(run, cast(sipstack.Call, call), after, work, 7, to_come=to_come)
    assert all(event.number == 7 and event.call_id == "c1" for event in run.events)
    return loop.time() - began, [event.event for event in run.events]


@pytest.mark.parametrize("failure", [RequestFailed(Response(488)), CallEnded("remote")], ids=repr)
async def test_a_hold_that_fails_ends_what_is_done_beside(failure: Exception) -> None:
    cancelled = []

    async def talk() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    with pytest.raises(type(failure)):
        await hold(HeldCall(failure), 2, talk(), to_come=False)
    assert cancelled == [True]


async def test_work_that_fails_is_told_and_nobody_is_held() -> None:
    call = HeldCall()

    async def talk() -> None:
        await asyncio.sleep(1)
        raise CallEnded("remote")

    with pytest.raises(CallEnded):
        await hold(call, 2, talk(), to_come=True)
    await asyncio.sleep(10)
    assert call.holds == []


@pytest.mark.parametrize(
    ("talk", "to_come", "seconds", "events"),
    [(5, False, 5, ["held"]), (1, False, 1, []), (5, True, 5, ["held"]), (1, True, 2, ["held"])],
)
async def test_the_end_is_that_of_the_work_or_of_the_hold_that_is_to_come(
    talk: float, to_come: bool, seconds: float, events: list[str]
) -> None:
    call = HeldCall()
    took, told = await hold(call, 2, asyncio.sleep(talk), to_come=to_come)
    assert took == pytest.approx(seconds, abs=0.001)
    assert told == events
    assert len(call.holds) == len(events)
