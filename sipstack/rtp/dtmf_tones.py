"""DTMF as tones in the audio (ITU-T Q.23, Q.24): detection by the Goertzel bins, and generation."""

from __future__ import annotations

import math
import struct
from operator import mul

from sipstack.rtp.telephone_event import Press

ROWS = (697, 770, 852, 941)
COLUMNS = (1209, 1336, 1477, 1633)
KEYS = ("123A", "456B", "789C", "*0#D")

ROW_LEVEL = -11.0
COLUMN_LEVEL = -9.0
"""Of what we generate, in dB of full scale: lines swallow more of the upper tone."""

BLOCK = 102
"""Samples at 8000 Hz that are looked at together (12.75 ms): as few as tell 697 from 770 Hz."""
HITS = 4
"""Blocks in a row that must agree, each half a block after the one before. A tone of 40 ms fills so many, one
of 20 ms never does (Q.24: 40 ms must be taken, 23 ms must not)."""
MISSES = 4
"""Blocks in a row without the key until it is released: an interruption of 10 ms splits no key."""
FLOOR = -42.0
"""The weakest tone that counts, in dB of full scale."""
SHARE = 0.5
"""What the two tones must have of all that is heard. Speech is spread over more, and noise as well."""
WHOLE_SHARE = 0.75
"""The same over the whole of HITS blocks, where frequencies are told apart much better."""
DEVIATIONS = (-0.015, -0.0075, 0.0, 0.0075, 0.015)
"""Parts by which a tone may be off there (Q.24: 1.5 % must be taken)."""
LEADING_SHARE = 0.08
"""What the louder row must have for the columns to be looked at."""
PEAK = 10**0.6
"""How much stronger a tone must be than the others of its group: 6 dB."""
TWIST = 10**0.6
"""By how much the column may be stronger than the row: 6 dB (Q.24: 4 dB must be taken)."""
REVERSE_TWIST = 10**1.0
"""By how much the row may be stronger than the column: 10 dB (Q.24: 8 dB must be taken)."""

Wave = tuple[tuple[float, ...], tuple[float, ...]]


def dtmf_tone(key: str, duration: float, sample_rate: int = 8000) -> bytes:
    """The two tones of ``key`` as PCM. Raises ValueError for what has none, such as flash."""
    low, high = (32767 * 10 ** (level / 20) for level in (ROW_LEVEL, COLUMN_LEVEL))
    slow, fast = (2 * math.pi * tone / sample_rate for tone in _tones(key))
    count = round(duration * sample_rate)
    samples = [round(low * math.sin(slow * n) + high * math.sin(fast * n)) for n in range(count)]
    return struct.pack(f"<{count}h", *samples)


