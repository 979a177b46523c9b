"""What the peer tells by RTCP: how it hears us, that its source has left, and what it wants to be told."""

from __future__ import annotations

import asyncio
import struct

import attrs
import pytest

from sipstack.media.audio import MediaStatistics, PeerReport
from sipstack.media.codecs import PCMU, Stateless
from sipstack.media.events import MediaEvent, SourceLeft
from sipstack.media.session import AudioSession
from sipstack.rtp import g711, rtcp
from sipstack.rtp.extended_report import Block, ExtendedReport, VoipMetrics
from sipstack.rtp.packet import RtpPacket
from sipstack.rtp.rtcp import Bye, ReceiverReport, ReportBlock
from tests.media.bench import PEER, PEER_RTCP, STRANGER, TONE, Bench
from tests.media.calls import numbers, wired
from tests.media.hearing import loudness
from tests.media.peers import ScriptedPeer
from tests.media.wire import Wire


def tell(bench: Bench, *packets: rtcp.RtcpPacket) -> None:
    bench.stream.receive_rtcp(rtcp.write(packets), PEER_RTCP, bench.now)


def ssrc(bench: Bench) -> int:
    return bench.stream.speaking.sender.ssrc


# --- how it hears us ---


def test_what_the_peer_says_of_us_is_in_the_statistics() -> None:
    bench = Bench()
    bench.ticks(1)
    assert bench.statistics.peer is None
    tell(bench, ReceiverReport(9, (ReportBlock(ssrc(bench), 64, 17, 500, 80),)))
    assert bench.statistics.peer == PeerReport(loss=0.25, packets_lost=17, jitter=0.01)


def test_with_metrics_it_says_how_good_we_sound() -> None:
    bench = Bench()
    block = ReportBlock(ssrc(bench), 0, 0, 0, 0)
    metrics = VoipMetrics(ssrc(bench), discard_rate=64, mos_cq=38)
    tell(bench, ReceiverReport(9, (block,)), ExtendedReport(9, (Block(4, 0, bytes(8)), metrics)))
    assert bench.statistics.peer == PeerReport(0.0, 0, 0.0, mos=3.8, discarded=0.25)
    tell(bench, ReceiverReport(9, (block,)))
    assert bench.statistics.peer is not None
    assert bench.statistics.peer.mos == 3.8  # it stands until the next


@pytest.mark.parametrize("score", [0, 9, 51, 127, 255])
def test_a_score_that_is_none(score: int) -> None:
    bench = Bench()
    tell(
        bench,
        ReceiverReport(9, (ReportBlock(ssrc(bench), 0, 0, 0, 0),)),
        ExtendedReport(9, (VoipMetrics(ssrc(bench), mos_cq=score),)),
    )
    assert bench.statistics.peer is not None
    assert bench.statistics.peer.mos is None


def test_reports_on_others_are_no_reports_on_us() -> None:
    bench = Bench()
    other = ssrc(bench) ^ 1
    tell(bench, ReceiverReport(9, (ReportBlock(other, 64, 17, 500, 80),)))
    tell(bench, ReceiverReport(9), ExtendedReport(9, (VoipMetrics(other, mos_cq=38),)))
    assert bench.statistics.peer is None


@pytest.mark.virtual_time
async def test_two_of_us_tell_each_other() -> None:
    wire = Wire(seed=3, delay=0.02, loss=0.1)
    async with wired(wire) as call:
        await asyncio.sleep(20)
        told, heard = call.alice.audio.statistics.peer, call.bob.audio.statistics
    assert told is not None
    assert 0.02 < told.loss < 0.25
    assert 40 < told.packets_lost <= heard.packets_lost
    assert told.mos is None


@pytest.mark.parametrize("rate", [8000, 16000])
def test_the_encoder_is_told_of_losses(rate: int) -> None:
    pytest.importorskip("av", reason="another rate than the codec's needs PyAV")
    told: list[float] = []

    class Adaptive(Stateless):
        def lost(self, fraction: float) -> None:
            told.append(fraction)

    encoder = Adaptive(g711.encode_ulaw, g711.decode_ulaw, b"")
    codec = attrs.evolve(PCMU, encoder=lambda agreed: encoder, sample_rate=rate)
    bench = Bench()
    bench.stream.speak(codec, PCMU.description, sends=True)
    block = ReportBlock(ssrc(bench), 64, 0, 0, 0)
    tell(bench, ReceiverReport(9, (block,)))
    tell(bench, ReceiverReport(9), Bye())  # says nothing of us
    tell(bench, ReceiverReport(9, (attrs.evolve(block, fraction_lost=0),)))
    assert told == [0.25, 0.0]


# --- its source has left ---


@pytest.mark.parametrize("reason", ["", "moved"])
async def test_bye_is_told_and_what_has_come_is_heard_to_its_end(reason: str) -> None:
    bench = Bench()
    left: list[str] = []
    bench.stream.left = left.append
    await bench.listen()
    bench.hear(10)
    tell(bench, ReceiverReport(0xCAFE), Bye((1, 0xCAFE), reason))
    bench.ticks(20)
    assert left == [reason]
    heard = "".join("+" if loudness(frame) > 1000 else "-" for frame in bench.ear.frames)
    assert heard == "---" + "+" * 10 + "-" * 17
    assert bench.statistics.frames_concealed == 0


