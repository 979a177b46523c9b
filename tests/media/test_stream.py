"""One RTP stream: each test moves time and packets by hand."""

from __future__ import annotations

import asyncio
import random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import CallEnded
from sipstack.identifiers import Identifiers
from sipstack.media.audio import Audio, MediaStatistics
from sipstack.media.codecs import stateless
from sipstack.media.peer_address import Address
from sipstack.media.stream import KEEP_ALIVE, AudioStream
from sipstack.media.tones import sine
from sipstack.rtp import g711, rtcp
from sipstack.rtp.packet import Extension, RtpPacket
from sipstack.rtp.rtcp import Bye, ReceiverReport, SenderReport
from tests.media.bench import PCMA, PCMU, PEER, PEER_RTCP, STRANGER, TONE, Bench
from tests.media.hearing import loudness, purity
from tests.media.stepped import Notebook

# What we send


def test_nothing_to_say_is_silence_each_20_ms() -> None:
    bench = Bench()
    bench.ticks(3)
    packets = bench.network.packets()
    first = packets[0]
    assert packets == [
        RtpPacket(
            payload_type=0,
            sequence_number=first.sequence_number + index,
            timestamp=(first.timestamp + 160 * index) & 0xFFFFFFFF,
            ssrc=first.ssrc,
            payload=b"\xff" * 160,
            marker=index == 0,
        )
        for index in range(3)
    ]
    assert bench.statistics == MediaStatistics(packets_sent=3, octets_sent=480)


@pytest.mark.parametrize("seed", range(50))
def test_sequence_numbers_begin_in_the_lower_half(seed: int) -> None:
    """RFC 3711 §3.3.1: who misses the first packets of SRTP cannot know of a wrap."""
    network = Notebook()
    stream = AudioStream(Audio(), network, Identifiers(random.Random(seed)), 0.0)
    stream.connect(PEER, None)
    stream.speak(PCMU, PCMU.description, sends=True)
    stream.tick(0.02, 1)
    assert network.packets()[0].sequence_number < 0x8000


async def test_a_source_is_sent_and_then_silence_again() -> None:
    bench = Bench()
    async with bench.audio.playing(sine(400.0, 0.06)) as player:
        bench.ticks(5)
        assert player.done
    payloads = [packet.payload for packet in bench.network.packets()]
    assert payloads == [TONE] * 3 + [b"\xff" * 160] * 2


async def test_on_hold_nothing_is_sent_time_runs_on_and_the_source_waits() -> None:
    bench = Bench()
    async with bench.audio.playing(sine(400.0, 0.08)) as player:
        bench.ticks(2)
        bench.stream.speak(PCMU, PCMU.description, sends=False)
        bench.ticks(100)
        assert not player.done
        before = bench.network.packets()
        bench.stream.speak(PCMU, PCMU.description, sends=True)
        bench.ticks(2)
    after = bench.network.packets()
    assert [packet.payload for packet in (*before, *after)] == [TONE] * 4
    assert [packet.marker for packet in (*before, *after)] == [True, False, True, False]
    assert (after[0].timestamp - before[-1].timestamp) & 0xFFFFFFFF == 101 * 160
    assert after[0].sequence_number == before[-1].sequence_number + 1


def test_a_nat_binding_is_kept_open_while_nothing_is_sent() -> None:
    """RFC 6263 §4.1: empty packets, here each 15 s."""
    bench = Bench(sends=False)
    bench.ticks(round(2 * KEEP_ALIVE / 0.02) + 5)
    assert bench.network.rtp == [(b"", PEER)] * 2
    assert bench.statistics == MediaStatistics()


def test_ticks_left_out_after_a_stall_pass_in_the_timestamps() -> None:
    bench = Bench()
    bench.ticks(1)
    bench.stream.tick(bench.now + 2.0, 100)
    bench.ticks(1)
    first, second, third = bench.network.packets()
    assert (second.timestamp - first.timestamp) & 0xFFFFFFFF == 160
    assert (third.timestamp - second.timestamp) & 0xFFFFFFFF == 100 * 160


