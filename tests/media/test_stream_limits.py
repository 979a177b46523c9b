"""One RTP stream: two sources at once, the length of packets, whom it floods, how long it waits."""

from __future__ import annotations

import pytest

from sipstack.media.silence import SilenceWatch
from sipstack.media.speaking import UNCONFIRMED
from sipstack.media.tones import sine
from sipstack.rtp import g711, rtcp
from sipstack.rtp.packet import RtpPacket
from sipstack.rtp.rtcp import ReceiverReport
from tests.media.bench import PCMU, PEER_RTCP, STRANGER, TONE, Bench
from tests.media.hearing import purity

# Two that send at once


async def test_of_two_sources_at_once_one_is_heard() -> None:
    bench = Bench()
    await bench.listen()
    other = g711.encode_ulaw(sine(1000.0, 0.02).read() or b"")
    for number in range(500):
        bench.receive(RtpPacket(0, 50_000 + number & 0xFFFF, 160 * number, 0xBEEF, other))
        bench.hear(1)
    assert all(purity(frame, 1000.0) > 0.99 for frame in bench.ear.frames[3:])
    assert (bench.statistics.packets_received, bench.statistics.packets_invalid) == (500, 500)


async def test_an_ssrc_that_changes_with_each_packet_does_not_silence_the_call() -> None:
    bench = Bench()
    await bench.listen()
    bench.hear(1)
    for number in range(200):
        bench.receive(RtpPacket(0, number, 0, number, TONE))
        bench.receive(RtpPacket(0, number, 0, 1000 + number % 2, TONE))
        bench.hear(1)
    assert all(purity(frame, 400.0) > 0.99 for frame in bench.ear.frames[4:])
    assert bench.statistics.packets_received == 201


# The length of packets


@pytest.mark.parametrize("ptime", [10, 30, 40, 60, 100, 120])
async def test_packets_have_the_length_that_the_peer_asks_for(ptime: int) -> None:
    """RFC 8866 §6.4: a=ptime:40 is a packet each 40 ms."""
    bench = Bench()
    bench.stream.speak(PCMU, PCMU.description, sends=True, ptime=ptime)
    async with bench.audio.playing(sine(400.0, 10.0)):
        bench.ticks(60)
    packets = bench.network.packets()
    assert [len(packet.payload) for packet in packets] == [8 * ptime] * (1200 // ptime)
    assert b"".join(packet.payload for packet in packets) == TONE * (1200 // ptime * ptime // 20)
    first = packets[0]
    stamps = [(packet.timestamp - first.timestamp) & 0xFFFFFFFF for packet in packets]
    assert stamps == [8 * ptime * index for index in range(len(packets))]
    assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)


@pytest.mark.parametrize(("ptime", "octets"), [(1.0, 40), (9.5, 72), (500.0, 960), (22.5, 176)])
def test_a_length_that_makes_no_sense_is_bounded(ptime: float, octets: int) -> None:
    bench = Bench()
    bench.stream.speak(PCMU, PCMU.description, sends=True, ptime=ptime)
    bench.ticks(100)
    assert {len(packet.payload) for packet in bench.network.packets()} == {octets}


def test_half_a_packet_is_not_sent_after_a_hold_or_a_stall() -> None:
    bench = Bench()
    bench.stream.speak(PCMU, PCMU.description, sends=True, ptime=40)
    bench.ticks(1)
    bench.stream.speak(PCMU, PCMU.description, sends=False, ptime=40)
    bench.ticks(10)
    bench.stream.speak(PCMU, PCMU.description, sends=True, ptime=40)
    bench.ticks(1)
    bench.stream.tick(bench.now + 2.0, 100)
    assert bench.network.packets() == []


# Whom an offer names


async def test_an_offer_alone_gets_a_few_packets_and_what_is_to_be_said_waits() -> None:
    bench = Bench()
    bench.stream.doubt()
    async with bench.audio.playing(sine(400.0, 0.2)) as player:
        bench.ticks(1000)
        assert len(bench.network.packets()) == UNCONFIRMED
        assert not player.done
        bench.stream.confirm()
        bench.ticks(2)
    assert [(packet.payload, packet.marker) for packet in bench.network.packets()] == [
        (TONE, True),
        (TONE, False),
    ]


def test_media_from_there_shows_that_the_offer_is_not_forged() -> None:
    bench = Bench()
    bench.stream.doubt()
    bench.ticks(10)
    bench.receive(RtpPacket(0, 0, 0, 1, TONE), STRANGER)
    bench.ticks(10)
    assert len(bench.network.packets()) == UNCONFIRMED
    bench.receive(RtpPacket(0, 0, 0, 1, TONE))
    bench.ticks(10)
    assert len(bench.network.packets()) == 10


# A peer that falls silent


class Watched(Bench):
    """A bench whose stream is watched from now on."""

    def __init__(self, timeout: float | None = 30.0) -> None:
        self.lost: list[tuple[float, float]] = []
        watch = SilenceWatch(timeout, lambda silence: self.lost.append((round(self.now, 2), round(silence))))
        super().__init__()
        self.stream._watch = watch
        self.watch = watch
        watch.begin(self.now)


def test_a_peer_that_was_never_heard_is_lost_after_the_time_out() -> None:
    bench = Watched()
    bench.ticks(50 * 300)
    assert bench.lost == [(130.02, 30)]


def test_a_peer_that_falls_silent_is_lost_and_told_once() -> None:
    bench = Watched()
    bench.hear(50 * 60)
    bench.ticks(50 * 60)
    assert bench.lost == [(190.0, 30)]


def test_reports_alone_keep_a_peer_alive() -> None:
    bench = Watched()
    for _ in range(20):
        bench.ticks(50 * 20)
        bench.stream.receive_rtcp(rtcp.write([ReceiverReport(1)]), PEER_RTCP, bench.now)
    assert bench.lost == []


def test_strangers_do_not_keep_a_peer_alive() -> None:
    bench = Watched()
    for _ in range(20):
        bench.ticks(100)
        bench.receive(RtpPacket(0, 0, 0, 1, TONE), STRANGER)
        bench.stream.receive_rtcp(rtcp.write([ReceiverReport(1)]), STRANGER, bench.now)
    assert len(bench.lost) == 1


def test_our_own_stall_is_not_the_silence_of_the_peer() -> None:
    bench = Watched()
    bench.hear(10)
    bench.now += 3600
    bench.stream.tick(bench.now, 180_000)
    bench.hear(10)
    assert bench.lost == []


def test_who_is_held_may_be_silent() -> None:
    bench = Watched()
    bench.watch.end()
    bench.ticks(50 * 3600)
    assert bench.lost == []


def test_the_time_out_can_be_turned_off() -> None:
    bench = Watched(None)
    bench.ticks(50 * 3600)
    assert bench.lost == []
