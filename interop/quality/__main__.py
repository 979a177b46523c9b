"""Concealment by public measures: PESQ narrow band and ViSQOL in its speech mode, on 30 s of recorded speech.

    pip install pesq visqol-python scipy
    apt-get download asterisk-core-sounds-en-wav && dpkg-deb -x asterisk-core-sounds-en-wav_*.deb DIRECTORY
    python -m interop.quality DIRECTORY/usr/share/asterisk/sounds/en_US_f_Allison/demo-congrats.wav

The reference is the same speech through PCMU without loss. Losses are independent, with the seeds 0 to 4.
"""

from __future__ import annotations

import importlib
import sys
import wave
from collections.abc import Callable, Sequence
from typing import Any

from interop.quality.concealers import (
    coded,
    losses,
    ours,
    ours_without_the_next,
    repeat_and_fade,
    silence,
)

SECONDS = 30
SEEDS = range(5)
CONCEALERS = (ours, ours_without_the_next, repeat_and_fade, silence)

Measure = Callable[[Any, Any], float]


def pesq(reference: Any, heard: Any) -> float:
    """ITU-T P.862 with the mapping of P.862.1, narrow band: at most 4.55."""
    return float(importlib.import_module("pesq").pesq(8000, reference, heard, "nb"))


def visqol() -> Measure:
    """ViSQOL's speech mode, which wants 16 kHz: at most 5."""
    signal: Any = importlib.import_module("scipy.signal")
    judge = importlib.import_module("visqol").VisqolApi()
    judge.create(mode="speech")

    def measure(reference: Any, heard: Any) -> float:
        up = [signal.resample_poly(pcm / 32768.0, 2, 1) for pcm in (reference, heard)]
        return float(judge.measure_from_arrays(*up, 16000).moslqo)

    return measure


def read(path: str) -> bytes:
    """The first 30 s of an 8 kHz mono WAV file."""
    with wave.open(path) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (8000, 1, 2):
            raise SystemExit(f"{path} is not 16-bit mono at 8000 Hz")
        return bytes(file.readframes(SECONDS * 8000))


def say(line: str) -> None:
    """One line of the result, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def table(packets: Sequence[bytes], measure: Measure) -> None:
    """The mean over the seeds, and the worst of them."""
    numpy: Any = importlib.import_module("numpy")

    def samples(pcm: bytes) -> Any:
        return numpy.frombuffer(pcm, "<i2")

    reference = samples(b"".join(packets))
    for percent in (0, 1, 5, 10):
        for concealer in CONCEALERS:
            scores = [
                measure(reference, samples(concealer(packets, losses(len(packets), percent / 100, seed))))
                for seed in (SEEDS if percent else SEEDS[:1])
            ]
            mean = sum(scores) / len(scores)
            say(f"{percent:3} %  {concealer.__name__:22} {mean:.2f}  worst {min(scores):.2f}")


def main() -> None:
    for path in sys.argv[1:]:
        packets = coded(read(path))
        say(f"{path}: PESQ narrow band")
        table(packets, pesq)
        say(f"{path}: ViSQOL, speech mode")
        table(packets, visqol())


main()