def test_another_codec_goes_on_with_the_same_numbers() -> None:
    bench = Bench()
    bench.ticks(1)
    bench.stream.speak(PCMA, PCMA.description.numbered(97), sends=True)
    bench.ticks(1)
    first, second = bench.network.packets()
    assert (second.payload_type, second.payload) == (97, b"\xd5" * 160)
    assert second.sequence_number == first.sequence_number + 1
    assert (second.timestamp - first.timestamp) & 0xFFFFFFFF == 160


def test_without_an_address_nothing_is_sent() -> None:
    bench = Bench()
    bench.stream.connect(None, None)
    bench.ticks(1000)
    assert (bench.network.rtp, bench.network.rtcp) == ([], [])


def test_a_removed_stream_is_silent() -> None:
    bench = Bench()
    bench.stream.disconnect()
    bench.ticks(1000)
    bench.stream.close(bench.now)
    assert (bench.network.rtp, bench.network.rtcp) == ([], [])


# What we receive


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x80", id="one octet"),
        pytest.param(bytes(11), id="short"),
        pytest.param(bytes(172), id="version 0"),
        pytest.param(b"\xff" * 172, id="CSRCs and extension over the end"),
        pytest.param(bytes(RtpPacket(0, 0, 0, 1, TONE, padding=4))[:-1] + b"\xff", id="padding lies"),
        pytest.param(bytes(RtpPacket(96, 0, 0, 1, TONE)), id="payload type never agreed"),
        pytest.param(rtcp.write([ReceiverReport(1)]) + bytes(20), id="RTCP at the RTP port"),
    ],
)
async def test_garbage_is_counted_and_does_nothing_else(data: bytes) -> None:
    bench = Bench()
    await bench.listen()
    bench.receive(data)
    bench.ticks(5)
    assert bench.ear.frames == [bytes(320)] * 5
    assert bench.statistics == MediaStatistics(packets_sent=5, octets_sent=800, packets_invalid=1)


def test_an_empty_datagram_is_a_keep_alive() -> None:
    bench = Bench()
    bench.receive(b"")
    assert bench.statistics == MediaStatistics()


async def test_what_the_peer_says_is_heard_60_ms_later() -> None:
    bench = Bench()
    await bench.listen()
    bench.hear(10)
    assert [purity(frame, 400.0) > 0.99 for frame in bench.ear.frames] == [False] * 3 + [True] * 7
    assert bench.ear.frames[:3] == [bytes(320)] * 3
    assert bench.statistics.jitter < 0.0001
    assert attrs.evolve(bench.statistics, jitter=0.0) == MediaStatistics(
        packets_sent=10, octets_sent=1600, packets_received=10, octets_received=1600, codec_heard="PCMU"
    )


async def test_any_codec_that_was_agreed_may_come_at_any_time() -> None:
    bench = Bench()
    await bench.listen()
    bench.hear(5)
    bench.hear(5, g711.encode_alaw(g711.decode_ulaw(TONE)), payload_type=8)
    bench.ticks(2)
    assert all(purity(frame, 400.0) > 0.99 for frame in bench.ear.frames[3:])


async def test_headers_with_everything_are_understood() -> None:
    bench = Bench()
    await bench.listen()
    for number in range(8):
        packet = RtpPacket(
            0,
            number,
            number * 160,
            5,
            TONE,
            marker=True,
            csrc=(1, 2),
            extension=Extension(0xBEDE, bytes(8)),
            padding=4,
        )
        bench.receive(packet)
        bench.ticks(1)
    assert purity(bench.ear.frames[-1], 400.0) > 0.99
    assert bench.statistics.octets_received == 8 * 160


@pytest.mark.parametrize("octets", [20, 40, 80, 240, 320, 480, 1600])
async def test_packets_of_any_length_become_frames_of_20_ms(octets: int) -> None:
    """2.5 to 200 ms in a packet: the tone goes on without a gap."""
    bench = Bench()
    await bench.listen()
    payload = (TONE * 10)[:octets]
    sent, frames = 0, 100
    for tick in range(frames):
        while sent * octets <= tick * 160:
            # A packet is sent when it is full; what matters here is that they come evenly.
            start = sent * octets % 160
            bench.receive(RtpPacket(0, sent, sent * octets, 5, (TONE * 11)[start : start + len(payload)]))
            sent += 1
        bench.ticks(1)
    assert all(len(frame) == 320 for frame in bench.ear.frames)
    assert all(purity(frame, 400.0) > 0.99 for frame in bench.ear.frames[10:])
    assert bench.statistics.frames_concealed == 0