async def test_another_source_is_let_in_at_once_after_it() -> None:
    """As after a transfer behind the peer's back; without a BYE it waits for 90 ms."""
    bench = Bench()
    await bench.listen()
    bench.hear(10)
    tell(bench, ReceiverReport(0xCAFE), Bye((0xCAFE,)))
    for number in range(10):
        bench.receive(RtpPacket(0, 50_000 + number, 7_000 + 160 * number, 0xBEEF, TONE))
        bench.ticks(1)
    assert bench.statistics.packets_received == 19  # the second confirms the first


async def test_who_goes_on_after_its_own_bye_is_heard() -> None:
    bench = Bench()
    await bench.listen()
    bench.hear(10)
    tell(bench, ReceiverReport(0xCAFE), Bye((0xCAFE,)))
    bench.ticks(3)
    bench.hear(20)
    assert all(loudness(frame) > 1000 for frame in bench.ear.frames[-10:])


@pytest.mark.parametrize("sources", [(), (1, 2, 3)])
def test_a_bye_of_others_means_nothing(sources: tuple[int, ...]) -> None:
    bench = Bench()
    left: list[str] = []
    bench.stream.left = left.append
    bench.hear(3)
    tell(bench, ReceiverReport(9), Bye(sources))
    assert left == []


def test_nor_does_one_of_a_stranger_or_before_anything_came() -> None:
    bench = Bench()
    left: list[str] = []
    bench.stream.left = left.append
    tell(bench, ReceiverReport(9), Bye((0xCAFE,)))
    bench.hear(3)
    bench.stream.receive_rtcp(rtcp.write([ReceiverReport(9), Bye((0xCAFE,))]), STRANGER, bench.now)
    assert left == []
    assert bench.statistics.packets_invalid == 1


@pytest.mark.virtual_time
async def test_the_session_tells_it_as_news() -> None:
    wire, news = Wire(), list[MediaEvent]()
    call = wired(wire)
    call.bob.attach(news.append)
    async with call:
        await asyncio.sleep(1)
        await call.alice.close()
        await asyncio.sleep(1)
        assert news == [SourceLeft("")]
        assert call.bob.audio.ended is None


# --- what it wants to be told ---


async def reports(*attributes: str) -> list[tuple[rtcp.RtcpPacket, ...]]:
    """Ours, to a peer that sends for twelve seconds with one loss."""
    wire = Wire()
    told: list[bytes] = []
    wire.ports["192.0.2.9", 5001] = lambda data, source, now: told.append(data)
    peer = ScriptedPeer(wire)
    alice = AudioSession("192.0.2.1", random=numbers(1), bind=wire.bind)
    ours = await alice.answer(peer.describes("0", *attributes))
    alice.confirmed()
    for number in range(600):
        if number == 100:
            peer._number += 1
        peer.send(ours, 0, TONE)
        peer._timestamp += 160
        await asyncio.sleep(0.02)
    await alice.close()
    await asyncio.sleep(0.1)
    return [rtcp.parse(data) for data in told]


@pytest.mark.virtual_time
@pytest.mark.parametrize("line", ["rtcp-xr:voip-metrics", "rtcp-xr:rcvr-rtt=all:10 voip-metrics"])
async def test_who_asks_for_metrics_gets_them_with_each_report(line: str) -> None:
    *compounds, bye = await reports(line)
    assert len(compounds) >= 2
    for compound in compounds:
        report = compound[-1]
        assert isinstance(report, ExtendedReport)
        (metrics,) = report.blocks
        assert isinstance(metrics, VoipMetrics)
        assert (metrics.ssrc, metrics.gmin) == (7, 16)
        assert 40 <= metrics.mos_cq <= 44
    assert isinstance(bye[-1], Bye)


@pytest.mark.virtual_time
@pytest.mark.parametrize("lines", [(), ("rtcp-xr:pkt-loss-rle=50",), ("rtcp-xr:",)])
async def test_who_does_not_gets_none(lines: tuple[str, ...]) -> None:
    compounds = await reports(*lines)
    assert len(compounds) >= 3
    assert not any(isinstance(packet, ExtendedReport) for compound in compounds for packet in compound)


# --- the estimate ---


def test_the_score_is_that_of_the_codec() -> None:
    scores = [
        MediaStatistics(packets_received=98, packets_lost=2, codec_heard=codec).mos
        for codec in ("PCMU", "opus", "G729", "g723", None)
    ]
    ours, opus, g729, g723, unknown = scores
    assert ours == opus == unknown
    assert ours is not None
    assert g729 is not None
    assert g723 is not None
    assert ours - 0.2 > g729 > g723


async def test_bad_reports_are_counted_and_change_nothing() -> None:
    bench = Bench()
    good = rtcp.write([ReceiverReport(9), ExtendedReport(9, (VoipMetrics(ssrc(bench)),))])
    for end in range(1, len(good)):
        if end % 4:
            bench.stream.receive_rtcp(good[:end], PEER, bench.now)
    too_long = bytearray(good)
    struct.pack_into("!H", too_long, 18, 0xFFFF)
    bench.stream.receive_rtcp(bytes(too_long), PEER, bench.now)
    assert bench.statistics.packets_invalid == 40  # 39 of no whole words
    assert bench.statistics.peer is None
