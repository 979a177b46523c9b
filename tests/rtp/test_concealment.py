"""Repeat and fade over 80 ms, then silence."""

from __future__ import annotations

import struct

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


def test_a_frame_of_another_length_cannot_be_repeated() -> None:
    concealer = Concealer()
    concealer.good(LOUD[:100])
    assert concealer.conceal(320) == bytes(320)