async def test_a_lost_packet_is_concealed() -> None:
    bench = Bench()
    await bench.listen()
    bench.hear(10)
    bench._number += 1
    bench.ticks(1)
    bench.hear(10)
    heard = bench.ear.frames[3:]
    assert [round(loudness(frame) / loudness(heard[0]), 1) for frame in heard] == [1.0] * 18
    assert all(purity(frame, 400.0) > 0.99 for frame in heard)
    assert bench.statistics.packets_lost == 1
    assert bench.statistics.frames_concealed == 1


async def test_another_source_in_mid_call_is_heard_after_a_new_delay() -> None:
    """A transfer behind the peer's back: SSRC, sequence number and timestamp change at once."""
    bench = Bench()
    await bench.listen()
    bench.hear(10)
    other = g711.encode_ulaw(sine(1000.0, 0.02).read() or b"")
    for number in range(10):
        bench.receive(RtpPacket(0, 50_000 + number, 7_000 + 160 * number, 0xBEEF, other))
        bench.ticks(1)
    assert purity(bench.ear.frames[-1], 1000.0) > 0.99
    assert bench.statistics.packets_received == 16  # the first 80 ms could still be a second one beside it
    assert bench.statistics.packets_lost == 0


async def test_nobody_else_can_talk_into_the_call() -> None:
    bench = Bench()
    await bench.listen()
    bench.hear(5)
    noise = bytes(range(160))
    for number in range(100):
        bench.receive(RtpPacket(0, bench._number + number, 0, 0xCAFE, noise), STRANGER)
    bench.hear(5)
    assert all(purity(frame, 400.0) > 0.99 for frame in bench.ear.frames[3:])
    assert bench.statistics.packets_invalid == 100
    assert {destination for _, destination in bench.network.rtp} == {PEER}


def test_media_goes_to_where_it_comes_from() -> None:
    """The peer is behind a NAT: what it signalled is not reachable."""
    bench = Bench()
    outside = ("198.51.100.7", 61000)
    for number in range(5):
        bench.ticks(1)
        bench.receive(RtpPacket(0, number, 160 * number, 1, TONE), outside)
    bench.ticks(1)
    assert [destination for _, destination in bench.network.rtp] == [PEER] * 4 + [outside] * 2


def test_what_nobody_listens_to_is_counted_and_not_decoded() -> None:
    def decode(payload: bytes) -> bytes:
        raise AssertionError("nobody listens")

    bench = Bench()
    bench.stream.expect({0: stateless(PCMU.description, 8000, bytes, decode, len)})
    bench.hear(50)
    assert bench.statistics.packets_received == 50


async def test_who_begins_to_listen_does_not_hear_the_past() -> None:
    bench = Bench()
    recording = bench.audio.recording(bench.ear)
    async with recording:
        bench.hear(5)
    bench.hear(500, b"\xff" * 160)
    async with recording:
        bench.hear(5)
    assert [loudness(frame) > 1000 for frame in bench.ear.frames] == ([False] * 3 + [True] * 2) * 2


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=60)
            | st.builds(
                lambda *fields: bytes(RtpPacket(*fields)),
                st.sampled_from([0, 8, 96]),
                st.integers(0, 0xFFFF) | st.integers(0, 5),
                st.integers(0, 0xFFFFFFFF) | st.sampled_from([0, 1, 159, 160, 0xFFFFFFFF]),
                st.sampled_from([1, 2]),
                st.binary(max_size=400),
            ),
            st.sampled_from([PEER, STRANGER]),
        ),
        max_size=60,
    )
)
def test_whatever_arrives_each_tick_gives_one_frame(datagrams: list[tuple[bytes, Address]]) -> None:
    bench = Bench()
    aiter(bench.audio)
    asyncio.run(bench.listen())
    for data, source in datagrams:
        bench.receive(data, source)
        bench.stream.receive_rtcp(data, source, bench.now)
        bench.ticks(1)
    assert [len(frame) for frame in bench.ear.frames] == [320] * len(datagrams)


