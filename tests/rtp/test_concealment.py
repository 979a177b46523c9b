"""Repeat and fade over 80 ms, then silence."""

from __future__ import annotations

import struct

import pytest

from sipstack.rtp.concealment import Concealer

LOUD = struct.pack("<160h", *[32767] * 80, *[-32768] * 80)


def _peaks(frame: bytes) -> tuple[int, int]:
    samples = struct.unpack("<160h", frame)
    return samples[0], samples[-1]


def test_with_nothing_heard_yet_there_is_silence() -> None:
    concealer = Concealer()
    assert concealer.conceal(320) == bytes(320)
    assert concealer.concealed == 1


def test_the_last_frame_is_repeated_and_fades_out_over_80_ms() -> None:
    concealer = Concealer()
    concealer.good(LOUD)
    frames = [concealer.conceal(320) for _ in range(6)]
    assert [_peaks(frame) for frame in frames[:4]] == [
        (32767, -24626),
        (24575, -16434),
        (16383, -8242),
        (8191, -50),
    ]
    assert frames[4:] == [bytes(320)] * 2
    assert concealer.concealed == 6


def test_a_good_frame_ends_the_fade() -> None:
    concealer = Concealer()
    concealer.good(LOUD)
    first = concealer.conceal(320)
    concealer.conceal(320)
    concealer.good(LOUD)
    assert concealer.conceal(320) == first


@pytest.mark.parametrize("octets", [2, 100, 160, 480])
def test_pieces_of_any_length_add_up_to_the_same(octets: int) -> None:
    """Packets of 10 or 30 ms."""
    whole, parts = Concealer(), Concealer()
    whole.good(LOUD)
    for start in range(0, 320, 160):
        parts.good(LOUD[start : start + 160])
    expected = b"".join(whole.conceal(320) for _ in range(9))
    assert (
        b"".join(parts.conceal(octets) for _ in range(2880 // octets)) == expected[: 2880 // octets * octets]
    )


def test_what_is_shorter_than_a_frame_is_repeated_more_often() -> None:
    concealer = Concealer()
    concealer.good(LOUD[:160])
    assert _peaks(concealer.conceal(320)) == (32767, 24625)