class ToneDetector:
    """Finds keys in the audio of one stream. Each is told once, when its tone is over.

    ``sample_rate`` is that of the audio. What is silent costs next to nothing, speech a tenth of a
    millisecond for 20 ms.
    """

    def __init__(self, sample_rate: int = 8000) -> None:
        # Samples are added up to 8000 a second where they go in evenly: what lies above 4 kHz fades enough.
        self._fold = sample_rate // 8000 if sample_rate % 8000 == 0 else 1
        rate = sample_rate / self._fold
        self._half = round(BLOCK / 2 * rate / 8000)
        self._seconds = self._half / rate
        size = 2 * self._half
        self._rows, self._columns = (
            [_wave(each / rate, size) for each in group] for group in (ROWS, COLUMNS)
        )
        self._fine = rate, (HITS + 1) * self._half
        self._least = size * (32767 * 10 ** (FLOOR / 20) * self._fold) ** 2 / 2
        self._rest: list[int] = []
        self._before: list[int] = [0] * HITS * self._half  # what came before the rest
        self._last = ""  # the key of the whole block before
        self._found = ""  # that of the block half a block before
        self._hits = self._misses = 0
        self._key = ""  # that is down
        self._began = self._told_until = 0.0

    def hear(self, pcm: bytes, now: float) -> list[Press]:
        """The keys that are over with this piece of audio, whose end is heard ``now``."""
        samples = _folded(struct.unpack(f"<{len(pcm) // 2}h", pcm), self._fold)
        rest = [*self._rest, *samples] if self._rest else samples
        half, presses = self._half, []
        left = len(rest)
        for start in range(0, left - 2 * half + 1, 2 * half):
            left -= 2 * half
            ends = now - left / half * self._seconds
            block = rest[start : start + 2 * half]
            whole = self._before + block
            found = self._find(block)
            # The block between two is looked at where one of them has a key: most audio has none.
            between = self._find(whole[-3 * half : -half]) if found or self._last else ""
            self._last, self._before = found, whole[2 * half :]
            presses += self._next(between, whole[:-half], ends - self._seconds)
            presses += self._next(found, whole, ends)
        self._rest = rest[len(rest) - left :]
        return presses

    def _next(self, found: str, whole: list[int], ends: float) -> list[Press]:
        """A block, the last of ``whole``, ends at ``ends`` and has the tones of ``found``, or no tones."""
        self._hits = 0 if not found else self._hits + 1 if found == self._found else 1
        self._found = found
        presses = []
        if self._key and found == self._key:
            self._misses, self._told_until = 0, ends
        elif self._key:
            self._misses += 1
            if self._misses == MISSES:
                presses.append(Press(self._key, self._began, self._told_until - self._began))
                self._key = ""
        if not self._key and self._hits >= HITS and self._is_confirmed(found, whole):
            self._key, self._misses, self._told_until = found, 0, ends
            self._began = ends - (self._hits + 1) * self._seconds
        return presses

    def _find(self, block: list[int]) -> str:
        """The key whose tones are in these samples; empty when there is none (Q.24)."""
        energy = sum(map(mul, block, block))
        if energy < self._least:
            return ""
        # A tone of the whole energy has the power 1.
        unit = 2 / (energy * len(block))
        row, low = _strongest(block, self._rows, unit)
        if low < LEADING_SHARE:
            return ""
        column, high = _strongest(block, self._columns, unit)
        if low + high < SHARE or high > low * TWIST or low > high * REVERSE_TWIST:
            return ""
        return KEYS[row][column] if min(low, high) * energy >= self._least else ""

    def _is_confirmed(self, key: str, whole: list[int]) -> bool:
        """Whether the tones are there in all of the last HITS blocks, and little else."""
        rate, count = self._fine
        samples = whole[-count:]
        powers = 0.0
        for tone in _tones(key):
            waves = [_wave(tone * (1 + off) / rate, count) for off in DEVIATIONS]
            powers += max(_power(samples, wave) for wave in waves)
        energy: int = sum(map(mul, samples, samples))
        return 2 * powers >= WHOLE_SHARE * count * energy


def _tones(key: str) -> tuple[int, int]:
    """Row and column of a key. Raises ValueError for what has none."""
    for row, line in zip(ROWS, KEYS, strict=True):
        if len(key) == 1 and key in line:
            return row, COLUMNS[line.index(key)]
    raise ValueError(f"{key!r} has no tones")


def _power(block: list[int], wave: Wave) -> float:
    cosine, sine = wave
    real, imaginary = float(sum(map(mul, block, cosine))), float(sum(map(mul, block, sine)))
    return real * real + imaginary * imaginary


def _strongest(block: list[int], group: list[Wave], unit: float) -> tuple[int, float]:
    """The one of the group that stands out, and its power; 0 when none does."""
    powers = [unit * _power(block, wave) for wave in group]
    second, first = sorted(powers)[-2:]
    return powers.index(first), first if first > second * PEAK else 0.0


def _wave(cycles: float, count: int) -> Wave:
    """A tone of so many cycles a sample."""
    steps = [2 * math.pi * cycles * index for index in range(count)]
    return tuple(map(math.cos, steps)), tuple(map(math.sin, steps))


def _folded(samples: tuple[int, ...], fold: int) -> list[int]:
    """Each ``fold`` samples added up."""
    if fold == 1:
        return list(samples)
    whole = len(samples) - len(samples) % fold
    return list(map(sum, zip(*(samples[start:whole:fold] for start in range(fold)), strict=True)))
