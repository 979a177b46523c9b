"""A call that goes on, whatever comes to its ports: a second of it for each kind of protection."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.media import corpus, search, spoiled


@pytest.mark.parametrize("seed", range(3))
def test_a_second_of_spoiled_packets_ends_nothing(seed: int) -> None:
    assert search(1.0, seed) > 200


@pytest.mark.parametrize("security", ["sdes", "opportunistic"])
def test_nor_does_it_end_a_call_with_keys(security: str) -> None:
    pytest.importorskip("pylibsrtp", reason="SRTP needs the extra media")
    assert search(1.0, 1, security) > 200


def test_the_same_seed_spoils_the_same() -> None:
    one, two = ([spoiled(corpus(), source) for _ in range(50)] for source in map(random.Random, (5, 5)))
    assert one == two
    assert len(set(one)) > 30
