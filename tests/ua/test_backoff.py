"""The waits before trying again."""

from __future__ import annotations

import random
from itertools import islice

import pytest

from sipstack import Backoff
from sipstack.identifiers import Identifiers


@pytest.mark.parametrize("seed", range(20))
def test_the_waits_double_up_to_the_longest_and_vary_by_a_half(seed: int) -> None:
    waits = list(islice(Backoff(1, 60).delays(Identifiers(random.Random(seed))), 9))
    assert all(
        most / 2 <= wait <= most for wait, most in zip(waits, (1, 2, 4, 8, 16, 32, 60, 60, 60), strict=True)
    )


def test_two_agents_do_not_come_back_in_step() -> None:
    one, other = (list(islice(Backoff().delays(Identifiers(random.Random(seed))), 5)) for seed in (1, 2))
    assert not set(one) & set(other)
