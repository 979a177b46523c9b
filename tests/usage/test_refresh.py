"""When a binding is refreshed: in time for attempts that are lost."""

from __future__ import annotations

import random

import pytest

from sipstack.identifiers import Identifiers
from sipstack.usage.refresh import refresh_after

SEEDS = range(30)


@pytest.mark.parametrize(
    ("granted", "earliest", "latest"),
    [
        (60, 16.6, 20),
        (120, 40, 48),
        (300, 190, 228),
        (600, 440, 528),
        (720, 540, 648),
        (3600, 2700, 3240),
        (3, 0.83, 1),
    ],
)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_rule(granted: float, earliest: float, latest: float, seed: int) -> None:
    wait = refresh_after(granted, 32.0, Identifiers(random.Random(seed)))
    assert earliest <= wait <= latest


@pytest.mark.parametrize("granted", [120, 300, 600, 3600])
@pytest.mark.parametrize("seed", SEEDS)
def test_two_attempts_that_are_lost_fit_before_the_end(granted: float, seed: int) -> None:
    assert granted - refresh_after(granted, 32.0, Identifiers(random.Random(seed))) >= 2 * 32.0


def test_clients_do_not_come_back_in_step() -> None:
    waits = {refresh_after(600, 32.0, Identifiers(random.Random(seed))) for seed in SEEDS}
    assert len(waits) == len(SEEDS)