async def test_while_we_hold_the_peer_is_counted_and_not_heard() -> None:
    """Asterisk answers recvonly, and sends on."""
    bench = Bench()
    await bench.listen()
    bench.hear(10)
    bench.stream.hear(False)
    bench.hear(10)
    bench.stream.hear(True)
    bench.hear(10)
    loud = [loudness(frame) > 1000 for frame in bench.ear.frames]
    assert loud == [False] * 3 + [True] * 7 + [False] * 13 + [True] * 7
    assert bench.statistics.packets_received == 30


@pytest.mark.parametrize("kind", [13, 101])
def test_comfort_noise_and_dtmf_are_counted_as_received(kind: int) -> None:
    """They are of payload types that we do not play, and have come all the same."""
    bench = Bench()
    bench.hear(10)
    for number in range(10, 19):
        bench.receive(RtpPacket(kind, number, 1600, 0xCAFE, b"\x05\x0a\x00\xa0"))
        bench.ticks(1)
    bench._number = 19
    bench.hear(10)
    counted = attrs.evolve(bench.statistics, packets_sent=0, octets_sent=0, jitter=0.0)
    assert counted == MediaStatistics(
        packets_received=29, octets_received=20 * 160 + 9 * 4, codec_heard="PCMU"
    )
    assert bench.statistics.jitter < 0.001
    bench.stream.close(bench.now)
    assert [block.fraction_lost for block in _blocks(bench)] == [0] * len(_blocks(bench))


def test_a_payload_type_never_agreed_is_invalid_from_anybody_else() -> None:
    bench = Bench()
    bench.hear(2)
    bench.receive(RtpPacket(13, 2, 320, 0xCAFE, b"n"), STRANGER)
    bench.receive(RtpPacket(13, 2, 320, 0xBEEF, b"n"))
    assert (bench.statistics.packets_received, bench.statistics.packets_invalid) == (2, 2)


@pytest.mark.parametrize("octets", [40, 80, 160, 240, 480])
async def test_lost_packets_of_any_length_are_concealed(octets: int) -> None:
    """One in twenty: the tone does not stop, and keeps its place."""
    bench = Bench()
    await bench.listen()
    sent = 0
    for tick in range(200):
        while sent * octets <= tick * 160:
            if sent % 20 != 10:
                start = sent * octets % 160
                bench.receive(RtpPacket(0, sent, sent * octets, 5, (TONE * 4)[start : start + octets]))
            sent += 1
        bench.ticks(1)
    heard = bench.ear.frames[10:]
    assert all(loudness(frame) > 0.3 * loudness(heard[0]) for frame in heard)
    assert all(purity(frame, 400.0) > 0.95 for frame in heard)
    # The last one may not be due yet.
    assert bench.statistics.frames_concealed >= bench.statistics.packets_lost - 1 > 0


# Reports


def _blocks(bench: Bench) -> list[rtcp.ReportBlock]:
    return [
        block
        for compound in _reports(bench)
        for packet in compound
        if isinstance(packet, SenderReport | ReceiverReport)
        for block in packet.reports
    ]


def _reports(bench: Bench) -> list[tuple[rtcp.RtcpPacket, ...]]:
    return [rtcp.parse(data) for data, _ in bench.network.rtcp]


def test_reports_go_out_every_few_seconds_to_the_next_port() -> None:
    bench = Bench()
    bench.ticks(50 * 60)
    compounds = _reports(bench)
    assert 10 <= len(compounds) <= 30
    assert {destination for _, destination in bench.network.rtcp} == {PEER_RTCP}
    assert {type(compound[0]) for compound in compounds} == {SenderReport}
    last = compounds[-1][0]
    assert isinstance(last, SenderReport)
    sent = bench.network.packets()
    assert last.packet_count * 160 == last.octet_count
    # The report's timestamp is that of the packet after those it counts.
    assert sent[last.packet_count].timestamp == last.rtp_timestamp


