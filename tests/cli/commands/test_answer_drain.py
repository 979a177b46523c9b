"""``sipstack answer --drain S``: told to leave, it lets calls end."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import CallRejected
from sipstack.cli.status import ExitStatus
from tests.cli.running import ANY_PORT, Command, agent, command

ANSWER = ("answer", *ANY_PORT, "--json", "--echo", "--drain")


async def contact(run: Command) -> str:
    local = (await run.event("listening"))["local"]
    assert isinstance(local, str)
    return local


async def test_a_call_under_way_goes_on_and_a_new_one_is_refused() -> None:
    async with command(*ANSWER, "20") as run, agent("alice") as alice:
        uri = await contact(run)
        async with alice.call(uri) as call:
            run.interrupt()
            assert (await run.event("draining"))["duration"] == 20.0
            with pytest.raises(CallRejected) as refused:
                async with alice.call(uri):
                    pass
            assert refused.value.status == 503
            await call.hold()
        assert await run.status() == ExitStatus.DONE


async def test_after_its_time_the_call_is_hung_up() -> None:
    async with command(*ANSWER, "0.3") as run, agent("alice") as alice:
        async with alice.call(await contact(run)) as call:
            run.interrupt()
            async with asyncio.timeout(10):
                assert (await call.ended()).by == "remote"
        assert await run.status() == ExitStatus.DONE


async def test_a_second_interrupt_hangs_up() -> None:
    async with command(*ANSWER, "60") as run, agent("alice") as alice:
        async with alice.call(await contact(run)) as call:
            run.interrupt()
            await run.event("draining")
            run.interrupt()
            async with asyncio.timeout(10):
                assert (await call.ended()).by == "remote"
        assert await run.status() == ExitStatus.INTERRUPTED
