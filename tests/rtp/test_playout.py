"""The playout buffer against networks drawn as text.

What was played has one character for each 20 ms: a letter is that packet, ``-`` is silence (none is due),
``?`` a missing packet to be concealed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from sipstack.rtp.playout import CAPACITY, FAR, Gap, PlayoutBuffer

LETTERS = "abcdefghijklmnopqrstuvwxyz"

Arrival = tuple[float, int, str]
"""Time, timestamp, letter."""


def _spoken(letters: str = LETTERS, start: int = 0) -> list[Arrival]:
    """One packet each 20 ms, none in the place of a blank; each arrives when it is sent."""
    return [
        (0.02 * number, start + 160 * number, letter)
        for number, letter in enumerate(letters)
        if letter != " "
    ]


def _moved(arrivals: list[Arrival], delays: dict[str, float]) -> list[Arrival]:
    """The same with some packets that arrive later."""
    return sorted((time + delays.get(letter, 0.0), stamp, letter) for time, stamp, letter in arrivals)


def _play(
    buffer: PlayoutBuffer[str],
    arrivals: Iterable[Arrival],
    frames: int,
    *,
    duration: int = 160,
    start: float = 0.0,
) -> str:
    """What is heard in ``frames`` ticks from ``start`` on; a tick is 1 ms after the packets of its time."""
    pending = list(arrivals)
    heard = ""
    for tick in range(frames):
        now = start + 0.02 * tick + 0.001
        while pending and pending[0][0] <= now:
            time, timestamp, letter = pending.pop(0)
            buffer.put(timestamp & 0xFFFFFFFF, duration, letter, time)
        item = buffer.get(now)
        if item is Gap.SKIPPED:
            item = buffer.get(now)
        heard += {Gap.IDLE: "-", Gap.LOST: "?"}[item] if isinstance(item, Gap) else item
    return heard


def test_nothing_ever_comes() -> None:
    assert _play(PlayoutBuffer(), [], 5) == "-----"


def test_a_clean_network_plays_the_target_delay_later() -> None:
    buffer = PlayoutBuffer[str](target=0.06)
    assert _play(buffer, _spoken("abcdefgh"), 11) == "---abcdefgh"
    assert (buffer.late, buffer.dropped, buffer.target) == (0, 0, 0.06)


def test_lost_packets_leave_a_gap_of_their_own_length() -> None:
    buffer = PlayoutBuffer[str]()
    assert _play(buffer, _spoken("ab d  g hi"), 13) == "---ab?d??g?hi"
    assert (buffer.late, buffer.target) == (0, 0.06)


def test_reordered_packets_are_played_in_order() -> None:
    buffer = PlayoutBuffer[str]()
    assert _play(buffer, _moved(_spoken("abcdefgh"), {"b": 0.03, "d": 0.05}), 11) == "---abcdefgh"
    assert buffer.late == 0


def test_the_first_packet_need_not_arrive_first() -> None:
    buffer = PlayoutBuffer[str]()
    assert _play(buffer, _moved(_spoken("abcdef"), {"a": 0.03}), 10) == "----abcdef"


def test_duplicates_are_played_once_and_counted() -> None:
    buffer = PlayoutBuffer[str]()
    twice = [arrival for arrival in _spoken("abcdef") for _ in range(2)]
    assert _play(buffer, twice, 9) == "---abcdef"
    assert buffer.late == 6


def test_a_packet_that_comes_too_late_is_counted_and_lets_the_delay_grow_at_the_next_gap() -> None:
    buffer = PlayoutBuffer[str]()
    arrivals = _moved(_spoken("abcdef hijklmn"), {"c": 0.09})
    assert _play(buffer, arrivals, 18) == "---ab?def??hijklmn"
    assert buffer.late == 1
    assert buffer.target == pytest.approx(0.08)


def test_a_packet_too_late_for_any_delay_does_not_change_the_delay() -> None:
    buffer = PlayoutBuffer[str]()
    arrivals = _moved(_spoken("abcdefghijklmn pq"), {"c": 0.23})
    assert _play(buffer, arrivals, 20) == "---ab?defghijklmn?pq"
    assert (buffer.late, buffer.target) == (1, 0.06)


def test_the_target_never_passes_its_maximum() -> None:
    buffer = PlayoutBuffer[str](maximum=0.1)
    late = dict.fromkeys("cfilo", 0.07)
    _play(buffer, _moved(_spoken(LETTERS), late), 40)
    assert buffer.late > 0
    assert buffer.target <= 0.1


def test_a_network_that_stops_and_delivers_all_at_once_costs_delay_but_no_sound() -> None:
    buffer = PlayoutBuffer[str]()
    held = {letter: 0.14 - 0.02 * place for place, letter in enumerate("efghijk")}
    assert _play(buffer, _moved(_spoken("abcdefghijklmnop"), held), 23) == "---abcd????efghijklmnop"
    assert buffer.late == 0
    assert buffer.target == pytest.approx(0.08)


def test_what_was_lost_while_dry_does_not_make_the_delay_longer() -> None:
    """Five in a row lost, the buffer runs dry, and the sixth comes when it should."""
    buffer = PlayoutBuffer[str]()
    assert _play(buffer, _spoken("abcd     jklmn"), 17) == "---abcd?????jklmn"
    assert buffer.target == 0.06


def test_a_pause_whose_timestamps_run_on_builds_the_delay_up_again() -> None:
    buffer = PlayoutBuffer[str]()
    heard = _play(buffer, _spoken("abc" + " " * 20 + "klmnop"), 32)
    assert heard == "---abc" + "?" * 10 + "-" * 10 + "klmnop"


def test_telephone_events_take_the_place_of_audio_without_lasting_delay() -> None:
    """RFC 4733: while a digit is sent there is no audio, and its timestamps run on."""
    buffer = PlayoutBuffer[str]()
    assert _play(buffer, _spoken("abc     ijkl"), 15) == "---abc?????ijkl"


def test_timestamps_wrap() -> None:
    buffer = PlayoutBuffer[str]()
    assert _play(buffer, _spoken("abcdefgh", start=0x1_0000_0000 - 3 * 160), 11) == "---abcdefgh"


def test_a_jump_of_the_timestamps_costs_nothing() -> None:
    """The sender restarts its timestamps in mid-stream, as some do when a transfer joins two calls."""
    buffer = PlayoutBuffer[str]()
    before, after = _spoken("abcdef"), _spoken("      ghijkl", start=0x7000_0000)
    assert _play(buffer, before + after, 15) == "---abcdefghijkl"
    assert (buffer.late, buffer.dropped) == (0, 0)


def test_a_reset_forgets_packets_and_target_but_not_the_counts() -> None:
    buffer = PlayoutBuffer[str]()
    _play(buffer, _moved(_spoken("abcdef hijklmn"), {"c": 0.09}), 18)
    buffer.reset()
    assert _play(buffer, _spoken("xyz", start=5000), 6, start=0.0) == "---xyz"
    assert (buffer.late, buffer.target) == (1, 0.06)


@pytest.mark.parametrize(("duration", "heard"), [(80, "--abcdef"), (240, "--abcdef")])
def test_packets_of_other_lengths(duration: int, heard: str) -> None:
    """The one that takes frames must ask as often as packets last; here each time."""
    buffer = PlayoutBuffer[str](target=0.04)
    arrivals = [(0.02 * number, duration * number, letter) for number, letter in enumerate("abcdef")]
    assert _play(buffer, arrivals, 8, duration=duration) == heard


def test_timestamps_that_slip_by_less_than_a_frame_are_played_as_they_are() -> None:
    buffer = PlayoutBuffer[str]()
    slipped = [
        (time, stamp + (50 if letter in "ef" else 0), letter) for time, stamp, letter in _spoken("abcdef")
    ]
    assert _play(buffer, slipped, 9) == "---abcdef"


def test_a_faster_sender_does_not_build_up_delay() -> None:
    """The sender's clock runs 1 % fast, and nobody leaves out what he may: in the end packets are skipped."""
    buffer = PlayoutBuffer[str]()
    arrivals = [(0.0198 * number, 160 * number, "a") for number in range(3000)]
    heard = _play(buffer, arrivals, 2970)
    assert set(heard[3:]) == {"a"}
    assert 25 <= buffer.dropped <= 35
    assert buffer.target == 0.06


