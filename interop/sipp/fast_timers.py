"""Timers five times as fast as those of the RFC, for tests that wait for 64*T1."""

from __future__ import annotations

import pytest

from sipstack import Timers

T1 = 0.1
TIMERS = Timers(t1=T1, t2=8 * T1, t4=10 * T1)

fast_timers = pytest.mark.parametrize("agent", [TIMERS], indirect=True, ids=["fast_timers"])
"""Marks a test whose ``agent`` has these timers."""
