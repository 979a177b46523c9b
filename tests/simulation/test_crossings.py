"""Calls in which both sides send requests of every kind at any moment, over a bad network: both agree.

SIPSTACK_SEEDS sets how many calls there are (1,000 unless told).
"""

from __future__ import annotations

import contextlib
import os
import random
from functools import partial

import pytest

from sipstack.errors import LocalProtocolError
from sipstack.testing.network import Fate
from tests.rfcs.crossing import Crossing
from tests.simulation.users import BAD

SEEDS = int(os.environ.get("SIPSTACK_SEEDS", "1000"))
BLOCK = 50
BLOCKS = [range(first, first + BLOCK) for first in range(0, SEEDS, BLOCK)]
blocks = pytest.mark.parametrize("seeds", BLOCKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
KINDS = ["INVITE", "UPDATE", "bare UPDATE", "refresh", "INFO", "REFER", "MESSAGE", "OPTIONS", "NOTIFY"]
LONGEST = 6.0
"""Seconds in which all of them go out."""


def send(crossing: Crossing, name: str, kind: str) -> None:
    if crossing.sessions[name].is_established:
        with contextlib.suppress(LocalProtocolError):  # an offer of ours is under way
            crossing.send(name, kind)


def call(seed: int, *, requests: int = 12) -> tuple[Crossing, random.Random]:
    """One whose network is good until it stands."""
    crossing, draw = Crossing(referred=True, seed=seed), random.Random(f"crossings {seed}")
    crossing.world.network.set_link(BAD)
    for kind in draw.choices(KINDS, k=requests):
        moment, name = draw.uniform(0.0, LONGEST), draw.choice(["alice", "bob"])
        crossing.world.later(moment, partial(send, crossing, name, kind))
    return crossing, draw


@blocks
def test_a_call_lives_through_them_and_both_hold_the_same(seeds: range) -> None:
    lost = 0
    for seed in seeds:
        crossing, _ = call(seed)
        crossing.world.run(60.0)
        lost += sum(passage.fate is Fate.LOST for passage in crossing.world.trace)
        assert crossing.end() == "lives", f"seed {seed}"
    assert lost > len(seeds)


@blocks
def test_a_call_that_ends_amid_them_is_over_on_both_sides(seeds: range) -> None:
    for seed in seeds:
        crossing, draw = call(seed)
        for name in draw.choice([["alice"], ["bob"], ["alice", "bob"]]):
            crossing.world.later(draw.uniform(0.0, LONGEST), partial(send, crossing, name, "BYE"))
        crossing.world.run(60.0)
        assert crossing.end() == "over", f"seed {seed}"
