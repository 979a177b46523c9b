"""Generated audio."""

from __future__ import annotations

import pytest

from sipstack.media.io import PcmSource
from sipstack.media.tones import MELODY, melody, sine
from tests.media.hearing import everything, loudness, purity, samples


def _all(source: PcmSource) -> bytes:
    return b"".join(everything(source))


@pytest.mark.parametrize("sample_rate", [8000, 16000, 48000])
def test_a_sine_is_pure_and_as_loud_as_asked(sample_rate: int) -> None:
    pcm = _all(sine(440.0, 1.0, level=-6.0, sample_rate=sample_rate))
    assert len(pcm) == 2 * sample_rate
    assert purity(pcm, 440.0, sample_rate) > 0.999
    assert max(samples(pcm)) == pytest.approx(32767 * 0.5012, rel=0.01)


def test_full_scale_does_not_overflow() -> None:
    assert max(samples(_all(sine(1000.0, 0.1, level=0.0)))) == 32767


def test_the_melody_is_five_notes_one_after_the_other() -> None:
    pcm = _all(melody(note=0.4))
    assert len(pcm) == 5 * 6400
    notes = [pcm[at : at + 6400] for at in range(0, len(pcm), 6400)]
    assert [max(MELODY, key=lambda tone: purity(note, tone)) for note in notes] == list(MELODY)
    assert all(loudness(note[:3200]) > 2 * loudness(note[3200:]) for note in notes)  # struck, then dying away


def test_the_melody_begins_and_ends_in_silence() -> None:
    pcm = _all(melody())
    assert samples(pcm)[0] == 0
    assert abs(samples(pcm)[-1]) < 100


def test_it_is_the_same_in_every_run() -> None:
    assert _all(melody()) == _all(melody())
