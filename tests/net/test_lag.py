"""The driver measures how late the loop is, while something comes in."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from sipstack import UserAgent
from sipstack.core.overload import IN_A_ROW
from sipstack.net.driver import PROBE
from sipstack.testing.world import World


@pytest.mark.virtual_time
async def test_nobody_measures_while_nothing_comes(world: World) -> None:
    async with world.user_agent("bob") as bob, world.user_agent("alice") as alice:
        driver, armed = bob._runtime.driver, []
        for pause in (0, 1):
            await asyncio.sleep(pause)
            armed.append(driver._probe is not None)
            assert (await alice.options("sip:bob.test")).status == 200
            armed.append(driver._probe is not None)
        assert armed == [False, True, False, True]
    assert world.leftovers == []


@pytest.mark.virtual_time
async def test_leaving_forgets_the_measurement_under_way(world: World) -> None:
    async with world.user_agent("bob") as bob, world.user_agent("alice") as alice:
        await alice.options("sip:bob.test")
        driver = bob._runtime.driver
    assert driver._probe is None


@pytest.mark.virtual_time
async def test_while_the_loop_is_late_nobody_begins_anything_and_the_log_says_why(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "sipstack")
    async with world.user_agent("bob") as bob, world.user_agent("alice") as alice:
        driver, loop = bob._runtime.driver, asyncio.get_running_loop()
        for _ in range(IN_A_ROW):
            driver._probed(loop.time() - 0.4)
        refused = await alice.options("sip:bob.test")
        assert (refused.status, refused.reason) == (503, "Service Unavailable")
        assert "the event loop is 400 ms late: new requests get 503" in caplog.text
        await asyncio.sleep(1)  # what came was measured, and in time
        assert (await alice.options("sip:bob.test")).status == 200
    lines = [record.getMessage() for record in caplog.records if "late" in record.getMessage()]
    assert lines[1:] == ["the event loop is 0 ms late: new requests are taken again"]


async def test_work_in_a_callback_shows_in_the_measurement() -> None:
    """In real time, for it is this machine's that passes."""
    measured: list[float] = []
    async with UserAgent("sip:bob@127.0.0.1", listen="udp:127.0.0.1:0") as bob:
        driver = bob._runtime.driver

        def lagged(lag: float, now: float) -> bool:
            measured.append(lag)
            return False

        driver.core.lagged = lagged  # type: ignore[method-assign]
        driver.received(driver.endpoints[0].flow_to(driver.endpoints[0].local), b"")
        await asyncio.sleep(0)
        time.sleep(PROBE + 0.05)  # noqa: ASYNC251
        await asyncio.sleep(0.01)
    assert measured[0] >= 0.05
