"""Five seconds of calls that come and go leave nothing behind."""

from __future__ import annotations

import sys

import pytest

from interop.bench.churn import churn


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="descriptors are counted in /proc")
async def test_five_seconds_of_a_thousand_calls_a_minute_leave_nothing() -> None:
    outcome = await churn(1000.0, 5.0)
    assert outcome.clean, outcome
    assert outcome.calls == 83
