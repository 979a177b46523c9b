"""The search for the highest rate, against servers whose ceiling is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from interop.bench.rate_search import Run, ceiling


def server(limit: float, flukes: int = 0) -> Callable[[int], Run]:
    """A server that carries ``limit`` calls a second, and spoils its first ``flukes`` runs."""
    left = [flukes]

    def attempt(rate: int) -> Run:
        left[0] -= 1
        repeated = 1 if rate > limit or left[0] >= 0 else 0
        return Run(rate, float(rate), rate, failed=0, retransmissions=repeated, cpu_us=100.0, steal=0.0)

    return attempt


@pytest.mark.parametrize("limit", [1, 7, 90, 1000, 1001, 20_250])
def test_the_ceiling_is_found_from_either_side(limit: int) -> None:
    best = ceiling(server(limit), start=1000)
    assert best is not None
    assert limit / 1.06 - 1 <= best.rate <= limit


def test_a_single_bad_run_does_not_count() -> None:
    best = ceiling(server(1000, flukes=2), start=1000, tries=3)
    assert best is not None
    assert best.rate == 1000


def test_a_server_that_carries_nothing_has_no_ceiling() -> None:
    assert ceiling(server(0), start=1000) is None


def test_a_client_that_cannot_go_faster_ends_the_climb() -> None:
    def attempt(rate: int) -> Run:
        return Run(rate, min(rate, 3000.0), rate, failed=0, retransmissions=0, cpu_us=100.0, steal=0.0)

    best = ceiling(attempt, start=1000)
    assert best is not None
    assert best.rate == 3000
