"""ITU-T G.711, held against its own tables 1a to 2b and against values known from elsewhere."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

import pytest

from sipstack.rtp import g711


@pytest.fixture(params=["in C", "by table"], autouse=True)
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first only where Python has audioop."""
    if request.param == "by table":
        monkeypatch.setattr(g711, "_LIBRARY", None)
    elif g711._LIBRARY is None:
        pytest.skip("this Python has no audioop")


ALL = struct.pack("<65536h", *range(-32768, 32768))
CODES = bytes(range(256))


def _samples(pcm: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(pcm) // 2}h", pcm)


def _ulaw_levels() -> list[int]:
    """Table 2a, column "value at decoder output", of the positive codes from the quietest on, in 14 bits."""
    return [((33 + 2 * step) << segment) - 33 for segment in range(8) for step in range(16)]


def _ulaw_decisions() -> list[int]:
    """Table 2a, column "decision values": 0, 1, 3, 5 … 31, 35 … 8159."""
    decisions = [0]
    for segment in range(8):
        decisions += [((33 + 2 * step - 1) << segment) - 33 for step in range(1, 17)]
    return decisions


def _alaw_levels() -> list[int]:
    """Table 1a: the first two segments are one straight line with steps of 2; in 13 bits."""
    line = [2 * step + 1 for step in range(32)]
    return line + [(33 + 2 * step) << segment for segment in range(1, 7) for step in range(16)]


def _alaw_decisions() -> list[int]:
    line = [2 * step for step in range(33)]
    return line + [(32 + 2 * step) << segment for segment in range(1, 7) for step in range(1, 17)]


def _interval(decisions: list[int], magnitude: int) -> int:
    """Which interval of the decision values holds the magnitude; beyond the last one is the last."""
    inside = sum(1 for decision in decisions[1:-1] if magnitude >= decision)
    return min(inside, len(decisions) - 2)


def test_every_ulaw_code_decodes_to_the_level_of_the_table() -> None:
    # The codes count down from the quietest: 0xFF is +0, 0x80 the loudest positive one, 0x7F is -0.
    positive = [4 * level for level in _ulaw_levels()]
    expected = [-value for value in reversed(positive)] + list(reversed(positive))
    assert list(_samples(g711.decode_ulaw(CODES))) == expected


def test_every_alaw_code_decodes_to_the_level_of_the_table() -> None:
    # The even bits are inverted on the wire.
    positive = [8 * level for level in _alaw_levels()]
    expected = [positive[(code ^ 0x55) & 0x7F] * (1 if code & 0x80 else -1) for code in range(256)]
    assert list(_samples(g711.decode_alaw(CODES))) == expected


def test_every_sample_encodes_to_the_ulaw_interval_it_lies_in() -> None:
    decisions = _ulaw_decisions()
    of_magnitude = [_interval(decisions, magnitude) for magnitude in range(0x2000)]
    positive = [0xFF - of_magnitude[sample >> 2] for sample in range(0x8000)]
    negative = [0x7F - of_magnitude[~sample >> 2] for sample in range(-0x8000, 0)]
    assert list(g711.encode_ulaw(ALL)) == negative + positive


def test_every_sample_encodes_to_the_alaw_interval_it_lies_in() -> None:
    decisions = _alaw_decisions()
    of_magnitude = [_interval(decisions, magnitude) for magnitude in range(0x1000)]
    positive = [(0x80 | of_magnitude[sample >> 3]) ^ 0x55 for sample in range(0x8000)]
    negative = [of_magnitude[~sample >> 3] ^ 0x55 for sample in range(-0x8000, 0)]
    assert list(g711.encode_alaw(ALL)) == negative + positive


@pytest.mark.parametrize(
    ("sample", "ulaw", "alaw"),
    [
        (0, 0xFF, 0xD5),
        (-1, 0x7F, 0x55),
        (8, 0xFE, 0xD5),
        (32767, 0x80, 0xAA),
        (-32768, 0x00, 0x2A),
        (1000, 0xCE, 0xFA),
        (-1000, 0x4E, 0x7A),
        (16384, 0x8F, 0xA5),
    ],
)
def test_known_values(sample: int, ulaw: int, alaw: int) -> None:
    pcm = struct.pack("<h", sample)
    assert g711.encode_ulaw(pcm) == bytes([ulaw])
    assert g711.encode_alaw(pcm) == bytes([alaw])


def test_a_frame_is_its_samples_one_by_one() -> None:
    pcm = ALL[20000:20320]
    one_by_one = b"".join(g711.encode_ulaw(pcm[at : at + 2]) for at in range(0, 320, 2))
    assert g711.encode_ulaw(pcm) == one_by_one
    assert g711.encode_ulaw(b"") == g711.encode_alaw(b"") == b""


def test_decoding_then_encoding_keeps_every_code_but_minus_zero() -> None:
    assert g711.encode_alaw(g711.decode_alaw(CODES)) == CODES
    assert g711.encode_ulaw(g711.decode_ulaw(CODES)) == CODES.replace(b"\x7f", b"\xff")


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple"):
        g711.encode_ulaw(b"abc")


@pytest.mark.parametrize("level", [0, -10, -20, -30])
@pytest.mark.parametrize(
    ("encode", "decode"),
    [
        pytest.param(g711.encode_ulaw, g711.decode_ulaw, id="u-law"),
        pytest.param(g711.encode_alaw, g711.decode_alaw, id="A-law"),
    ],
)
def test_the_distortion_of_a_sine_is_that_of_the_recommendation(
    encode: Callable[[bytes], bytes], decode: Callable[[bytes], bytes], level: float
) -> None:
    """G.712 asks for 33 dB from 0 to -30 dBm0; +3.14 dBm0 is full scale."""
    amplitude = 32000 * 10 ** (level / 20)
    original = [round(amplitude * math.sin(2 * math.pi * 1020 * n / 8000)) for n in range(8000)]
    heard = _samples(decode(encode(struct.pack("<8000h", *original))))
    noise = sum((ours - theirs) ** 2 for ours, theirs in zip(heard, original, strict=True))
    assert 10 * math.log10(sum(value**2 for value in original) / noise) > 33
