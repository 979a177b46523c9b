"""ITU-T G.107: points that are in its tables, or follow from them."""

from __future__ import annotations

import pytest

from sipstack.rtp.quality import Impairment, mean_opinion_score, rating, score_of


def test_a_call_without_impairment_has_the_best_rating() -> None:
    assert rating(0, 0) == pytest.approx(93.2)
    assert mean_opinion_score(0, 0) == pytest.approx(4.41, abs=0.01)


@pytest.mark.parametrize(("r", "score"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_ratings_are_scores_as_in_table_b_1(r: float, score: float) -> None:
    assert score_of(r) == pytest.approx(score, abs=0.01)


def test_loss_and_delay_cost() -> None:
    """Id of 0.024 d, and 0.11 more for each millisecond over 177.3; Ie-eff of 95 P / (P + Bpl)."""
    assert rating(0.0, 0.1) == pytest.approx(93.2 - 2.4)
    assert rating(0.0, 0.3) == pytest.approx(93.2 - 7.2 - 0.11 * 122.7)
    assert rating(0.05, 0.0) == pytest.approx(93.2 - 95 * 5 / 30.1)


def test_without_concealment_loss_costs_more() -> None:
    assert mean_opinion_score(0.05, 0.1, Impairment(0.0, 4.3)) < mean_opinion_score(0.05, 0.1) - 1


@pytest.mark.parametrize(("loss", "delay"), [(1.0, 10.0), (7.0, 0.0), (0.5, 1.0)])
def test_there_is_a_worst(loss: float, delay: float) -> None:
    assert 1.0 <= mean_opinion_score(loss, delay) < 1.6


def test_more_received_than_sent_is_no_loss() -> None:
    assert rating(-0.5, -1.0) == rating(0, 0)


def test_the_more_is_lost_the_worse_it_is() -> None:
    scores = [mean_opinion_score(percent / 100, 0.1) for percent in range(40)]
    assert scores == sorted(scores, reverse=True)
