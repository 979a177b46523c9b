"""The voice goes on over what is lost: measured on voices that are known, since they are calculated."""

from __future__ import annotations

import math
import random
import struct

import pytest

from sipstack.rtp.concealment import FADE, HOLD, Concealer

RATES = (8000, 16000, 24000, 48000)


def _voice(rate: int, seconds: float, pitch: float = 125.0, level: float = 3000.0) -> bytes:
    """A vowel: a pulse at the pitch, as ten harmonics whose phases are those of a mouth."""
    return struct.pack(
        f"<{round(rate * seconds)}h",
        *(
            round(
                level
                * sum(math.cos(2 * math.pi * pitch * n * at / rate + n * n / 3) / n for n in range(1, 11))
                / 2
            )
            for at in range(round(rate * seconds))
        ),
    )


def _samples(pcm: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(pcm) // 2}h", pcm)


def _energy(pcm: bytes) -> int:
    return sum(sample * sample for sample in _samples(pcm))


def _likeness(said: bytes, heard: bytes) -> float:
    """The ratio of signal to error, in decibels."""
    error = sum((one - other) ** 2 for one, other in zip(_samples(said), _samples(heard), strict=True))
    return 10 * math.log10((_energy(said) + 1) / (error + 1))


def _steepest(pcm: bytes) -> int:
    samples = _samples(pcm)
    return max(abs(one - other) for one, other in zip(samples, samples[1:], strict=False))


def test_with_nothing_heard_yet_there_is_silence() -> None:
    concealer = Concealer()
    assert concealer.conceal(320) == bytes(320)
    assert concealer.concealed == 1


def test_what_comes_is_played_as_it_comes() -> None:
    concealer, voice = Concealer(), _voice(8000, 0.2)
    assert b"".join(concealer.good(voice[at : at + 320]) for at in range(0, len(voice), 320)) == voice


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("milliseconds", [10, 20, 30, 40, 60])
@pytest.mark.parametrize("pitch", [90.0, 125.0, 210.0])
def test_a_lost_packet_of_any_length_is_made_up_from_both_sides(
    rate: int, milliseconds: int, pitch: float
) -> None:
    voice, octets = _voice(rate, 0.3, pitch), rate * milliseconds // 1000 * 2
    concealer, start = Concealer(rate), rate // 5  # octets: at 100 ms
    concealer.good(voice[:start])
    end = start + octets
    made_up = concealer.conceal(octets, voice[end : end + max(octets, rate // 25)], octets)
    assert concealer.good(voice[end:]) == voice[end:]
    assert _likeness(voice[start:end], made_up) > 6
    assert _steepest(voice[:start] + made_up + voice[end:]) < 1.5 * _steepest(voice)


@pytest.mark.parametrize("rate", RATES)
def test_what_comes_unforeseen_is_gone_over_to(rate: int) -> None:
    """After 30 ms of which the buffer did not know the end, something else is there."""
    voice, octets = _voice(rate, 0.1), rate // 50 * 3
    back = struct.pack(f"<{rate // 50}h", *[-6000] * (rate // 50))
    concealer = Concealer(rate)
    concealer.good(voice[: rate // 5])
    made_up = concealer.conceal(octets)
    played = concealer.good(back)
    assert len(played) == len(back)
    assert played[rate // 100 :] == back[rate // 100 :]  # after 5 ms
    assert _steepest(made_up + played) < 1.5 * _steepest(voice)
    assert abs(_samples(back)[0] - _samples(made_up)[-1]) > 1.5 * _steepest(voice)  # what it would have been


def test_a_voice_that_does_not_come_back_dies_away() -> None:
    concealer = Concealer()
    concealer.good(_voice(8000, 0.1))
    energies = [_energy(concealer.conceal(160)) for _ in range(20)]
    assert energies[0] > 0
    dead = round((HOLD + FADE) * 100)
    assert energies[2:dead] == sorted(energies[2:dead], reverse=True)
    assert set(energies[dead:]) == {0}
    assert energies[dead - 1] < energies[0] / 10


def test_after_silence_the_next_word_begins_as_it_is() -> None:
    concealer, voice = Concealer(), _voice(8000, 0.1)
    concealer.good(voice)
    for _ in range(4):
        concealer.conceal(320)
    assert concealer.good(voice) == voice


@pytest.mark.parametrize("octets", [2, 100, 160, 480])
def test_pieces_of_any_length_add_up_to_the_same(octets: int) -> None:
    whole, parts, voice = Concealer(), Concealer(), _voice(8000, 0.1)
    whole.good(voice)
    for start in range(0, len(voice), 160):
        parts.good(voice[start : start + 160])
    expected = b"".join(whole.conceal(320) for _ in range(9))
    pieces = 2880 // octets
    assert b"".join(parts.conceal(octets) for _ in range(pieces)) == expected[: pieces * octets]


def test_a_gap_in_several_pieces_leads_to_the_packet_behind_it() -> None:
    voice = _voice(8000, 0.3)
    concealer, whole = Concealer(), Concealer()
    concealer.good(voice[:1600])
    whole.good(voice[:1600])
    pieces = [concealer.conceal(320, voice[2240:2560], 640), concealer.conceal(320, voice[2240:2560], 320)]
    assert b"".join(pieces) == whole.conceal(640, voice[2240:2560], 640)
    assert concealer.good(voice[2240:2560]) == voice[2240:2560]
    assert concealer.concealed == 2


def test_a_gap_may_get_its_end_while_it_lasts() -> None:
    voice = _voice(8000, 0.3)
    concealer = Concealer()
    concealer.good(voice[:1600])
    first = concealer.conceal(320)
    second = concealer.conceal(320, voice[2240:2560], 320)
    assert concealer.good(voice[2240:2560]) == voice[2240:2560]
    assert _likeness(voice[1600:2240], first + second) > 6


def test_a_packet_that_comes_into_the_gap_after_all_is_gone_over_to() -> None:
    voice = _voice(8000, 0.3)
    concealer = Concealer()
    concealer.good(voice[:1600])
    made_up = concealer.conceal(320, voice[2240:2560], 640)
    played = concealer.good(voice[1920:2240])
    assert played != voice[1920:2240]
    assert played[80:] == voice[2000:2240]
    assert _steepest(made_up + played) < 1.5 * _steepest(voice)
    assert concealer.good(voice[2240:2560]) == voice[2240:2560]


def test_a_long_gap_is_silent_in_its_middle() -> None:
    voice = _voice(8000, 0.3)
    concealer = Concealer()
    concealer.good(voice[:1600])
    pieces = [concealer.conceal(320, voice[1600:1920], 320 * left) for left in range(25, 0, -1)]
    assert [_energy(piece) > 0 for piece in pieces] == [True] * 4 + [False] * 17 + [True] * 4


def test_of_a_gap_of_minutes_only_the_ends_are_calculated() -> None:
    concealer, voice = Concealer(48000), _voice(48000, 0.1)
    concealer.good(voice)
    assert len(concealer.conceal(1920, voice, 1920 * 50 * 60)) == 1920


def test_what_is_skipped_leaves_no_click() -> None:
    """From a peak into a trough."""
    concealer = Concealer()
    concealer.good(_voice(8000, 0.1))
    after = struct.pack("<160h", *[-3000] * 160)
    concealer.skip()
    played = concealer.good(after)
    assert concealer.concealed == 0
    assert len(played) == 320
    assert played != after
    assert played[80:] == after[80:]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("pitch", [125.0, 210.0])
def test_a_pitch_period_can_be_left_out_unheard(rate: int, pitch: float) -> None:
    voice = _voice(rate, 0.04, pitch)
    shorter = Concealer(rate).shorten(voice, len(voice))
    left_out = len(voice) - len(shorter)
    periods = left_out / 2 / rate * pitch
    assert left_out > 0
    assert periods == pytest.approx(round(periods), abs=0.05 * max(1, round(periods)))
    assert shorter[:2] == voice[:2]
    assert _steepest(shorter) < 1.1 * _steepest(voice)


def test_no_more_is_left_out_than_may_be() -> None:
    voice = _voice(8000, 0.04)  # 8 ms are 128 octets
    assert len(Concealer().shorten(voice, 400)) < len(voice)
    assert Concealer().shorten(voice, 100) == voice


def test_of_silence_as_much_is_left_out_as_may_be() -> None:
    assert Concealer().shorten(bytes(320), 1000) == bytes(160)
    assert Concealer().shorten(bytes(320), 40) == bytes(280)


def test_of_a_hiss_some_is_left_out() -> None:
    numbers = random.Random(1)
    hiss = struct.pack("<160h", *(numbers.randint(-3000, 3000) for _ in range(160)))
    shorter = Concealer().shorten(hiss, 320)
    assert len(shorter) == 160
    assert _energy(shorter) == pytest.approx(_energy(hiss) / 3, rel=0.2)  # a cross-fade of noise


@pytest.mark.parametrize("backwards", [False, True])
def test_where_a_consonant_begins_or_ends_nothing_is_left_out(backwards: bool) -> None:
    numbers = random.Random(1)
    samples = [numbers.randint(-3000, 3000) * (at > 80) for at in range(160)]
    hiss = struct.pack("<160h", *(samples[::-1] if backwards else samples))
    assert Concealer().shorten(hiss, 320) == hiss


@pytest.mark.parametrize("pcm", [b"", b"\0\0", bytes(6)])
def test_what_is_too_short_to_be_shortened(pcm: bytes) -> None:
    assert len(Concealer().shorten(pcm, 100)) <= len(pcm)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_as_much_is_played(seed: int) -> None:
    """Square waves, noise, clicks at full scale: lengths are kept, and nothing overflows."""
    numbers = random.Random(seed)
    rate = numbers.choice(RATES)
    concealer = Concealer(rate)
    for _ in range(60):
        count = numbers.choice((0, 1, 7, 80, 160, 480))
        level = numbers.choice((0, 1, 300, 32767))
        values = numbers.choice((range(-level, level + 1), (-level, level)))
        pcm = struct.pack(f"<{count}h", *numbers.choices(values, k=count))
        match numbers.randrange(4):
            case 0:
                assert len(concealer.conceal(2 * count)) == 2 * count
            case 1:
                until = 2 * count * numbers.randrange(3)
                assert len(concealer.conceal(2 * count, pcm, until)) == 2 * count
            case 2:
                assert len(concealer.shorten(pcm, 2 * count)) <= 2 * count
            case _:
                assert len(concealer.good(pcm)) == 2 * count