def test_on_hold_reports_go_on() -> None:
    bench = Bench(sends=False)
    bench.ticks(50 * 60)
    assert {type(compound[0]) for compound in _reports(bench)} == {ReceiverReport}


def test_a_call_ends_with_bye() -> None:
    bench = Bench()
    bench.ticks(1)
    bench.stream.close(bench.now)
    (compound,) = _reports(bench)
    assert [type(packet).__name__ for packet in compound] == ["SenderReport", "SourceDescription", "Bye"]
    assert isinstance(compound[-1], Bye)
    assert compound[-1].sources == (bench.network.packets()[0].ssrc,)


def test_who_has_said_nothing_says_no_goodbye() -> None:
    """RFC 3550 §6.3.7: the peer does not know us."""
    bench = Bench(sends=False)
    bench.ticks(1)
    bench.stream.close(bench.now)
    assert bench.network.rtcp == []


def test_who_has_only_reported_says_goodbye() -> None:
    bench = Bench(sends=False)
    bench.ticks(50 * 10)
    bench.stream.close(bench.now)
    assert isinstance(_reports(bench)[-1][-1], Bye)


def test_the_round_trip_comes_from_the_peer_s_reports() -> None:
    bench = Bench()
    while not bench.network.rtcp:
        bench.ticks(1)
    report = _reports(bench)[0][0]
    assert isinstance(report, SenderReport)
    block = rtcp.ReportBlock(report.ssrc, 0, 0, 0, 0, report.ntp_time >> 16 & 0xFFFFFFFF, 0)
    bench.ticks(2)
    bench.stream.receive_rtcp(rtcp.write([ReceiverReport(1, (block,))]), PEER_RTCP, bench.now)
    assert bench.statistics.round_trip == pytest.approx(0.04, abs=1e-4)


@pytest.mark.parametrize(
    ("data", "source"),
    [
        pytest.param(b"\x80", PEER_RTCP, id="cut"),
        pytest.param(rtcp.write([ReceiverReport(1)])[:-1], PEER_RTCP, id="longer than the datagram"),
        pytest.param(b"\x9f\xc8" + bytes(26), PEER_RTCP, id="blocks that are not there"),
        pytest.param(rtcp.write([ReceiverReport(1)]), STRANGER, id="from a stranger"),
    ],
)
def test_a_false_report_is_counted_and_ignored(data: bytes, source: Address) -> None:
    bench = Bench()
    bench.ticks(1)
    bench.stream.receive_rtcp(data, source, bench.now)
    bench.stream.close(bench.now)
    assert bench.statistics == MediaStatistics(packets_invalid=1, packets_sent=1, octets_sent=160)
    assert [destination for _, destination in bench.network.rtcp] == [PEER_RTCP]


def test_reports_follow_the_peer_through_its_nat() -> None:
    bench = Bench()
    for number in range(4):
        bench.receive(RtpPacket(0, number, 160 * number, 1, TONE), ("198.51.100.7", 61000))
    bench.stream.receive_rtcp(rtcp.write([ReceiverReport(1)]), ("198.51.100.7", 61013), bench.now)
    bench.ticks(1)
    bench.stream.close(bench.now)
    assert [destination for _, destination in bench.network.rtcp] == [("198.51.100.7", 61013)]


def test_bye_from_the_peer_ends_nothing() -> None:
    """It may be followed by another source: the call ends by signalling."""
    bench = Bench()
    bench.hear(2)
    bench.stream.receive_rtcp(rtcp.write([ReceiverReport(0xCAFE), Bye((0xCAFE,))]), PEER_RTCP, bench.now)
    bench.hear(2)
    assert bench.statistics.packets_received == 4


async def test_the_end_of_the_audio_does_not_disturb_the_stream() -> None:
    bench = Bench()
    async with bench.audio.playing(sine(400.0, 1.0)):
        bench.audio.end(CallEnded("remote"))
        bench.ticks(2)
    assert [packet.payload for packet in bench.network.packets()] == [b"\xff" * 160] * 2
