"""Sounds to send, and the analysis of what was heard. Samples are floats between -1 and 1; mono; 8 kHz."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 8000  # Hz
SILENCE = 0.01  # a root mean square below this is silence
TONE = 0.9  # the share of the energy that makes a sound a tone

Samples = NDArray[np.float64]


def tone(frequency: float, duration: float, amplitude: float = 0.3) -> Samples:
    time = np.arange(int(duration * RATE)) / RATE
    return amplitude * np.sin(2 * np.pi * frequency * time)


def speech_like_noise(duration: float, seed: int = 1) -> Samples:
    """Noise in the band of speech. It never repeats itself, so its place in a recording can be found."""
    noise = np.random.default_rng(seed).standard_normal(int(duration * RATE))
    spectrum = np.fft.rfft(noise)
    frequencies = np.fft.rfftfreq(len(noise), 1 / RATE)
    spectrum[(frequencies < 300) | (frequencies > 3000)] = 0
    band = np.fft.irfft(spectrum, len(noise))
    return np.asarray(0.5 * band / np.abs(band).max(), np.float64)


def tone_share(samples: Samples, frequency: float) -> float:
    """The share of the energy that is at this frequency (Goertzel: one bin of the spectrum), from 0 to 1."""
    energy = float(np.sum(samples**2))
    if energy == 0:
        return 0.0
    turns = np.exp(-2j * np.pi * frequency / RATE * np.arange(len(samples)))
    return float(2 * np.abs(samples @ turns) ** 2 / (len(samples) * energy))


def consists_of(samples: Samples, *frequencies: float) -> bool:
    """Whether these tones are all that there is, none of them less than half as loud as it would be if all
    were alike.
    """
    shares = [tone_share(samples, frequency) for frequency in frequencies]
    return sum(shares) >= TONE and min(shares) >= TONE / len(shares) / 4


def tone_duration(samples: Samples, frequency: float, window: float = 0.1) -> float:
    """For how many seconds the tone is heard: in windows with at least 0.9 of their energy at the frequency.

    Windows, because a lost or late packet breaks the tone's phase: over the whole the share would be low.
    """
    length = int(window * RATE)
    windows = [samples[at : at + length] for at in range(0, len(samples) - length + 1, length)]
    heard = [part for part in windows if loudness(part) > SILENCE and tone_share(part, frequency) >= TONE]
    return window * len(heard)


def loudness(samples: Samples) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0


def similarity(sent: Samples, heard: Samples, window: float = 0.2, rate: int = RATE) -> float:
    """How much of ``sent`` is in ``heard``: the median, over its windows, of the best correlation."""
    length = int(window * rate)
    parts = [sent[at : at + length] for at in range(0, len(sent) - length + 1, length)]
    return float(np.median([_best_correlation(part, heard) for part in parts])) if parts else 0.0


def signal_to_noise(sent: Samples, heard: Samples, rate: int = RATE) -> float:
    """In dB, 120 at the most: the median over windows, each where it fits best, so that one late packet does
    not count for all.
    """
    correlation = similarity(sent, heard, rate=rate)
    return float(10 * np.log10(correlation**2 / max(1 - correlation**2, 1e-12)))


def _best_correlation(part: Samples, heard: Samples) -> float:
    if len(heard) < len(part):
        return 0.0
    size = len(heard) + len(part)
    product = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(part, size))
    dots = np.fft.irfft(product, size)[: len(heard) - len(part) + 1]
    until = np.concatenate(([0.0], np.cumsum(heard**2)))
    energy = until[len(part) :] - until[: len(until) - len(part)]
    norms = np.sqrt(np.maximum(energy, 1e-9) * np.sum(part**2))
    return float(np.max(dots / norms))


def samples_of(pcm: bytes) -> Samples:
    """From 16-bit little-endian PCM."""
    return np.frombuffer(pcm, "<i2").astype(np.float64) / 32768


def write_wav(path: Path, samples: Samples) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def read_wav(path: Path) -> Samples:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        return samples_of(file.readframes(file.getnframes()))
