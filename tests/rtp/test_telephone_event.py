"""Keys as packets of their own: every press once, whatever the network does (RFC 4733)."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from sipstack.errors import ParseError
from sipstack.rtp.packet import RtpPacket
from sipstack.rtp.sender import Sender
from sipstack.rtp.telephone_event import (
    ENDS,
    HANG,
    KEYS,
    EventReceiver,
    EventSender,
    Press,
    TelephoneEvent,
)

START = 0xFFFFFF00  # wraps in the second packet


def sent(
    key: str = "5",
    duration: float = 0.1,
    *,
    rate: int = 8000,
    sender: Sender | None = None,
    periods: int = 1,
    release_after: int | None = None,
) -> list[RtpPacket]:
    """The packets of a press, 20 ms after 20 ms."""
    sender = sender or Sender(7, 0xFFFE, START)
    pressing = EventSender(key, 101, rate, duration)
    packets: list[RtpPacket] = []
    for tick in itertools.count():
        if tick == release_after:
            pressing.release()
        if pressing.done:
            return packets
        packets += map(RtpPacket.parse, pressing.packets(sender, periods))
        sender.advance(rate // 50 * periods)
    raise AssertionError


def told(packet: RtpPacket) -> tuple[bool, int, int, bool]:
    """Marker, timestamp since START, duration, end."""
    event = TelephoneEvent.parse(packet.payload)
    return packet.marker, packet.timestamp - START & 0xFFFFFFFF, event.duration, event.end


def heard(
    packets: list[RtpPacket], receiver: EventReceiver | None = None, *, rate: int = 8000, every: float = 0.02
) -> list[Press]:
    """The presses that are told of these packets, which arrive 20 ms after 20 ms, and of the silence then."""
    receiver = receiver or EventReceiver(rate)
    presses, now = [], 100.0
    for packet in packets:
        presses += receiver.receive(packet, now)
        now += every
    return presses + receiver.timeout(now + HANG)


def keys(presses: list[Press]) -> str:
    return "".join(press.key for press in presses)


def dialled(text: str, *, gap: int = 5, rate: int = 8000) -> list[list[RtpPacket]]:
    """The packets of several presses, ``gap`` frames apart."""
    sender, presses = Sender(7, 0, 0), []
    for key in text:
        presses.append(sent(key, rate=rate, sender=sender))
        sender.advance(gap * rate // 50)
    return presses


# --- what we send ---


def test_one_timestamp_a_growing_duration_and_three_ends() -> None:
    """§2.5.1.2, §2.5.1.4; the marker is on the first packet (§2.3.5)"""
    packets = sent("5", 0.1)
    assert [told(packet) for packet in packets] == [
        (True, 0, 160, False),
        (False, 0, 320, False),
        (False, 0, 480, False),
        (False, 0, 640, False),
        (False, 0, 800, True),
        (False, 0, 800, True),
        (False, 0, 800, True),
    ]
    assert [packet.sequence_number for packet in packets] == [0xFFFE, 0xFFFF, 0, 1, 2, 3, 4]
    assert {(packet.payload_type, packet.ssrc, packet.payload[0]) for packet in packets} == {(101, 7, 5)}


def test_the_clock_of_the_audio_runs_on_and_audio_begins_a_talkspurt() -> None:
    sender = Sender(7, 0, START)
    sent("5", 0.1, sender=sender)
    audio = RtpPacket.parse(sender.packet(0, b"x"))
    assert (audio.timestamp - START & 0xFFFFFFFF, audio.marker) == (7 * 160, True)


@pytest.mark.parametrize(
    ("rate", "durations"), [(16000, [320, 640, 640, 640]), (48000, [960, 1920, 1920, 1920])]
)
def test_durations_count_in_the_clock_of_the_codec(rate: int, durations: list[int]) -> None:
    assert [told(packet)[2] for packet in sent("1", 0.04, rate=rate)] == durations


def test_a_press_of_no_whole_number_of_frames_has_the_duration_that_was_asked_for() -> None:
    assert [told(packet)[2:] for packet in sent("1", 0.05)] == [(160, False), (320, False)] + [
        (400, True)
    ] * 3
    assert [told(packet)[2:] for packet in sent("1", 0.0)] == [(1, True)] * 3


def test_a_press_that_is_given_up_ends_with_what_was_told_last() -> None:
    packets = sent("1", 5.0, release_after=3)
    assert [told(packet)[2:] for packet in packets] == [(160, False), (320, False)] + [(480, False)] + [
        (480, True)
    ] * ENDS
    assert sent("1", 5.0, release_after=0) == []
    assert len(sent("1", 0.1, release_after=6)) == 7  # in the ends: they go on


def test_after_a_stall_the_duration_is_that_of_the_clock() -> None:
    assert [told(packet)[2:] for packet in sent("1", 0.2, periods=4)] == [
        (160, False),
        (1280, False),
        *[(1600, True)] * 3,
    ]


@pytest.mark.parametrize(("rate", "duration"), [(8000, 9.0), (48000, 3.0)])
def test_what_lasts_longer_than_a_packet_can_tell_goes_on_in_segments(rate: int, duration: float) -> None:
    """§2.5.1.3: each begins where the one before it ends, which is not told as the end."""
    packets = sent("1", duration, rate=rate)
    segments = [list(group) for _, group in itertools.groupby(packets, lambda packet: packet.timestamp)]
    starts = [told(segment[0])[1] for segment in segments]
    assert starts == [0xFFFF * number for number in range(len(segments))]
    assert len(segments) == math.ceil(duration * rate / 0xFFFF)
    for segment in segments[:-1]:
        assert told(segment[-1])[2:] == (0xFFFF, False)
    assert told(segments[-1][-1])[2:] == (duration * rate - 0xFFFF * (len(segments) - 1), True)
    assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)
    assert [press.duration for press in heard(packets, rate=rate)] == [duration]


# --- what is heard ---


def test_a_press_is_told_once_with_its_first_end() -> None:
    receiver, packets = EventReceiver(8000), sent("#", 0.1)
    assert [receiver.receive(packet, 5.0 + 0.02 * number) for number, packet in enumerate(packets)] == [
        [],
        [],
        [],
        [],
        [Press("#", 4.98, 0.1)],
        [],
        [],
    ]
    assert receiver.deadline == math.inf


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_every_key_in_every_clock(key: str, rate: int) -> None:
    (press,) = heard(sent(key, 0.1, rate=rate), rate=rate)
    assert press.key == key
    assert press.duration == pytest.approx(0.1)


@pytest.mark.parametrize(
    "kept", [kept for count in range(1, 8) for kept in itertools.combinations(range(7), count)]
)
def test_any_packet_that_comes_is_the_press_and_any_may_be_lost(kept: tuple[int, ...]) -> None:
    packets = sent("9", 0.1)
    (press,) = heard([packets[number] for number in kept])
    assert press.key == "9"
    assert press.duration == told(packets[kept[-1]])[2] / 8000


@pytest.mark.parametrize("seed", range(200))
def test_loss_duplicates_and_reordering_make_no_press_and_take_none(seed: int) -> None:
    chance = random.Random(seed)
    text = "".join(chance.choice(KEYS) for _ in range(6))
    arriving: list[RtpPacket] = []
    for press in dialled(text):
        kept = [packet for packet in press if chance.random() > 0.5] or [chance.choice(press)]
        several = [packet for packet in kept for _ in range(chance.choice((1, 1, 2, 3)))]
        chance.shuffle(several)
        arriving += several
    assert keys(heard(arriving)) == text


def test_packets_of_a_press_that_come_after_the_next_has_begun_are_late() -> None:
    first, second = dialled("12")
    assert keys(heard([*first[:4], second[0], *first[4:], *second[1:]])) == "12"


def test_the_same_key_twice_is_two_presses_and_a_press_is_no_two() -> None:
    one, two = dialled("55")
    assert keys(heard([*one, *two])) == "55"
    assert keys(heard([*one, *one])) == "5"
    assert keys(heard([one[0], two[3]])) == "55"  # nearly all is lost


def test_without_an_end_the_key_is_released_after_a_silence() -> None:
    receiver = EventReceiver(8000)
    for number, packet in enumerate(sent("5", 0.1)[:4]):
        receiver.receive(packet, 10 + number * 0.02)
    assert receiver.pressed == "5"
    assert receiver.deadline == pytest.approx(10.06 + HANG)
    assert receiver.timeout(receiver.deadline - 0.001) == []
    assert receiver.timeout(receiver.deadline) == [Press("5", 9.98, 0.08)]
    assert receiver.timeout(99) == []
    assert receiver.pressed is None


def test_what_comes_after_the_silence_is_the_same_press() -> None:
    receiver, packets = EventReceiver(8000), sent("5", 1.0)
    presses = receiver.receive(packets[0], 0.0) + receiver.timeout(1.0)
    for packet in packets[10:]:
        presses += receiver.receive(packet, 1.0)
    assert keys(presses) == "5"


def test_the_next_key_ends_the_one_before() -> None:
    receiver = EventReceiver(8000)
    first, second = dialled("12")
    assert receiver.receive(first[1], 0.0) == []
    assert keys(receiver.receive(second[0], 0.1)) == "1"
    assert receiver.pressed == "2"


@pytest.mark.parametrize("lost", [slice(400, 415), slice(405, 412), slice(408, 410), slice(409, 411)])
def test_a_segment_whose_beginning_is_lost_is_still_the_same_press(lost: slice) -> None:
    packets = sent("1", 9.0)
    del packets[lost]
    (press,) = heard(packets)
    assert press.duration == 9.0


def test_a_key_that_is_lost_and_pressed_again_at_a_fast_clock_is_two_presses() -> None:
    """At 48 kHz a segment lasts 1.4 s: a second press within it is no segment."""
    sender = Sender(7, 0, 0)
    first = sent("1", 0.1, rate=48000, sender=sender)[:4]
    sender.advance(48000)
    assert keys(heard(first + sent("1", 0.1, rate=48000, sender=sender)[1:], rate=48000)) == "11"


def test_a_sender_that_counts_anew_is_heard() -> None:
    before, after = sent("1", sender=Sender(7, 0, 900_000)), sent("2", sender=Sender(7, 90, 100))
    other = sent("3", sender=Sender(8, 5, 50))
    assert keys(heard([*before, *after, *other])) == "123"


def test_more_octets_than_an_event_has_are_left_aside() -> None:
    packet = RtpPacket(101, 1, 1, 1, bytes(TelephoneEvent(3, True, 10, 800)) + b"\x05\x00\x00\x00")
    assert keys(heard([packet])) == "3"


@pytest.mark.parametrize("code", [17, 32, 66, 255])
def test_events_that_are_no_keys_are_ignored(code: int) -> None:
    """§3.2 to §3.4 had tones of modems, fax and lines."""
    packet = RtpPacket(101, 1, 1, 1, bytes(TelephoneEvent(code, True, 10, 800)))
    assert heard([packet]) == []


@pytest.mark.parametrize("payload", [b"", b"\x05", b"\x05\x8a\x03"])
def test_what_is_too_short_is_ignored_and_no_event(payload: bytes) -> None:
    receiver = EventReceiver(8000)
    receiver.receive(sent("1")[0], 1.0)
    assert receiver.receive(RtpPacket(101, 1, 1, 1, payload), 1.1) == []
    assert receiver.pressed == "1"
    with pytest.raises(ParseError):
        TelephoneEvent.parse(payload)


def test_two_keys_under_one_timestamp_are_the_first() -> None:
    receiver = EventReceiver(8000)
    receiver.receive(RtpPacket(101, 1, 1, 1, bytes(TelephoneEvent(1, False, 10, 160))), 1.0)
    assert receiver.receive(RtpPacket(101, 2, 1, 1, bytes(TelephoneEvent(2, True, 10, 320))), 1.1) == []
    assert receiver.pressed == "1"


@pytest.mark.parametrize(
    ("event", "octets"),
    [
        (TelephoneEvent(11, True, 10, 800), "0b8a0320"),
        (TelephoneEvent(0, False, 63, 65535), "003fffff"),
        (TelephoneEvent(255, True, 0, 0), "ff800000"),
    ],
)
def test_the_octets_of_an_event(event: TelephoneEvent, octets: str) -> None:
    assert bytes(event).hex() == octets
    assert TelephoneEvent.parse(bytes.fromhex(octets)) == event


def test_the_reserved_bit_is_nothing() -> None:
    assert TelephoneEvent.parse(b"\x01\x4a\x00\xa0") == TelephoneEvent(1, False, 10, 160)


@pytest.mark.parametrize("seed", range(50))
def test_any_packets_end_in_silence_and_nothing_else(seed: int) -> None:
    chance = random.Random(seed)
    receiver, count = EventReceiver(chance.choice((8000, 48000))), 0
    for number in range(500):
        payload = bytes([chance.randrange(20), *chance.randbytes(chance.randrange(5))])
        packet = RtpPacket(101, number, chance.getrandbits(32), chance.randrange(2), payload)
        count += len(receiver.receive(packet, number * 0.02))
    count += len(receiver.timeout(99.0))
    assert 0 < count <= 500
    assert (receiver.pressed, receiver.deadline) == (None, math.inf)
