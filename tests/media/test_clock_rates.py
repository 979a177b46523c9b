"""Codecs whose clock is not 8000 Hz: the rate of timestamps is the codec's, that of samples the sound's."""

from __future__ import annotations

import random

import pytest

from sipstack.identifiers import Identifiers
from sipstack.media.audio import Audio
from sipstack.media.codecs import PCMU, AudioCodec, stateless
from sipstack.media.stream import AudioStream
from sipstack.rtp.packet import RtpPacket
from sipstack.sdp import Codec
from tests.media.hearing import Ear
from tests.media.stepped import Notebook

PEER = ("192.0.2.1", 4000)


def linear(name: str, clock_rate: int, sample_rate: int) -> AudioCodec:
    """Samples as they are."""

    def duration(payload: bytes) -> int:
        return len(payload) * clock_rate // (2 * sample_rate)

    description = Codec(96, name, clock_rate)
    return stateless(description, sample_rate, bytes, bytes, duration)


NARROW_48 = linear("as opus has it", 48000, 8000)
WIDE_8 = linear("as G722 has it", 8000, 16000)


class Listener:
    """A stream that hears one codec after another, each packet exactly in time."""

    def __init__(self, sample_rate: int) -> None:
        self.now = 100.0
        self.network = Notebook()
        self.audio = Audio(lambda: self.stream.statistics(), sample_rate)
        self.stream = AudioStream(self.audio, self.network, Identifiers(random.Random(7)), self.now)
        self.ear = Ear()
        self._number = 0

    async def hear(self, codec: AudioCodec, frames: list[bytes]) -> None:
        self.stream.expect({96: codec, 0: PCMU})
        self.stream.connect(PEER, None)
        self.stream.speak(codec, codec.description, sends=True)
        for frame in frames:
            number, self._number = self._number, self._number + 1
            timestamp = number * codec.frame_units
            packet = RtpPacket(96, number, timestamp, 0xCAFE, bytes(frame))
            self.stream.receive_rtp(bytes(packet), PEER, self.now + 0.01)
            self.now += 0.02
            self.stream.tick(self.now, 1)


def frames(sample_rate: int, count: int) -> list[bytes]:
    return [bytes([1 + index, 0]) * (sample_rate // 50) for index in range(count)]


@pytest.mark.parametrize("codec", [NARROW_48, WIDE_8])
async def test_all_is_heard_in_its_time_without_jitter(codec: AudioCodec) -> None:
    bench = Listener(codec.sample_rate)
    said = frames(codec.sample_rate, 20)
    async with bench.audio.recording(bench.ear):
        await bench.hear(codec, said)
    heard = [frame for frame in bench.ear.frames if any(frame)]
    assert heard == said[: len(heard)]
    assert len(heard) == 17  # the rest is in the playout buffer: 60 ms
    statistics = bench.audio.statistics
    assert statistics.jitter == pytest.approx(0.0, abs=1e-4)
    assert (statistics.packets_late, statistics.frames_concealed) == (0, 0)


@pytest.mark.parametrize("codec", [NARROW_48, WIDE_8])
async def test_timestamps_of_what_we_send_count_at_the_codec_s_rate(codec: AudioCodec) -> None:
    bench = Listener(codec.sample_rate)
    await bench.hear(codec, frames(codec.sample_rate, 3))
    sent = [packet.timestamp for packet in bench.network.packets()]
    assert [(later - first) & 0xFFFFFFFF for first, later in zip(sent, sent[1:], strict=False)] == [
        codec.frame_units,
        codec.frame_units,
    ]


async def test_another_clock_in_the_middle_of_a_call_counts_no_jitter() -> None:
    bench = Listener(8000)
    async with bench.audio.recording(bench.ear):
        await bench.hear(linear("at 8000", 8000, 8000), frames(8000, 50))
        await bench.hear(NARROW_48, frames(8000, 50))
    statistics = bench.audio.statistics
    assert statistics.jitter == pytest.approx(0.0, abs=1e-4)
    assert (statistics.packets_received, statistics.packets_lost) == (100, 0)
