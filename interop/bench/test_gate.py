"""The regression gate itself: it passes within the budget, and fails on a planted slowdown."""

from __future__ import annotations

import shutil

import pytest

from interop.bench import gate
from interop.bench.gate import Verdict


@pytest.mark.parametrize(
    ("cost", "kept"), [(0.5, True), (1.0, True), (gate.TOLERANCE, True), (1.16, False), (3.0, False)]
)
def test_a_cost_may_exceed_its_budget_by_the_tolerance(cost: float, kept: bool) -> None:
    assert Verdict("call", cost, budget=1.0).kept is kept


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="there is no valgrind on PATH")
def test_a_planted_slowdown_closes_the_gate() -> None:
    honest, planted = gate.costs(), gate.costs(planted=0.3)
    verdicts = [Verdict(name, planted[name], budget=honest[name]) for name in honest]
    assert [verdict.name for verdict in verdicts if not verdict.kept] == ["parse", "respond", "call", "place"]
