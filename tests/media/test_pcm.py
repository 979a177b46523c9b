"""Arithmetic on PCM, held against the same by a loop over the samples."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.media.pcm import QUIET, Lanes, factor_of, side_by_side
from tests.media.hearing import samples

LANES = Lanes(8)
frames = st.lists(st.integers(-32768, 32767), min_size=4, max_size=4)


def pcm(values: list[int]) -> bytes:
    return struct.pack(f"<{len(values)}h", *values)


@given(st.lists(frames, min_size=1, max_size=20))
def test_a_sum_saturates(spoken: list[list[int]]) -> None:
    voices = [LANES.voice(pcm(values)) for values in spoken]
    total = sum(even for even, _ in voices), sum(odd for _, odd in voices)
    expected = tuple(max(-32768, min(32767, sum(column))) for column in zip(*spoken, strict=True))
    assert samples(LANES.pcm(total, len(spoken))) == expected


@given(frames, st.sampled_from([-40.0, -6.0, 0.0, 6.0, 20.0]))
def test_gain_is_within_one_step(values: list[int], gain: float) -> None:
    factor = round(factor_of(gain) * 2048) / 2048
    for got, value in zip(samples(LANES.gained(pcm(values), factor)), values, strict=True):
        assert abs(got - max(-32768, min(32767, value * factor))) <= 1


@pytest.mark.parametrize(("peak", "silent"), [(0, True), (QUIET - 1, True), (-QUIET, True), (QUIET, False)])
def test_silence_stays_below_a_level(peak: int, silent: bool) -> None:
    assert LANES.is_silent(LANES.voice(pcm([0, 0, 0, peak]))) is silent


def test_stereo_has_the_two_in_turn() -> None:
    assert samples(side_by_side(pcm([1, 2]), pcm([3, 4]))) == (1, 3, 2, 4)
