"""Session timers (RFC 4028) towards sipp, which is not to be relied on. It grants less than the least that
the RFC allows, so that this takes seconds.
"""

from __future__ import annotations

import pytest

from interop.sipp.process import Launch
from interop.sipp.test_calls_from_us import ANSWERED, HANGS_UP
from sipstack import UserAgent


async def test_a_refresher_that_vanishes_ends_the_call(agent: UserAgent, sipp: Launch, sealed: bool) -> None:
    """A third of the time before its end."""
    if sealed:
        pytest.skip("the UPDATE that tells a callee its state is an answered refresh, or the end of the call")
    with sipp("uas_refresher_vanishes") as callee:
        async with agent.call(callee.uri) as call:
            ended = await call.ended()
            assert 7.9 <= call.duration <= 9.0
        result = await callee.ended()
    assert (ended.by, ended.reason) == (
        "session timer",
        "the other side has not refreshed the session of 12 s",
    )
    assert result.problems == ""
    assert result.labels == [*ANSWERED, *HANGS_UP]


async def test_we_refresh_until_the_other_side_has_lost_the_call(
    agent: UserAgent, sipp: Launch, sealed: bool
) -> None:
    least = 9.9 if sealed else 14.9  # the first UPDATE tells the state
    with sipp("uas_refreshed") as callee:
        async with agent.call(callee.uri) as call:
            ended = await call.ended()
            assert least <= call.duration <= least + 2.1
        result = await callee.ended()
    assert ended.by == "remote"
    assert result.problems == ""
    refreshed = ["< UPDATE", "> 200 UPDATE"]
    assert result.labels == [*ANSWERED, *refreshed * 2, "< UPDATE", "> 481 UPDATE", *HANGS_UP]
