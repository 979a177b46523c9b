"""RFC 3389: the payload, and the noise that is made of it."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import ParseError
from sipstack.rtp.comfort_noise import ORDER, ComfortNoise, NoiseGenerator
from sipstack.rtp.level import level


def test_an_empty_payload_is_refused() -> None:
    with pytest.raises(ParseError, match="without a level"):
        ComfortNoise.parse(b"")


@pytest.mark.parametrize("octet", [0, 40, 78, 127])
def test_a_level_alone_is_white_noise(octet: int) -> None:
    assert ComfortNoise.parse(bytes([octet])) == ComfortNoise(octet)
    assert bytes(ComfortNoise(octet)) == bytes([octet])


def test_the_first_bit_is_not_of_the_level() -> None:
    assert ComfortNoise.parse(b"\xc0").level == 0x40


def test_reflection_coefficients_are_quantised_evenly() -> None:
    """§3.2: k = 258 (N - 127) / 32768."""
    noise = ComfortNoise.parse(bytes([60, 127, 0, 254]))
    assert noise.reflection == pytest.approx((0.0, -0.99994, 0.99994), abs=1e-4)
    assert bytes(noise) == bytes([60, 127, 0, 254])


def test_more_coefficients_than_are_used_are_left_unread() -> None:
    assert len(ComfortNoise.parse(bytes(500)).reflection) == ORDER


def test_a_level_that_cannot_be_is_not_written() -> None:
    with pytest.raises(ValueError, match="0 to 127"):
        bytes(ComfortNoise(128))


@pytest.mark.parametrize("decibels", [20, 40, 60])
@pytest.mark.parametrize("reflection", [(), (-0.9, 0.6), (0.5, 0.3, -0.2)])
def test_the_noise_is_as_loud_as_was_said(decibels: int, reflection: tuple[float, ...]) -> None:
    generator = NoiseGenerator(ComfortNoise(decibels, reflection), random.Random(1).randbytes)
    generator.take(320)
    pcm = b"".join(generator.take(320) for _ in range(100))
    assert level(pcm) == pytest.approx(-decibels, abs=1.0)
    assert abs(ComfortNoise.measured(pcm).level - decibels) <= 1


def test_the_spectrum_is_what_was_said() -> None:
    """One coefficient of -0.9: neighbours are alike; of 0.9: they alternate."""
    for reflection, alike in ((-0.9, 0.9), (0.9, -0.9)):
        pcm = NoiseGenerator(ComfortNoise(30, (reflection,)), random.Random(2).randbytes).take(16000)
        samples = struct.unpack("<8000h", pcm)
        energy = sum(each * each for each in samples)
        assert sum(one * other for one, other in zip(samples, samples[1:], strict=False)) / energy == (
            pytest.approx(alike, abs=0.05)
        )


def test_the_least_level_is_silence() -> None:
    assert NoiseGenerator(ComfortNoise(127), random.Random(3).randbytes).take(320) == bytes(320)
    assert ComfortNoise.measured(bytes(320)) == ComfortNoise(127)


@given(st.binary(min_size=1, max_size=40))
def test_whatever_was_said_the_noise_stays_within_bounds(payload: bytes) -> None:
    generator = NoiseGenerator(ComfortNoise.parse(payload), random.Random(4).randbytes)
    assert all(len(generator.take(320)) == 320 for _ in range(3))