def test_a_slower_sender_is_waited_for() -> None:
    buffer = PlayoutBuffer[str]()
    arrivals = [(0.0202 * number, 160 * number, "a") for number in range(3000)]
    heard = _play(buffer, arrivals, 3000)
    assert heard.count("a") >= 2960
    assert buffer.late == 0


def test_a_burst_after_a_stall_of_ours_is_played_when_ticks_are_made_up_for() -> None:
    """We stalled for 200 ms: ten packets are read at once, then ten ticks are run at once."""
    buffer = PlayoutBuffer[str]()
    assert _play(buffer, _spoken("abcd"), 4) == "---a"
    for _, timestamp, letter in _spoken(LETTERS)[4:14]:
        buffer.put(timestamp, 160, letter, 0.28)
    assert [buffer.get(0.28) for _ in range(10)] == list("bcdefghijk")


def test_of_a_delay_that_stays_too_long_some_may_be_left_out() -> None:
    """The same stall, but the missed ticks are left out. Here nobody does."""
    buffer = PlayoutBuffer[str]()
    arrivals = [(0.0, 160 * number, "a") for number in range(20)]
    arrivals += [(0.02 * number, 160 * (19 + number), "b") for number in range(1, 90)]
    heard = _play(buffer, arrivals, 80)
    assert heard == "---" + "a" * 20 + "b" * 57
    assert buffer.excess == pytest.approx(8000 * (19 * 0.02), abs=160)
    assert buffer.target == pytest.approx(0.06)


