"""Keys as tones: those that Q.24 asks for are found, and speech is none (ITU-T Q.23, Q.24)."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterable

import pytest

from sipstack.rtp.dtmf_tones import COLUMNS, KEYS, ROWS, ToneDetector, dtmf_tone
from sipstack.rtp.telephone_event import Press

ALL = "".join(KEYS)


def heard(pcm: bytes, rate: int = 8000, *, piece: float = 0.02) -> list[Press]:
    """What is found in this audio, given in pieces, and a moment of silence."""
    detector, octets, presses = ToneDetector(rate), 2 * round(rate * piece), []
    pcm += bytes(rate // 10 * 2)
    for start in range(0, len(pcm), octets):
        part = pcm[start : start + octets]
        presses += detector.hear(part, (start + len(part)) / 2 / rate)
    return presses


def keys(pcm: bytes, rate: int = 8000) -> str:
    return "".join(press.key for press in heard(pcm, rate))


def packed(samples: Iterable[float]) -> bytes:
    values = [max(-32768, min(32767, round(sample))) for sample in samples]
    return struct.pack(f"<{len(values)}h", *values)


def tones(
    key: str,
    duration: float,
    *,
    row: float = -11.0,
    column: float = -9.0,
    off: tuple[float, float] = (0.0, 0.0),
    phase: float = 0.0,
) -> list[float]:
    """The tones of ``key`` at these levels (dB of full scale), ``off`` by these parts of the frequency."""
    index = next(number for number, line in enumerate(KEYS) if key in line)
    low, high = ROWS[index] * (1 + off[0]), COLUMNS[KEYS[index].index(key)] * (1 + off[1])
    a, b = 32767 * 10 ** (row / 20), 32767 * 10 ** (column / 20)
    return [
        a * math.sin(2 * math.pi * low * n / 8000 + phase)
        + b * math.sin(2 * math.pi * high * n / 8000 + 2 * phase)
        for n in range(round(duration * 8000))
    ]


def silence(seconds: float) -> list[float]:
    return [0.0] * round(seconds * 8000)


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000, 11025, 44100])
def test_what_we_generate_is_found_at_every_rate(rate: int) -> None:
    pause = bytes(2 * round(rate * 0.05))
    pcm = pause + pause.join(dtmf_tone(key, 0.06, rate) for key in ALL)
    assert keys(pcm, rate) == ALL


def test_a_press_has_its_time_and_duration() -> None:
    (press,) = heard(bytes(2 * 8000) + dtmf_tone("7", 0.5))
    assert press.key == "7"
    assert press.began == pytest.approx(1.0, abs=0.013)
    assert press.duration == pytest.approx(0.5, abs=0.02)


def test_the_same_key_twice_is_two() -> None:
    pause = silence(0.04)
    assert keys(packed(tones("5", 0.04) + pause + tones("5", 0.04) + pause + tones("5", 0.1))) == "555"


def test_keys_without_a_pause_between_them() -> None:
    assert keys(packed(tones("1", 0.08) + tones("9", 0.08) + tones("D", 0.08))) == "19D"


@pytest.mark.parametrize("piece", [0.001, 0.0125, 0.03, 0.5])
def test_pieces_of_audio_may_have_any_length(piece: float) -> None:
    pcm = packed(silence(0.0123) + tones("4", 0.06) + silence(0.06) + tones("2", 0.06))
    assert [press.key for press in heard(pcm, piece=piece)] == ["4", "2"]


@pytest.mark.parametrize("key", ALL)
@pytest.mark.parametrize("off", [(-0.015, -0.015), (-0.015, 0.015), (0.015, -0.015), (0.015, 0.015)])
def test_40_ms_wherever_they_begin_and_15_per_mille_off_are_taken(key: str, off: tuple[float, float]) -> None:
    """Q.24 §2.1, §2.3"""
    for start in range(0, 102, 17):
        samples = [0.0] * start + tones(key, 0.04, off=off, phase=start / 16)
        assert keys(packed(samples)) == key


@pytest.mark.parametrize("key", ALL)
def test_20_ms_are_no_key(key: str) -> None:
    for start in range(0, 102, 17):
        assert keys(packed([0.0] * start + tones(key, 0.02, phase=start / 16))) == ""


@pytest.mark.parametrize("key", ALL)
def test_an_interruption_of_10_ms_splits_no_key(key: str) -> None:
    for start in range(0, 102, 17):
        whole = [0.0] * start + tones(key, 0.2)
        whole[start + 800 : start + 880] = [0.0] * 80
        assert keys(packed(whole)) == key


@pytest.mark.parametrize("off", [(0.04, 0.0), (-0.04, 0.0), (0.0, 0.04), (0.0, -0.04)])
def test_tones_of_other_frequencies_are_no_keys(off: tuple[float, float]) -> None:
    found = [keys(packed(tones(key, 0.1, off=off))) for key in ALL]
    assert found.count("") >= 12  # the bins are 78 Hz wide: those of the lowest rows reach so far


@pytest.mark.parametrize(("row", "column"), [(-13, -9), (-11, -11), (-11, -17), (-31, -27), (-36, -36)])
def test_levels_and_twist_that_are_taken(row: float, column: float) -> None:
    """Q.24 §2.2: the upper tone from 4 dB above to some dB below the lower one"""
    for phase in range(5):
        assert (
            "".join(keys(packed(tones(key, 0.06, row=row, column=column, phase=phase))) for key in ALL) == ALL
        )


@pytest.mark.parametrize(("row", "column"), [(-20, -9), (-9, -25), (-50, -50), (-9, -99), (-99, -9)])
def test_levels_and_twist_that_are_no_keys(row: float, column: float) -> None:
    for phase in range(5):
        assert {keys(packed(tones(key, 0.2, row=row, column=column, phase=phase))) for key in ALL} == {""}


@pytest.mark.parametrize("seed", range(3))
def test_keys_in_noise_15_db_below_them(seed: int) -> None:
    chance = random.Random(seed)
    level = 32767 * 10 ** (-24 / 20) / math.sqrt(2)
    for key in ALL:
        clean = silence(0.05) + tones(key, 0.06) + silence(0.05)
        assert keys(packed(sample + chance.gauss(0, level) for sample in clean)) == key


# --- talk-off ---


def voice(seed: int, seconds: float) -> list[float]:
    """Like speech: a pitch that glides from 80 to 300 Hz, with its harmonics, through two formants that move,
    in syllables with pauses and some noise.
    """
    chance = random.Random(seed)
    samples: list[float] = []
    while len(samples) < 8000 * seconds:
        count = round(8000 * chance.uniform(0.08, 0.35))
        pitch, glide = chance.uniform(80, 300), chance.uniform(0.9, 1.1)
        first, second = chance.uniform(300, 1000), chance.uniform(900, 2400)
        # so that each harmonic is a line of its own, as in a voice that is held
        heights = [
            (
                number,
                1 / (1 + abs(number * pitch - first) / 100) + 0.7 / (1 + abs(number * pitch - second) / 80),
            )
            for number in range(1, 12)
            if number * pitch < 3400
        ]
        angle = 0.0
        for n in range(count):
            angle += 2 * math.pi * pitch * glide ** (n / count) / 8000
            envelope = 6000 * math.sin(math.pi * n / count)
            tone = sum(height * math.sin(number * angle) for number, height in heights)
            samples.append(envelope * tone + chance.gauss(0, 100))
        samples += [0.0] * round(8000 * chance.choice((0, 0, 0.02, 0.2)))
    return samples


@pytest.mark.parametrize("seed", range(4))
def test_speech_presses_no_key(seed: int) -> None:
    assert keys(packed(voice(seed, 8))) == ""


def test_a_key_is_found_after_speech_and_beside_it() -> None:
    speech = voice(9, 1.0)
    beside = [0.1 * sample for sample in voice(10, 0.3)]
    pressed = [a + b for a, b in zip(tones("3", 0.1), beside, strict=False)]
    assert keys(packed(speech + tones("8", 0.1) + silence(0.05) + pressed)) == "83"


@pytest.mark.parametrize(
    ("frequency", "other"), [(440, 480), (350, 440), (425, 425), (480, 620), (1004, 1004)]
)
def test_tones_of_lines_press_no_key(frequency: int, other: int) -> None:
    samples = [
        6000 * (math.sin(2 * math.pi * frequency * n / 8000) + math.sin(2 * math.pi * other * n / 8000))
        for n in range(8000)
    ]
    assert keys(packed(samples)) == ""


def test_music_of_two_notes_presses_no_key() -> None:
    """Fifths from C4 to B5 on a piano of three partials."""
    samples: list[float] = []
    for step in range(24):
        low = 261.63 * 2 ** (step / 12)
        notes = [(low, 1), (2 * low, 0.5), (3 * low, 0.25), (1.5 * low, 1), (3 * low, 0.5)]
        samples += [
            5000 * sum(level * math.sin(2 * math.pi * note * n / 8000) for note, level in notes)
            for n in range(1600)
        ]
    assert keys(packed(samples)) == ""


def test_noise_and_silence_press_no_key() -> None:
    chance = random.Random(1)
    assert keys(packed(chance.gauss(0, 5000) for _ in range(8 * 8000))) == ""
    assert keys(packed(silence(1.0))) == ""


@pytest.mark.parametrize("key", ["", "!", "12", "E", "a"])
def test_what_has_no_tones(key: str) -> None:
    with pytest.raises(ValueError, match="has no tones"):
        dtmf_tone(key, 0.1)


def test_a_tone_fills_its_time_and_no_sample_is_cut() -> None:
    pcm = dtmf_tone("#", 0.1)
    samples = struct.unpack(f"<{len(pcm) // 2}h", pcm)
    assert len(samples) == 800
    assert 15000 < max(map(abs, samples)) < 32767 * 0.75
