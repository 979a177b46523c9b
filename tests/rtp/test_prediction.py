"""Pitch and spectrum of voices that are known."""

from __future__ import annotations

import math
import random

import pytest

from sipstack.rtp.prediction import Continuation, filter_of, order, pitch

RATES = (8000, 16000, 48000)


def _pulses(rate: int, period: int, count: int) -> list[float]:
    """What the voice cords do, heard through a mouth with one resonance at 500 Hz."""
    samples = [0.0, 0.0]
    first, second = 2 * 0.97 * math.cos(2 * math.pi * 500 / rate), -(0.97**2)
    for at in range(count):
        pulse = 8000.0 if at % period == 0 else 0.0
        samples.append(pulse + first * samples[-1] + second * samples[-2])
    return samples[2:]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("milliseconds", [4, 6, 9, 14])
def test_the_pitch_is_found(rate: int, milliseconds: int) -> None:
    period = rate * milliseconds // 1000
    lag, likeness = pitch(_pulses(rate, period, 4 * period + rate // 500), rate)
    assert lag % period in (0, 1, period - 1)
    assert likeness > 0.95


def test_a_hiss_has_no_pitch() -> None:
    numbers = random.Random(3)
    _, likeness = pitch([numbers.gauss(0, 1000) for _ in range(320)], 8000)
    assert likeness < 0.5


@pytest.mark.parametrize("samples", [[], [1.0], [0.0] * 320, [5.0] * 40])
def test_what_is_too_short_or_silent_has_no_pitch(samples: list[float]) -> None:
    assert pitch(samples, 8000) == (0, 0.0)


def test_the_filter_predicts_a_resonance() -> None:
    """A noise through two poles: the nearest coefficients are those that it was made with."""
    numbers = random.Random(5)
    samples = [0.0, 0.0]
    for _ in range(4000):
        samples.append(numbers.gauss(0, 300) + 1.5 * samples[-1] - 0.8 * samples[-2])
    filters = [filter_of(samples[:end], 8000) for end in range(400, 4000, 100)]
    nearest = [sum(each[-place] for each in filters if each) / len(filters) for place in (1, 2)]
    assert nearest == pytest.approx([1.5, -0.8], abs=0.1)


def test_silence_has_no_filter() -> None:
    assert filter_of([0.0] * 160, 8000) is None
    assert Continuation([0.0] * 160, 8000).take(5) == [0.0] * 5


@pytest.mark.parametrize("samples", [[], [7.0], [1000.0] * 20])
def test_too_little_to_go_on_from_is_silence(samples: list[float]) -> None:
    assert Continuation(samples, 8000).take(3) == [0.0] * 3


@pytest.mark.parametrize("rate", RATES)
def test_a_voice_goes_on(rate: int) -> None:
    period, known, more = rate // 125, rate * 3 // 100, rate // 50
    voice = _pulses(rate, period, known + more)
    going_on = Continuation(voice[:known], rate)
    made_up = going_on.take(more // 2) + going_on.take(more - more // 2)
    error = sum((one - other) ** 2 for one, other in zip(voice[known:], made_up, strict=True))
    assert error < 0.1 * sum(sample * sample for sample in voice[known:])


@pytest.mark.parametrize("seed", range(10))
def test_it_never_grows_beyond_bounds(seed: int) -> None:
    """Growing voices, square waves and clicks: the filter is stable."""
    numbers = random.Random(seed)
    samples = [numbers.choice((-1, 1)) * 32767.0 * (at / 240) ** numbers.randint(0, 9) for at in range(240)]
    made_up = Continuation(samples, 8000).take(4000)
    assert max(map(abs, made_up)) < 8 * 32768
    assert len(made_up) == 4000
    assert order(8000) < order(16000)
