"""The comparison of a recording with what was played."""

from __future__ import annotations

import math
import random
from array import array

import pytest

from sipstack.cli.audio_comparison import Comparison, compare, samples

RATE = 8000


def tune(notes: tuple[float, ...] = (262, 330, 392, 523)) -> array[int]:
    """Half a second of each note, dying away."""
    return array(
        "h",
        (
            int(9000 * math.exp(-3 * t / RATE) * math.sin(2 * math.pi * note * t / RATE))
            for note in notes
            for t in range(RATE // 2)
        ),
    )


def silence(length: int) -> array[int]:
    return array("h", [0] * length)


TUNE = tune()


@pytest.mark.parametrize("delay", [0, 1, 937, 4000])
def test_the_same_tune_later_is_the_same_tune(delay: int) -> None:
    comparison = compare(TUNE, silence(delay) + TUNE + silence(800), RATE)
    assert comparison.similarity == pytest.approx(1.0)
    assert comparison.delay == delay / RATE


def test_coarse_samples_are_nearly_the_same() -> None:
    coarse = array("h", (value // 256 * 256 for value in TUNE))
    assert compare(TUNE, coarse, RATE).similarity > 0.99


def test_loudness_does_not_matter() -> None:
    quiet = array("h", (value // 4 for value in TUNE))
    assert compare(TUNE, quiet, RATE).similarity > 0.99


def test_a_delay_that_grows_by_one_packet_is_followed() -> None:
    late = silence(800) + TUNE[:8000] + silence(160) + TUNE[8000:]
    assert compare(TUNE, late, RATE).similarity > 0.99


@pytest.mark.parametrize(
    "recorded",
    [
        array("h"),
        silence(len(TUNE)),
        array("h", random.Random(1).choices(range(-9000, 9000), k=len(TUNE))),
        tune((300, 360, 420, 560)),
        tune((523, 392, 330, 262)),
        TUNE[: len(TUNE) // 4],
    ],
    ids=["nothing", "silence", "noise", "another tune", "the tune backwards", "only the beginning"],
)
def test_what_is_not_the_tune_does_not_pass(recorded: array[int]) -> None:
    assert compare(TUNE, recorded, RATE).similarity < 0.5


def test_silence_has_nothing_to_compare() -> None:
    assert compare(silence(RATE), silence(RATE), RATE) == Comparison(0.0, 0.0)


def test_samples_are_little_endian_and_an_odd_octet_is_left_out() -> None:
    assert list(samples(b"\x01\x00\xff\xff\x00\x80\x07")) == [1, -1, -32768]
