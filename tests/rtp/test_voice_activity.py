"""Somebody speaks, in a quiet room and in a noisy one."""

from __future__ import annotations

import math
import random
import struct

import pytest

from sipstack.rtp.level import level
from sipstack.rtp.voice_activity import VoiceActivity


def _tone(decibels: float, seconds: float = 0.02) -> bytes:
    peak = 32767 * 10 ** (decibels / 20) * math.sqrt(2)
    count = round(8000 * seconds)
    return struct.pack(f"<{count}h", *(int(peak * math.sin(at / 3)) for at in range(count)))


def _noise(decibels: float, seed: int = 1) -> bytes:
    peak = 32767 * 10 ** (decibels / 20) * math.sqrt(3)
    numbers = random.Random(seed)
    return struct.pack("<160h", *(int(numbers.uniform(-peak, peak)) for _ in range(160)))


def test_levels_are_relative_to_a_square_wave_at_full_scale() -> None:
    assert level(struct.pack("<160h", *[32767, -32768] * 80)) == pytest.approx(0, abs=0.01)
    assert level(_tone(-20, 0.2)) == pytest.approx(-20, abs=0.2)
    assert level(bytes(320)) == level(b"") == -127


def test_silence_is_no_voice() -> None:
    activity = VoiceActivity()
    assert not any(activity.hear(bytes(320)) for _ in range(50))
    assert activity.floor == -127


@pytest.mark.parametrize("surroundings", [-70, -50, -40])
def test_a_word_is_a_voice_above_any_noise(surroundings: int) -> None:
    activity = VoiceActivity()
    before = [activity.hear(_noise(surroundings, seed)) for seed in range(50)]
    word = [activity.hear(_tone(-20)) for _ in range(25)]
    after = [activity.hear(_noise(surroundings, seed)) for seed in range(50)]
    assert not any(before)
    assert all(word)
    assert after == [True] * 10 + [False] * 40


def test_a_noise_that_begins_is_taken_for_a_voice_until_the_floor_has_risen() -> None:
    activity = VoiceActivity()
    for seed in range(50):
        activity.hear(_noise(-60, seed))
    begun = [activity.hear(_noise(-40, seed)) for seed in range(500)]
    assert begun[0]
    assert not begun[-1]


def test_a_call_may_begin_with_a_word() -> None:
    assert not VoiceActivity().hear(_tone(-20))  # it could be a noise
    assert VoiceActivity(8000, -55.0).hear(_tone(-20))


def test_what_is_too_faint_is_no_voice() -> None:
    activity = VoiceActivity()
    activity.hear(bytes(320))
    assert not activity.hear(_tone(-60))


@pytest.mark.parametrize("octets", [160, 320, 480, 960])
def test_pieces_of_any_length(octets: int) -> None:
    activity = VoiceActivity()
    activity.hear(bytes(octets))
    assert activity.hear(_tone(-20, octets / 16000))
    quiet = sum(activity.hear(bytes(octets)) for _ in range(100)) * octets / 16000
    assert quiet == pytest.approx(0.2, abs=octets / 16000 + 1e-9)


def test_nothing_changes_nothing() -> None:
    activity = VoiceActivity()
    assert not activity.hear(b"")
    assert activity.floor is None
