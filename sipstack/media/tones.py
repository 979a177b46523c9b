"""Generated audio: the same samples in every run."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable

from sipstack.media.io import PcmSource

MELODY = (523.25, 659.26, 783.99, 659.26, 1046.50)
"""C E G E C', in Hz."""


def sine(frequency: float, duration: float, *, level: float = -6.0, sample_rate: int = 8000) -> PcmSource:
    """A pure tone of ``duration`` seconds at ``level`` dB of full scale.

    Looped, it goes on without a click when ``frequency * duration`` is a whole number.
    """
    amplitude = 32767 * 10 ** (level / 20)
    step = 2 * math.pi * frequency / sample_rate
    samples = round(duration * sample_rate)
    return PcmSource(_pcm(amplitude * math.sin(step * index) for index in range(samples)), sample_rate)


def melody(
    notes: Iterable[float] = MELODY, *, note: float = 0.36, level: float = -6.0, sample_rate: int = 8000
) -> PcmSource:
    """A tune of struck notes, each ``note`` seconds long and dying away."""
    amplitude = 32767 * 10 ** (level / 20)
    samples = round(note * sample_rate)
    envelope = [amplitude * _strike(index / sample_rate, note) for index in range(samples)]
    steps = [2 * math.pi * frequency / sample_rate for frequency in notes]
    played = (envelope[index] * math.sin(step * index) for step in steps for index in range(samples))
    return PcmSource(_pcm(played), sample_rate)


def _strike(time: float, note: float) -> float:
    """The envelope: up in 8 ms, then an exponential decay that ends in nothing."""
    return min(time / 0.008, 1.0) * (math.exp(-5 * time) - math.exp(-5 * note))


def _pcm(samples: Iterable[float]) -> bytes:
    values = [round(sample) for sample in samples]
    return struct.pack(f"<{len(values)}h", *values)
