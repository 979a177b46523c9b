"""The numbers of the packets that we send."""

from __future__ import annotations

from sipstack.rtp.packet import RtpPacket
from sipstack.rtp.sender import Sender


def _send(sender: Sender, payload: bytes = b"x" * 160) -> RtpPacket:
    packet = RtpPacket.parse(sender.packet(0, payload))
    sender.advance(160)
    return packet


def test_sequence_numbers_and_timestamps_wrap() -> None:
    sender = Sender(ssrc=7, sequence_number=0xFFFF, timestamp=0xFFFFFFFF - 159)
    assert [_send(sender, b"a"), _send(sender, b"b")] == [
        RtpPacket(0, 0xFFFF, 0xFFFFFF60, 7, b"a", marker=True),
        RtpPacket(0, 0, 0, 7, b"b"),
    ]


def test_the_marker_is_on_the_first_packet_of_each_talkspurt() -> None:
    """RFC 3551 §4.1."""
    sender = Sender(1, 0, 0)
    markers = [_send(sender).marker for _ in range(3)]
    sender.pause()
    markers += [_send(sender).marker for _ in range(2)]
    assert markers == [True, False, False, True, False]


def test_time_runs_on_while_nothing_is_sent_and_sequence_numbers_do_not() -> None:
    sender = Sender(1, 10, 1000)
    _send(sender)
    sender.pause()
    sender.advance(50 * 160)
    packet = _send(sender)
    assert (packet.sequence_number, packet.timestamp) == (11, 1000 + 51 * 160)


def test_packets_and_payload_octets_are_counted() -> None:
    sender = Sender(1, 0, 0)
    for _ in range(3):
        _send(sender)
    assert (sender.packets, sender.octets) == (3, 480)
