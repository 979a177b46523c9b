"""What one link does to one datagram."""

from __future__ import annotations

import random

import pytest

from sipstack.testing.link import PERFECT, Link


@pytest.mark.parametrize(
    "figures",
    [
        {"delay": -0.1},
        {"jitter": -0.1},
        {"hold": -0.1},
        {"loss": 1.1},
        {"loss": -0.1},
        {"duplicate": 2.0},
        {"reorder": float("nan")},
    ],
    ids=str,
)
def test_figures_that_mean_nothing_are_refused(figures: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(figures))):
        Link(**figures)


def test_a_perfect_link_carries_at_once() -> None:
    assert [PERFECT.carry(random.Random(seed)) for seed in range(100)] == [[0.0]] * 100


def test_a_lossy_link_loses_its_share() -> None:
    source = random.Random(1)
    carried = [Link(loss=0.25).carry(source) for _ in range(4000)]
    assert carried.count([]) == pytest.approx(1000, rel=0.1)
    assert {len(transits) for transits in carried} == {0, 1}


def test_a_dead_link_loses_everything_even_duplicates() -> None:
    assert Link(loss=1.0, duplicate=1.0).carry(random.Random(1)) == []


def test_both_copies_of_a_duplicate_draw_their_own_jitter() -> None:
    first, second = Link(delay=1.0, jitter=0.5, duplicate=1.0).carry(random.Random(1))
    assert first != second
    assert 1.0 <= min(first, second) <= max(first, second) < 1.5


def test_a_reordered_datagram_is_held_back() -> None:
    assert Link(delay=0.02, reorder=1.0, hold=0.5).carry(random.Random(1)) == [0.52]


@pytest.mark.parametrize(
    "link", [PERFECT, Link(loss=1.0), Link(duplicate=1.0, reorder=0.5, jitter=3.0)], ids=str
)
def test_a_link_draws_the_same_count_of_numbers_whatever_happens(link: Link) -> None:
    source, other = random.Random(7), random.Random(7)
    link.carry(source)
    Link(delay=1.0).carry(other)
    assert source.getstate() == other.getstate()
