"""Calls that are over and not to come back."""

from __future__ import annotations

import pytest

from sipstack.core import tombstones
from sipstack.core.tombstones import Tombstones

ONE, TWO, THREE = ("1", "a", "b"), ("2", "a", "b"), ("3", "a", "b")


def test_each_lasts_for_its_time_however_often_it_is_told() -> None:
    over = Tombstones(32.0)
    over.add(ONE, 0.0)
    over.add(ONE, 20.0)
    over.expire(31.9)
    assert ONE in over
    over.expire(32.0)
    assert ONE not in over
    assert len(over) == 0


def test_when_there_are_too_many_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tombstones, "MOST", 2)
    over = Tombstones(32.0)
    for key in (ONE, TWO, THREE):
        over.add(key, 0.0)
    assert ONE not in over
    assert TWO in over
    assert THREE in over
    over.expire(32.0)
    assert len(over) == 0
