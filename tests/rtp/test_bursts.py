"""RFC 3611 §4.7.2: bursts and gaps, by patterns that can be counted by hand."""

from __future__ import annotations

import random

import pytest

from sipstack.rtp.bursts import GMIN, Bursts, Pattern
from sipstack.rtp.reception import Source


def heard(pattern: str) -> Source:
    """What came (``+``) and did not (``-``), by sequence number; the first came."""
    source = Source(7, 0, 8000)
    for number, came in enumerate(pattern):
        if came == "+":
            source.count(number & 0xFFFF, number * 0.02)
    return source


def pattern(of: str) -> Pattern:
    source = heard(of)
    return source.bursts.pattern(source.whole)


def test_without_loss_all_is_one_gap() -> None:
    assert pattern("+" * 50) == Pattern(0.0, 0.0, 0.0, 50.0)


def test_before_anything_came_there_is_nothing() -> None:
    assert Bursts().pattern(0) == Pattern(0.0, 0.0, 0.0, 0.0)


def test_losses_far_apart_are_of_the_gap() -> None:
    """Two of 62: the definition of a gap allows one in 16."""
    assert pattern("+" * 20 + "-" + "+" * 20 + "-" + "+" * 20) == Pattern(0.0, 2 / 62, 0.0, 62.0)


def test_losses_in_a_row_are_a_burst_of_nothing_else() -> None:
    found = pattern("+" * 40 + "----" + "+" * 40)
    assert found.burst_density == pytest.approx(1.0, abs=0.26)
    assert found.gap_density == 0.0
    assert found.burst_length == 4.0
    assert found.gap_length == pytest.approx(80, abs=1)


def test_a_burst_lasts_from_its_first_loss_to_its_last() -> None:
    found = pattern("+" * 30 + "-++-+-" + "+" * 30 + "--" + "+" * 30)
    assert found.burst_length == pytest.approx((6 + 2) / 2)
    assert found.burst_density == pytest.approx(5 / 8, abs=0.1)
    assert found.gap_length == pytest.approx(45, abs=1)


@pytest.mark.parametrize(("between", "bursts"), [(GMIN - 1, True), (GMIN, False)])
def test_sixteen_that_come_end_a_burst(between: int, bursts: bool) -> None:
    found = pattern("+" * 20 + "-" + "+" * between + "-" + "+" * 20)
    assert (found.burst_length > 0) is bursts


def test_more_than_65536_without_loss_are_not_forgotten() -> None:
    assert pattern("+" * 70_000 + "-" + "+" * 20).gap_length == 70_021


@pytest.mark.parametrize("loss", [0.01, 0.1, 0.5, 0.95])
def test_shares_are_shares(loss: float) -> None:
    numbers = random.Random(3)
    found = pattern("+" + "".join("-" if numbers.random() < loss else "+" for _ in range(2000)))
    assert 0 <= found.gap_density <= 1 / GMIN + 0.01
    assert 0 <= found.burst_density <= 1
    assert found.burst_density >= found.gap_density or not found.burst_length
