"""What the tests say where a tone does not do, and what they need for Opus."""

from __future__ import annotations

import math
import struct
from random import Random

import pytest

from sipstack.errors import MediaError


def _has_libopus() -> bool:
    try:
        import sipstack.media.libopus  # noqa: F401
    except MediaError:
        return False
    return True


needs_libopus = pytest.mark.skipif(not _has_libopus(), reason="libopus is not installed (Debian: libopus0)")


def voice(seconds: float, rate: int = 16000, seed: int = 1) -> list[bytes]:
    """Frames of what has pitch, overtones and a rhythm, as speech has; never the same twice."""
    random = Random(seed)
    phase, samples = 0.0, []
    for index in range(int(seconds * rate)):
        time = index / rate
        phase += 2 * math.pi * (140 + 40 * math.sin(2.1 * time) + 15 * math.sin(11 * time)) / rate
        envelope = 0.55 + 0.45 * math.sin(2 * math.pi * 3.3 * time)
        wave = sum(math.sin(overtone * phase) / overtone for overtone in range(1, 9))
        samples.append(int(6000 * envelope * wave + random.gauss(0, 60)))
    step = rate // 50
    return [struct.pack(f"<{step}h", *samples[at : at + step]) for at in range(0, len(samples), step)]


def hum(seconds: float, rate: int = 16000, level: float = 60.0) -> list[bytes]:
    """Frames of the noise of a room."""
    random, step = Random(1), rate // 50
    frames = range(round(seconds * 50))
    return [struct.pack(f"<{step}h", *[int(random.gauss(0, level)) for _ in range(step)]) for _ in frames]
