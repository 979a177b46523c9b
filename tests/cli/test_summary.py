"""The figures of many calls."""

from __future__ import annotations

import json

import pytest

from sipstack.cli.summary import Tally, details, headline, percentile


def test_percentiles_are_values_that_were_there() -> None:
    hundred = [float(value) for value in range(1, 101)]
    assert [percentile(hundred, each) for each in (0, 1, 50, 90, 95, 99, 100)] == [1, 1, 50, 90, 95, 99, 100]
    assert [percentile([7.0], each) for each in (0, 50, 100)] == [7, 7, 7]
    assert percentile([1.0, 2.0, 3.0], 50) == 2
    assert percentile([1.0, 2.0], 50) == 1


def test_nobody_answered() -> None:
    tally = Tally(3)
    for late in (0.0, 0.01, 0.02):
        tally.started(late)
    tally.fail("486")
    tally.fail("no answer")
    tally.fail("486")
    figures = tally.figures(12.3456)
    assert figures == {
        "calls": 3,
        "placed": 3,
        "answered": 0,
        "failed": 3,
        "interrupted": 0,
        "seconds": 12.346,
        "late": 0.02,
        "statuses": {"486": 2, "no answer": 1},
        "setup": None,
    }
    assert list(headline(figures)) == ["3 calls", "0 answered", "3 failed", "12.3 s"]
    assert list(details(figures)) == [("486", "2"), ("no answer", "1")]


def test_no_call_was_placed() -> None:
    figures = Tally(10).figures(0.0)
    assert list(headline(figures)) == ["0 of 10 calls", "0 answered", "0 failed", "0 ms"]
    assert list(details(figures)) == []


def test_all_of_it() -> None:
    tally = Tally(1000)
    for number in range(1, 201):
        tally.started(1.25 if number == 7 else 0.0)
        tally.answered(number / 100)
        tally.done("200")
    for _ in range(4):
        tally.started(0.0)
        tally.interrupt()
    figures = tally.figures(60.0)
    assert figures["setup"] == {
        "min": 0.01,
        "mean": 1.005,
        "p50": 1.0,
        "p90": 1.8,
        "p95": 1.9,
        "p99": 1.98,
        "max": 2.0,
    }
    assert json.loads(json.dumps(figures)) == figures
    assert ", ".join(headline(figures)) == "204 of 1000 calls, 200 answered, 0 failed, 4 interrupted, 60.0 s"
    assert dict(details(figures)) == {
        "200": "200",
        "set-up": "min 10 ms, mean 1.0 s, p50 1.0 s, p90 1.8 s, p95 1.9 s, p99 2.0 s, max 2.0 s",
        "late": "a call began up to 1.2 s after its time: --parallel, or a busy machine",
    }


def test_what_is_kept_of_a_call_is_bounded() -> None:
    tally = Tally(100_000)
    for number in range(10_000):
        tally.started(0.0)
        tally.answered(0.1)
        tally.done("200")
        tally.fail(str(number % 400 + 300))
    assert tally._setup.itemsize == 8
    assert len(tally._statuses) == 401
    assert tally.figures(1.0)["statuses"]["300"] == 25


@pytest.mark.parametrize("seconds", [0.0, 0.0499])
def test_hardly_late_is_not_worth_telling(seconds: float) -> None:
    tally = Tally(1)
    tally.started(seconds)
    assert "late" not in dict(details(tally.figures(1.0)))
