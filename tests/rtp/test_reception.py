"""RFC 3550 appendices A.1 (sequence numbers), A.3 (loss) and A.8 (jitter)."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from sipstack.rtp.reception import Arrival, Reception
from sipstack.rtp.rtcp import ReportBlock

SSRC = 0xCAFE


def _receive(reception: Reception, numbers: Iterable[int], ssrc: int = SSRC) -> list[Arrival]:
    """Packets that arrive exactly in time, each 20 ms after the one numbered before it."""
    return [
        reception.receive(ssrc, number & 0xFFFF, number * 160 & 0xFFFFFFFF, number * 0.02)
        for number in numbers
    ]


def test_nothing_received() -> None:
    reception = Reception(8000)
    assert (reception.received, reception.lost, reception.jitter, reception.source) == (0, 0, 0.0, None)


def test_the_first_source_is_believed_at_once() -> None:
    reception = Reception(8000)
    assert _receive(reception, [5]) == [Arrival.RESTARTED]
    assert (reception.received, reception.lost) == (1, 0)


@pytest.mark.parametrize(
    ("numbers", "received", "lost"),
    [
        pytest.param(range(100, 200), 100, 0, id="all there"),
        pytest.param([100, 101, 104, 105], 4, 2, id="two lost"),
        pytest.param([100, 102, 101, 103], 4, 0, id="reordered"),
        pytest.param([100, 101, 101, 101, 102], 5, -2, id="duplicates: more received than sent"),
        pytest.param([100, 101, 103, 103], 4, 0, id="a duplicate hides a loss"),
        pytest.param([65534, 65535, 65536, 65537], 4, 0, id="sequence numbers wrap"),
        pytest.param([65534, 65536, 65535, 65537], 4, 0, id="reordered across the wrap"),
        pytest.param([65530, 65540], 2, 9, id="lost across the wrap"),
        pytest.param([100, 99, 98, 101], 4, -2, id="reordered before the first: not expected"),
    ],
)
def test_loss_is_what_was_expected_less_what_came(numbers: Iterable[int], received: int, lost: int) -> None:
    reception = Reception(8000)
    _receive(reception, numbers)
    assert (reception.received, reception.lost) == (received, lost)


def test_one_wild_sequence_number_is_refused_and_not_counted() -> None:
    reception = Reception(8000)
    assert _receive(reception, [100, 101, 40000, 102]) == [
        Arrival.RESTARTED,
        Arrival.ACCEPTED,
        Arrival.REFUSED,
        Arrival.ACCEPTED,
    ]
    assert (reception.received, reception.lost) == (3, 0)


def test_two_wild_ones_in_a_row_are_a_restart_and_the_totals_go_on() -> None:
    reception = Reception(8000)
    assert _receive(reception, [100, 102, 40000, 40001, 40003]) == [
        Arrival.RESTARTED,
        Arrival.ACCEPTED,
        Arrival.REFUSED,
        Arrival.RESTARTED,
        Arrival.ACCEPTED,
    ]
    assert (reception.received, reception.lost) == (4, 2)


def test_another_source_takes_over_with_its_second_packet_in_a_row() -> None:
    reception = Reception(8000)
    _receive(reception, [1, 2, 4])
    assert _receive(reception, [7, 9, 10], ssrc=0xBEEF) == [
        Arrival.REFUSED,
        Arrival.REFUSED,
        Arrival.RESTARTED,
    ]
    assert reception.source is not None
    assert reception.source.ssrc == 0xBEEF
    assert (reception.received, reception.lost) == (4, 1)


def test_a_stray_packet_of_another_source_changes_nothing() -> None:
    reception = Reception(8000)
    _receive(reception, [1, 2])
    assert _receive(reception, [7], ssrc=0xBEEF) == [Arrival.REFUSED]
    assert _receive(reception, [3]) == [Arrival.ACCEPTED]
    assert (reception.received, reception.lost) == (3, 0)


def test_jitter_of_packets_that_alternate_by_ten_milliseconds() -> None:
    """|D| is always 80 units, so J comes near 80: J += (|D| - J)/16."""
    reception = Reception(8000)
    for number in range(200):
        reception.receive(SSRC, number, number * 160, number * 0.02 + 0.01 * (number % 2))
    expected = 0.0
    for _ in range(199):
        expected += (80 - expected) / 16
    assert reception.jitter == pytest.approx(expected / 8000, abs=1 / 8000)  # arrivals are cut to whole units


def test_jitter_does_not_notice_that_timestamps_wrap() -> None:
    reception = Reception(8000)
    start = 0x1_0000_0000 - 160 * 50
    for number in range(100):
        reception.receive(SSRC, number, (start + number * 160) & 0xFFFFFFFF, 7.0 + number * 0.02)
    assert reception.jitter == pytest.approx(0.0, abs=1 / 8000)


@pytest.mark.parametrize("jump", [0x7000_0000, 15_000, 5_000, -5_000])
def test_jitter_does_not_count_a_jump_of_the_timestamps(jump: int) -> None:
    reception = Reception(8000)
    for number in range(10):
        reception.receive(SSRC, number, 10_000 + number * 160, number * 0.02)
    reception.receive(SSRC, 10, 11_600 + jump, 0.2)
    reception.receive(SSRC, 11, 11_760 + jump, 0.22)
    assert reception.jitter == pytest.approx(0.0, abs=1 / 8000)


def test_a_report_tells_the_loss_since_the_one_before() -> None:
    reception = Reception(8000)
    _receive(reception, [10, 11, 12, 15])  # 2 of 6 lost
    assert reception.source is not None
    assert reception.source.report(0xABCD, 99) == ReportBlock(SSRC, 85, 2, 15, 0, 0xABCD, 99)
    _receive(reception, [16, 17])
    assert reception.source.report() == ReportBlock(SSRC, 0, 2, 17, 0)
    _receive(reception, [18, 18, 18])
    assert reception.source.report() == ReportBlock(SSRC, 0, 0, 18, 0)
    assert reception.source.report() == ReportBlock(SSRC, 0, 0, 18, 0)


def test_a_report_has_the_cycles_in_the_upper_half() -> None:
    reception = Reception(8000)
    _receive(reception, [65535, 65536])
    assert reception.source is not None
    assert reception.source.report().highest_sequence_number == 0x10000


def test_a_report_after_nearly_everything_was_lost() -> None:
    reception = Reception(8000)
    _receive(reception, [0, 2999])
    assert reception.source is not None
    assert reception.source.report() == ReportBlock(SSRC, 255, 2998, 2999, 0)


def test_of_two_sources_at_once_one_is_heard() -> None:
    reception = Reception(8000)
    heard = set()
    for number in range(1000):
        for ssrc in (1, 2):
            if reception.receive(ssrc, number, 160 * number, 0.02 * number) is not Arrival.REFUSED:
                heard.add(ssrc)
    assert (heard, reception.received, reception.lost) == ({1}, 1000, 0)


def test_another_source_takes_over_when_the_present_one_is_silent() -> None:
    reception = Reception(8000)
    reception.receive(1, 0, 0, 0.0)
    arrivals = [reception.receive(2, number, 0, 0.02 * number) for number in range(1, 7)]
    assert arrivals == [Arrival.REFUSED] * 4 + [Arrival.RESTARTED, Arrival.ACCEPTED]


def test_another_source_may_be_let_in() -> None:
    reception = Reception(8000)
    reception.receive(1, 0, 0, 0.0)
    reception.let_in()
    arrivals = [reception.receive(2, number, 0, 0.02 * number) for number in range(1, 3)]
    assert arrivals == [Arrival.REFUSED, Arrival.RESTARTED]


def test_what_is_not_played_is_counted_without_its_timestamp() -> None:
    reception = Reception(8000)
    reception.receive(1, 0, 0, 0.0)
    assert reception.count(1, 1, 0.02)
    assert not reception.count(2, 2, 0.04)
    assert not reception.count(1, 1000, 0.04)  # a forged one moves nothing
    assert not reception.count(1, 40_000, 0.04)
    reception.receive(1, 2, 320, 0.04)
    assert (reception.received, reception.lost, reception.jitter) == (3, 0, 0.0)