def test_of_a_delay_that_is_much_too_long_packets_are_skipped() -> None:
    buffer = PlayoutBuffer[str]()
    arrivals = [(0.0, 160 * number, "a") for number in range(50)]
    arrivals += [(0.02 * number, 160 * (49 + number), "b") for number in range(1, 150)]
    heard = _play(buffer, arrivals, 149)
    assert 45 <= buffer.dropped <= 50
    assert buffer.excess == 0
    assert set(heard[3:]) == {"a", "b"}


def test_a_delay_that_has_become_too_short_is_made_up_for() -> None:
    """By the sender's slow clock; nothing is lost, so that there is no gap in which it could grow."""
    buffer = PlayoutBuffer[str]()
    arrivals = [(0.0202 * number, 160 * number, "a") for number in range(600)]
    heard = _play(buffer, arrivals, 600)
    gaps = heard[3:].split("a")
    assert set(gaps) == {"", "?"}
    assert 3 <= heard.count("?") <= 8
    assert (buffer.late, buffer.dropped) == (0, 0)


@pytest.mark.parametrize("jump", [-2.0, -1.9, -1.0, -0.5, -0.2, 0.2, 0.5, 1.0, 1.9, 2.0, 10.0, -10.0])
@pytest.mark.parametrize("duration", [80, 160, 240, 480])
def test_a_jump_of_the_timestamps_is_healed_within_200_ms(jump: float, duration: int) -> None:
    """From ring tone to talk, with the same SSRC."""
    buffer = PlayoutBuffer[str]()
    units = round(8000 * jump)
    arrivals = [
        (
            duration / 8000 * number,
            50_000 + duration * number + (units if number >= 40 else 0),
            "rt"[number >= 40],
        )
        for number in range(140)
    ]
    rung, talked = _play_units(buffer, arrivals, duration, 40 * duration / 8000)
    assert set(rung) <= {"r", "-"}
    assert "t" in talked[: round(0.2 / 0.01)]
    later = talked[round(0.3 / 0.01) :]
    assert set(later) == {"t"}


@pytest.mark.parametrize("start", [50_000, 0x90000000, 0xFFFFFF00])
def test_a_jump_before_anything_is_played_makes_no_gap_but_its_own(start: int) -> None:
    """Timestamps begin anywhere, the upper half of their numbers included."""
    buffer = PlayoutBuffer[str](target=0.1)
    arrivals = [(0.02 * number, start + 160 * number + (number > 0) * 4000, "a") for number in range(40)]
    heard = _play(buffer, arrivals, 40)
    assert heard[5:] == "a" * 35
    assert buffer.until <= 2 * 8000


def _play_units(
    buffer: PlayoutBuffer[str], arrivals: list[Arrival], duration: int, change: float
) -> tuple[str, str]:
    """What is heard each 10 ms, before and after ``change``."""
    pending, heard, until = list(arrivals), "", arrivals[-1][0]
    tick = 0
    while (now := 0.02 * tick + 0.001) < until:
        tick += 1
        while pending and pending[0][0] <= now:
            time, timestamp, letter = pending.pop(0)
            buffer.put(timestamp & 0xFFFFFFFF, duration, letter, time)
        while len(heard) < 2 * tick:
            item = buffer.get(now)
            gap = isinstance(item, Gap)
            heard += ({Gap.IDLE: "-", Gap.LOST: "?"}[item] if isinstance(item, Gap) else item) * (
                (buffer.missing if gap else duration) // 80
            )
    return heard[: round(change / 0.01)], heard[round(change / 0.01) :]


