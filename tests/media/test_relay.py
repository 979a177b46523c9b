"""Packets that are passed on: their numbers, and what must not go out."""

from __future__ import annotations

import pytest

from sipstack.media.relay import WINDOW, Numbering
from sipstack.rtp.packet import RtpPacket
from sipstack.rtp.sender import Sender

OURS = 0xCAFE


class Way:
    """A source, our sender, and the numbering between them."""

    def __init__(self, *, first: int = 100, ours: int = 5000) -> None:
        self.sender = Sender(OURS, ours, 80_000)
        self.numbering = Numbering()
        self.first = first

    def take(
        self, place: int, *, ssrc: int = 1, audio: bool = True, marker: bool = False
    ) -> RtpPacket | None:
        """The packet at this place of the source's stream, as it goes out."""
        number = (self.first + place) & 0xFFFF
        packet = RtpPacket(0, number, 160 * place & 0xFFFFFFFF, ssrc, bytes([place & 0xFF]), marker)
        data = self.numbering.renumbered(packet, 8, self.sender, 160 if audio else None)
        return None if data is None else RtpPacket.parse(data)

    def numbers(self, *places: int) -> list[int | None]:
        """The sequence numbers that these go out under."""
        sent = [self.take(place) for place in places]
        return [None if packet is None else packet.sequence_number for packet in sent]


def test_they_go_out_as_packets_of_ours() -> None:
    way = Way()
    assert way.take(0) == RtpPacket(8, 5000, 80_000, OURS, b"\0", marker=True)
    assert way.take(1) == RtpPacket(8, 5001, 80_160, OURS, b"\1")
    assert (way.sender.packets, way.sender.octets) == (2, 2)


def test_what_was_lost_stays_lost() -> None:
    assert Way().numbers(0, 1, 4, 5) == [5000, 5001, 5004, 5005]


def test_what_was_reordered_keeps_its_number() -> None:
    assert Way().numbers(0, 3, 1, 2, 4) == [5000, 5003, 5001, 5002, 5004]


def test_no_packet_goes_out_twice() -> None:
    assert Way().numbers(0, 1, 1, 0, 3, 2, 2, 3) == [5000, 5001, None, None, 5003, 5002, None, None]


def test_what_is_older_than_the_first_does_not_go_out() -> None:
    """Its number may be one that we have used ourselves."""
    assert Way(first=200).numbers(0, -1, -2, 1) == [5000, None, None, 5001]


def test_what_comes_after_a_long_time_does_not_go_out() -> None:
    places = [place for place in range(2 * WINDOW + 2) if place != 5]
    way = Way()
    assert None not in way.numbers(*places)
    assert way.numbers(5) == [None]


@pytest.mark.parametrize(("first", "ours"), [(0xFFFE, 5000), (100, 0xFFFE), (0xFFFD, 0xFFFE)])
def test_numbers_wrap_on_either_side(first: int, ours: int) -> None:
    expected = [(ours + place) & 0xFFFF for place in range(5)]
    assert Way(first=first, ours=ours).numbers(*range(5)) == expected


def test_another_source_goes_on_where_the_one_before_it_ended() -> None:
    way = Way()
    way.numbers(0, 1, 2)
    packet = way.take(9000, ssrc=2)
    assert packet is not None
    assert (packet.sequence_number, packet.timestamp, packet.ssrc) == (5003, 80_480, OURS)
    assert packet.marker


def test_a_source_that_jumps_leaves_no_gap() -> None:
    way = Way()
    way.numbers(0, 1)
    assert way.numbers(20_000, 20_001) == [5002, 5003]


def test_after_a_packet_of_our_own_they_go_on_behind_it() -> None:
    way = Way()
    way.numbers(0, 1)
    own = RtpPacket.parse(way.sender.packet(8, b"own"))
    assert own.sequence_number == 5002
    way.sender.advance(160)
    following = way.take(2)
    assert following is not None
    assert (following.sequence_number, following.timestamp) == (5003, 80_480)


def test_a_digit_keeps_one_timestamp_and_does_not_move_the_clock() -> None:
    way = Way()
    way.take(0)
    clock = way.sender.timestamp
    digit = [RtpPacket(101, 101 + each, 160, 1, b"\5\0\0\0", each == 0) for each in range(3)]
    sent = [way.numbering.renumbered(packet, 96, way.sender, None) for packet in digit]
    packets = [RtpPacket.parse(data) for data in sent if data is not None]
    assert [(each.sequence_number, each.timestamp, each.marker) for each in packets] == [
        (5001, 80_160, True),
        (5002, 80_160, False),
        (5003, 80_160, False),
    ]
    assert way.sender.timestamp == clock
