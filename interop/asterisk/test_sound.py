"""The analysis of sound: it must find what is there, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from interop.asterisk.sound import (
    RATE,
    consists_of,
    loudness,
    read_wav,
    signal_to_noise,
    similarity,
    speech_like_noise,
    tone,
    tone_duration,
    tone_share,
    write_wav,
)


def test_the_share_of_a_tone() -> None:
    assert tone_share(np.zeros(RATE), 440) == 0
    assert tone_share(tone(1004, 1.0), 440) == pytest.approx(0, abs=0.01)
    assert tone_share(tone(440, 1.0), 440) == pytest.approx(1, abs=0.01)
    assert tone_share(tone(440, 1.0) + tone(1004, 1.0), 440) == pytest.approx(0.5, abs=0.01)


def test_tones_that_sound_together() -> None:
    both = tone(440, 1.0) + tone(1004, 1.0, amplitude=0.2)
    assert consists_of(both, 440, 1004)
    assert not consists_of(both, 440)
    assert not consists_of(both, 440, 620)
    assert not consists_of(both + tone(620, 1.0), 440, 1004)
    assert not consists_of(tone(440, 1.0), 440, 1004)


def test_a_tone_is_heard_for_as_long_as_it_sounds() -> None:
    sounds = np.concatenate((np.zeros(RATE), tone(440, 0.5), speech_like_noise(1.0), tone(1004, 1.0)))
    assert tone_duration(sounds, 440) == pytest.approx(0.5)
    assert tone_duration(sounds, 1004) == pytest.approx(1.0)


def test_a_recording_is_like_its_original_also_when_delayed_and_with_gaps() -> None:
    sent = speech_like_noise(2.0)
    heard = np.concatenate((np.zeros(777), 0.8 * sent[:6000], np.zeros(160), sent[6160:]))
    assert similarity(sent, heard) > 0.99
    assert similarity(sent, speech_like_noise(2.0, seed=2)) < 0.2
    assert similarity(sent, np.zeros(RATE)) == pytest.approx(0)
    assert similarity(sent, sent[:100]) == 0


def test_a_gap_does_not_count_as_noise() -> None:
    sent = speech_like_noise(3.0)
    noisy = sent + np.random.default_rng(3).standard_normal(len(sent)) * loudness(sent) / 100
    heard = np.concatenate((np.zeros(777), noisy[:9000], np.zeros(160), noisy[9000:]))
    assert signal_to_noise(sent, heard) == pytest.approx(40, abs=0.5)
    assert signal_to_noise(sent, np.concatenate((sent, np.zeros(RATE)))) == pytest.approx(120, abs=1)


def test_a_file_holds_what_was_written(tmp_path: Path) -> None:
    samples = tone(300, 0.1)
    assert read_wav(write_wav(tmp_path / "tone.wav", samples)) == pytest.approx(samples, abs=1e-4)
    assert loudness(samples) == pytest.approx(0.3 / np.sqrt(2), abs=0.001)
