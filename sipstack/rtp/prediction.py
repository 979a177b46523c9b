"""How a piece of speech goes on: linear prediction of its spectrum, excited by its last pitch period again.

The voice is modelled as G.728's and G.729's concealment do it: a filter (the mouth) and what excites it (the
voice cords). Samples are floats here, in the range of 16-bit PCM.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from functools import lru_cache

if sys.version_info >= (3, 12):
    from math import sumprod
else:
    from operator import mul

    def sumprod(p: Sequence[float], q: Sequence[float], /) -> float:
        """The dot product."""
        product: float = sum(map(mul, p, q))
        return product


SHORTEST, LONGEST = 0.0025, 0.015
"""Seconds of a pitch period: from 400 Hz down to 67 Hz."""
MATCHED = 0.0075
"""Seconds that are compared with what was a pitch period before."""
ANALYSED = 0.02
"""Seconds that the spectrum is taken from."""
COARSE = 4000
"""Hertz at which the pitch is sought first."""


def order(sample_rate: int) -> int:
    """Coefficients of the filter."""
    return 12 if sample_rate <= 8000 else 18


def pitch(samples: Sequence[float], sample_rate: int) -> tuple[int, float]:
    """The lag in samples at which the end of ``samples`` is most like what came before, and how like it is,
    at most 1. (0, 0.0) when there is too little to compare.
    """
    step = max(1, sample_rate // COARSE)
    coarse = samples[len(samples) % step :]
    coarse = (
        [sum(coarse[place : place + step]) for place in range(0, len(coarse), step)] if step > 1 else coarse
    )
    matched = int(MATCHED * sample_rate) // step
    low, high = int(SHORTEST * sample_rate) // step, int(LONGEST * sample_rate) // step
    lag, likeness = _best_lag(coarse, matched, low, high)
    if step > 1 and lag:
        low, high = max(lag * step - step, step), lag * step + step
        lag, likeness = _best_lag(samples, matched * step, low, high)
    return lag, likeness


def _best_lag(samples: Sequence[float], matched: int, low: int, high: int) -> tuple[int, float]:
    """By normalised cross-correlation."""
    start = len(samples) - matched
    end = samples[start:]
    energy = sumprod(end, end)
    high = min(high, start)
    best, best_lag = 0.0, 0
    place = max(start - low, 0)
    earlier = samples[place : place + matched]
    earlier_energy = sumprod(earlier, earlier)
    for lag in range(low, high + 1):
        place = start - lag
        likeness = sumprod(end, samples[place : place + matched])
        if likeness > 0.0:
            likeness /= math.sqrt(energy * earlier_energy)
            if likeness > best:
                best, best_lag = likeness, lag
        if place:
            before, last = samples[place - 1], samples[place + matched - 1]
            earlier_energy += before * before - last * last
    return best_lag, best


def filter_of(samples: Sequence[float], sample_rate: int) -> list[float] | None:
    """The prediction filter for the end of ``samples``, for those before in their order; None for silence.

    By autocorrelation and the Levinson-Durbin recursion, so that it is always stable.
    """
    window = _window(min(int(ANALYSED * sample_rate), len(samples)))
    weighted = [sample * weight for sample, weight in zip(samples[-len(window) :], window, strict=True)]
    count = order(sample_rate)
    correlation = [sumprod(weighted[: len(weighted) - lag], weighted[lag:]) for lag in range(count + 1)]
    if correlation[0] < len(window):
        return None
    error = correlation[0] * 1.0001 + 1.0
    forward: list[float] = []  # the nearest sample's coefficient comes first
    for size in range(1, count + 1):
        rest = correlation[size] - sumprod(forward, correlation[size - 1 : 0 : -1])
        reflection = rest / error
        forward = [a - reflection * b for a, b in zip(forward, reversed(forward), strict=True)]
        forward.append(reflection)
        error *= 1.0 - reflection * reflection
    return forward[::-1]


@lru_cache(maxsize=8)
def _window(count: int) -> tuple[float, ...]:
    """G.729's: it weighs the end most, and falls over the last eighth."""
    fall = count // 8
    rise = count - fall
    return (
        *(math.sin(math.pi / 2 * place / rise) for place in range(rise)),
        *(math.cos(math.pi / 2 * place / fall) for place in range(fall)),
    )


class Continuation:
    """Goes on from the end of ``samples``, as long as it is asked."""

    __slots__ = ("_excitation", "_filter", "_place", "_tail")

    def __init__(self, samples: Sequence[float], sample_rate: int) -> None:
        count = order(sample_rate)
        self._filter = filter_of(samples, sample_rate) if len(samples) >= 2 * count else None
        self._place = 0
        self._tail = list(samples[-count:])
        self._excitation = [0.0]
        if self._filter is not None:
            lag, likeness = pitch(samples, sample_rate)
            lag = min(lag, len(samples) - count)
            start = len(samples) - lag
            self._excitation = [
                likeness * (samples[at] - sumprod(self._filter, samples[at - count : at]))
                for at in range(start, len(samples))
            ] or [0.0]

    def take(self, count: int) -> list[float]:
        """The next ``count`` samples."""
        coefficients = self._filter
        if coefficients is None:
            return [0.0] * count
        size, excitation, place = len(coefficients), self._excitation, self._place
        samples = self._tail
        period = len(excitation)
        for start in range(count):
            samples.append(
                excitation[(place + start) % period] + sumprod(coefficients, samples[start : start + size])
            )
        self._place = place + count
        self._tail = samples[count:]
        return samples[size:]
