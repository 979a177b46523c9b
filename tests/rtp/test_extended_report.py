"""RFC 3611: XR on the wire, VoIP metrics in it, and what we say ourselves."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import ParseError
from sipstack.rtp import rtcp
from sipstack.rtp.extended_report import Block, ExtendedReport, VoipMetrics
from sipstack.rtp.metrics import metrics_of
from sipstack.rtp.quality import G711
from sipstack.rtp.reception import Source

METRICS = VoipMetrics(
    7, 12, 3, 128, 2, 120, 9000, 40, 80, -20, -60, 50, 16, 83, 127, 41, 40, 0xB0, 60, 100, 200
)


def test_the_fields_of_figure_7_in_their_order() -> None:
    """§4.7: one octet each, two, signed levels, and one that is reserved."""
    data = rtcp.write([ExtendedReport(5, (METRICS,))])
    assert data == bytes.fromhex(
        "80cf000a 00000005 07000008 00000007 0c038002 00782328 00280050"
        " ecc43210 537f2928 b000003c 006400c8".replace(" ", "")
    )
    assert rtcp.parse(data) == (ExtendedReport(5, (METRICS,)),)


def test_blocks_that_we_do_not_know_are_kept() -> None:
    report = ExtendedReport(5, (Block(4, 0, bytes(8)), METRICS, Block(200, 17)))
    assert rtcp.parse(rtcp.write([report])) == (report,)


@pytest.mark.parametrize("octets", [0, 4, 28, 36])
def test_metrics_of_another_length_are_none(octets: int) -> None:
    body = bytes(4) + bytes([7, 0, 0, octets // 4]) + bytes(octets)
    assert ExtendedReport.parse(body).blocks == (Block(7, 0, bytes(octets)),)


@pytest.mark.parametrize(
    "body", [b"", bytes(3 * 1), bytes(4) + b"\x07\x00\xff\xff", bytes(4) + b"\x07\0\0\1"]
)
def test_what_is_longer_than_it_can_be_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError, match="XR"):
        ExtendedReport.parse(body)


def test_a_block_that_ends_in_its_header_is_refused() -> None:
    with pytest.raises(ParseError, match="XR"):
        ExtendedReport.parse(bytes(6))


@given(st.binary(max_size=80))
def test_octets_are_read_or_refused(body: bytes) -> None:
    try:
        report = ExtendedReport.parse(body)
    except ParseError:
        return
    assert ExtendedReport.parse(report.body()) == report


def received(numbers: list[int]) -> Source:
    source = Source(7, numbers[0], 8000)
    for number in numbers:
        source.receive(number, number * 160, number * 0.02)
    return source


def test_what_we_say_of_a_good_call() -> None:
    said = metrics_of(received(list(range(500))), 0, 0.06, 0.2, 0.05, G711)
    assert attrs.evolve(said, r_factor=0, mos_lq=0, mos_cq=0) == VoipMetrics(
        7,
        gap_duration=10_000,
        round_trip_delay=50,
        end_system_delay=80,
        r_factor=0,
        mos_lq=0,
        mos_cq=0,
        receiver_configuration=0xB0,
        buffer_nominal=60,
        buffer_maximum=60,
        buffer_absolute_maximum=200,
    )
    assert (said.r_factor, said.mos_lq, said.mos_cq) == (91, 44, 44)


def test_what_we_say_of_a_bad_one() -> None:
    """A burst of 20 in 400, and ten that came too late."""
    numbers = [*range(200), *range(220, 400)]
    said = metrics_of(received(numbers), 10, 0.2, 0.2, None, G711)
    assert said.loss_rate == 256 * 20 // 400
    assert said.discard_rate == 256 * 10 // 400
    assert said.burst_duration == 400
    assert said.round_trip_delay == 0
    assert said.mos_cq < said.mos_lq < 38


def test_what_a_field_cannot_hold_is_its_most() -> None:
    said = metrics_of(received([0, 2999]), 10**9, 70.0, 99.0, 1e6, G711)
    assert rtcp.parse(rtcp.write([ExtendedReport(1, (said,))])) == (ExtendedReport(1, (said,)),)
    assert (said.discard_rate, said.round_trip_delay, said.buffer_nominal) == (255, 65535, 65535)
