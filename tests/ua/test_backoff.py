"""The waits before trying again."""

from __future__ import annotations

import random

import pytest

from sipstack import Backoff
from sipstack.identifiers import Identifiers
from sipstack.ua.backoff import ANOTHER_FLOW, NO_FLOW


def waits(backoff: Backoff, seed: int, count: int = 9) -> list[float]:
    identifiers = Identifiers(random.Random(seed))
    return [backoff.wait(failures, identifiers) for failures in range(1, count + 1)]


@pytest.mark.parametrize("seed", range(20))
def test_the_waits_double_up_to_the_longest_and_vary_by_a_half(seed: int) -> None:
    longest = (1, 2, 4, 8, 16, 32, 60, 60, 60)
    assert all(most / 2 <= wait <= most for wait, most in zip(waits(Backoff(), seed), longest, strict=True))


def test_two_agents_do_not_come_back_in_step() -> None:
    assert not set(waits(Backoff(), 1)) & set(waits(Backoff(), 2))


@pytest.mark.parametrize(
    ("backoff", "longest"),
    [
        (NO_FLOW, (60, 120, 240, 480, 960, 1800, 1800)),
        (ANOTHER_FLOW, (180, 360, 720, 1440, 1800, 1800, 1800)),
    ],
    ids=["no flow", "another flow"],
)
@pytest.mark.parametrize("seed", range(20))
def test_the_table_of_rfc_5626_appendix_a(backoff: Backoff, longest: tuple[int, ...], seed: int) -> None:
    """W = min(1800, base * 2^failures), base 30 s or 90 s; 50 to 100 % of it (§4.5)."""
    assert all(most / 2 <= wait <= most for wait, most in zip(waits(backoff, seed, 7), longest, strict=True))


def test_a_year_of_failures_is_no_longer_than_the_longest() -> None:
    assert Backoff(1, 60).wait(100_000, Identifiers(random.Random(1))) <= 60
