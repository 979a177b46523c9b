"""What is sent in place of pauses: a description of the noise, now and then, and nothing between."""

from __future__ import annotations

import math
import random
import struct

import pytest

from sipstack.rtp.comfort_noise import ComfortNoise
from sipstack.rtp.pauses import REFRESH, Pauses


def _word(frames: int) -> list[bytes]:
    peak = 32767 * 10 ** (-10 / 20)
    piece = struct.pack("<160h", *(int(peak * math.sin(at / 3)) for at in range(160)))
    return [piece] * frames


def _noise(decibels: float, frames: int, seed: int = 1) -> list[bytes]:
    peak = 32767 * 10 ** (decibels / 20) * math.sqrt(3)
    numbers = random.Random(seed)
    return [
        struct.pack("<160h", *(int(numbers.uniform(-peak, peak)) for _ in range(160))) for _ in range(frames)
    ]


def _sent(pauses: Pauses, pieces: list[bytes]) -> list[ComfortNoise | bytes | None]:
    sent = [pauses.instead(piece) for piece in pieces]
    return [ComfortNoise.parse(each) if each else each for each in sent]


def test_a_voice_goes_out_as_it_is_from_its_first_word() -> None:
    assert _sent(Pauses(), _word(50)) == [None] * 50


@pytest.mark.parametrize("decibels", [-65, -50, -40, -30])
def test_a_pause_is_one_description_after_the_end_of_the_word_is_out(decibels: int) -> None:
    pauses = Pauses()
    _sent(pauses, _noise(decibels, 400))
    _sent(pauses, _word(10))
    pause = _sent(pauses, _noise(decibels, 50, seed=2))
    described = pause[10]  # 200 ms count as voice
    assert pause == [None] * 10 + [described] + [b""] * 39
    assert isinstance(described, ComfortNoise)
    assert described.level == pytest.approx(-decibels, abs=1.5)
    assert described.reflection == ()


def test_with_nothing_to_say_there_is_nothing_that_could_be_cut_off() -> None:
    pauses = Pauses()
    _sent(pauses, _word(10))
    assert [pauses.instead(None) for _ in range(3)] == [b"\x7f", b"", b""]


def test_a_long_pause_is_described_again_every_few_seconds() -> None:
    pauses = Pauses()
    sent = [pauses.instead(None) for _ in range(round(15 / 0.02))]
    assert [at * 0.02 for at, each in enumerate(sent) if each] == pytest.approx(
        [0, REFRESH, 2 * REFRESH, 3 * REFRESH], abs=0.1
    )
    assert None not in sent


def test_a_noise_that_changes_is_described_again_soon() -> None:
    """A fan goes out: 3 dB are heard, less is not."""
    pauses = Pauses()
    _sent(pauses, _noise(-40, 200))
    assert not any(_sent(pauses, _noise(-41, 50, seed=3)))
    again = [each for each in _sent(pauses, _noise(-55, 40, seed=4)) if isinstance(each, ComfortNoise)]
    assert again[-1].level == pytest.approx(55, abs=3)
    assert len(again) <= 3


def test_each_pause_is_described_anew() -> None:
    pauses = Pauses()
    pieces = [*_noise(-50, 20), *_word(5), *_noise(-50, 20), *_word(5), *_noise(-50, 20)]
    assert sum(isinstance(each, ComfortNoise) for each in _sent(pauses, pieces)) == 3


@pytest.mark.parametrize("octets", [160, 480, 1920])
def test_time_is_that_of_the_pieces(octets: int) -> None:
    pauses = Pauses()
    count = round(12 * 16000 / octets)
    sent = [pauses.instead(bytes(octets)) for _ in range(count)]
    assert sum(bool(each) for each in sent) == 3
