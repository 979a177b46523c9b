"""For tests that wait for 64*T1: an agent whose timers run five times as fast as the RFC's."""

from __future__ import annotations

import pytest

from sipstack import Timers

T1 = 0.1
TIMERS = Timers(t1=T1, t2=8 * T1, t4=10 * T1)

hasty = pytest.mark.parametrize("agent", [TIMERS], indirect=True, ids=["hasty"])
"""Marks a test whose ``agent`` is to be so."""