def test_the_end_that_was_announced_before_a_pause_does_not_count_after_it() -> None:
    buffer = PlayoutBuffer[str]()
    arrivals = _spoken("a" * 10, 20_000)
    arrivals += [(1.0 + 0.02 * number, 10_000 + 160 * number, "b") for number in range(60)]
    heard = _play(buffer, arrivals, 110)
    assert heard[60:] == "b" * 50
    assert buffer.dropped == 0


@pytest.mark.parametrize(("duration", "pieces"), [(80, 2), (160, 1), (240, 1), (320, 1), (480, 1)])
def test_lost_packets_of_any_length_leave_a_gap_of_their_own_length(duration: int, pieces: int) -> None:
    """One packet in twenty is lost: all that is heard and concealed adds up to what was said."""
    buffer = PlayoutBuffer[str]()
    seconds = duration / 8000
    sent = [(seconds * number, duration * number, "a") for number in range(400)]
    rung, talked = _play_units(
        buffer, [each for number, each in enumerate(sent) if number % 20 != 10], duration, 1.0
    )
    heard = (rung + talked).lstrip("-")
    assert set(heard) == {"a", "?"}
    lost = [len(gap) * 80 for gap in heard.split("a") if gap]
    assert set(lost) == {duration}
    assert len(lost) >= 19


def test_a_flood_is_bounded() -> None:
    buffer = PlayoutBuffer[str]()
    for number in range(10 * CAPACITY):
        buffer.put(number, 1, "a", 0.0)
    assert buffer.dropped == 9 * CAPACITY


def test_an_empty_payload_is_nothing() -> None:
    buffer = PlayoutBuffer[str]()
    buffer.put(0, 0, "a", 0.0)
    assert buffer.get(1.0) is Gap.IDLE


@pytest.mark.parametrize("seed", range(20))
def test_any_network(seed: int) -> None:
    """Loss, jitter, reordering, duplicates: what is heard is in order, once, and nothing in time is lost."""
    numbers = random.Random(seed)
    sent = [(0.02 * number, 160 * number, chr(0x4E00 + number)) for number in range(500)]
    arrivals = [
        (time + numbers.expovariate(1 / 0.015), stamp, letter)
        for time, stamp, letter in sent
        for _ in range(numbers.choices((0, 1, 2), (5, 92, 3))[0])
    ]
    buffer = PlayoutBuffer[str]()
    heard = _play(buffer, sorted(arrivals), 540)
    played = [letter for letter in heard if letter not in "-?"]
    assert played == sorted(set(played))
    arrived = {letter for _, _, letter in arrivals}
    assert len(arrived) - len(played) <= buffer.late + buffer.dropped
    assert len(played) >= 0.9 * len(arrived)


@pytest.mark.parametrize("seed", range(20))
def test_no_input_breaks_it(seed: int) -> None:
    """Hostile timestamps: ``get`` always answers, and memory stays bounded."""
    numbers = random.Random(seed)
    buffer = PlayoutBuffer[int]()
    now, near = 0.0, 0
    for step in range(3000):
        now += numbers.choice((0.0, 0.0, 0.02))
        near = (near + numbers.choice((-160, 0, 1, 159, 160, 161, 1600, 15999, 0x80000000))) & 0xFFFFFFFF
        buffer.put(near, numbers.choice((0, 1, 80, 160, 2000)), step, now)
        if numbers.random() < 0.5:
            assert isinstance(buffer.get(now), int | Gap)
        assert 0.06 <= buffer.target <= 0.2
        assert buffer.until <= 2 * FAR * 8000


def test_a_jump_before_anything_is_played_leads_to_no_gap_that_cannot_be() -> None:
    """The first timestamp is as far from those behind it as 32 bits allow."""
    for first in (0x80000000, 0x7FFFFFFF):
        buffer = PlayoutBuffer[str]()
        buffer.put(first, 160, "a", 0.0)
        for number in range(10):
            buffer.put(160 * number, 160, "b", 0.02 * number)
        heard = [buffer.get(0.08 + 0.02 * number) for number in range(12)]
        assert heard[0] == "a"
        assert heard.count("b") >= 9  # the first is exactly half of the 32 bits away
        assert buffer.until < 1600
