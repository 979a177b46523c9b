"""Compare a recording with what was played: how similar it is, and by how much it is delayed.

The delay is found in two steps: by the loudness of blocks of 10 ms, then sample by sample. Each half second
is aligned by itself, near the common delay: a jitter buffer may shift speech by a packet or two while it
adapts.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Sequence
from operator import mul
from statistics import median

import attrs

BLOCK = 0.010  # seconds of one loudness value
SEGMENT = 0.5  # seconds that are aligned as one
DRIFT = 0.060  # seconds that one segment may differ from the common delay
CLEAR = 0.99  # from this correlation on, no better lag is searched for
STRIDE = 4  # a search compares each fourth sample


@attrs.frozen
class Comparison:
    """``similarity`` is the mean correlation, 1.0 for the same waveform; ``delay`` is in seconds."""

    similarity: float
    delay: float


def compare(played: Sequence[int], recorded: Sequence[int], rate: int) -> Comparison:
    """Compare samples at ``rate`` a second. What is recorded after the end of ``played`` does not count."""
    block = round(BLOCK * rate)
    coarse = _best(_loudness(played, block), _loudness(recorded, block)) * block
    length, drift = round(SEGMENT * rate), round(DRIFT * rate)
    lag = coarse
    weights, correlations, lags = [], [], []
    for start in range(0, len(played) - length + 1, length):
        segment = played[start : start + length]
        weight = sum(map(mul, segment, segment))
        if not weight:
            continue
        correlation, lag = _align(segment, recorded, start, lag, range(coarse - drift, coarse + drift))
        weights.append(weight)
        correlations.append(correlation)
        lags.append(lag)
    total = sum(weights)
    similarity = sum(map(mul, weights, correlations)) / total if total else 0.0
    return Comparison(similarity, median(lags) / rate if lags else 0.0)


def _align(
    segment: Sequence[int], recorded: Sequence[int], start: int, lag: int, lags: range
) -> tuple[float, int]:
    """The best correlation of ``segment``, and its lag; the lag of the segment before is tried first."""
    correlation = _correlation(segment, recorded, start + lag)
    if correlation >= CLEAR:
        return correlation, lag
    thin = segment[::STRIDE]
    near = max(lags, key=lambda lag: _correlation(thin, recorded, start + lag, STRIDE))
    around = range(near - STRIDE, near + STRIDE + 1)
    return max((_correlation(segment, recorded, start + lag), lag) for lag in around)


def _best(played: Sequence[int], recorded: Sequence[int]) -> int:
    """The lag at which two loudness curves agree best."""
    lags = range(max(1, len(recorded) - len(played) // 2))
    return max(lags, key=lambda lag: _correlation(played, recorded, lag))


def _loudness(samples: Sequence[int], block: int) -> list[int]:
    """The loudness of each block, around its mean, so that constant noise does not count."""
    sums = [sum(map(abs, samples[start : start + block])) for start in range(0, len(samples), block)]
    mean = sum(sums) // len(sums) if sums else 0
    return [value - mean for value in sums]


def _correlation(played: Sequence[int], recorded: Sequence[int], start: int, stride: int = 1) -> float:
    """The normalised correlation with each ``stride``-th value of the recording, from ``start`` on."""
    if start < 0:
        return 0.0
    window = recorded[start : start + len(played) * stride : stride]
    energy = math.sqrt(sum(map(mul, played, played)) * sum(map(mul, window, window)))
    return sum(map(mul, played, window)) / energy if energy else 0.0


def samples(pcm: bytes) -> array[int]:
    """The samples of little-endian signed 16-bit PCM."""
    values = array("h", pcm[: len(pcm) // 2 * 2])
    if sys.byteorder == "big":
        values.byteswap()
    return values
