"""aiortc's tracks. Its player runs in a thread and in real time, so these are few and short."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path

import pytest
from aiortc import MediaStreamTrack
from aiortc.contrib.media import MediaPlayer, MediaRecorder
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from sipstack.errors import MediaError
from sipstack.media.feed import AHEAD
from sipstack.media.io import PcmSource
from sipstack.media.tones import sine
from sipstack.media.tracks import BEHIND, SinkTrack, TrackSource
from sipstack.media.wav import WavSink, open_source
from tests.media.hearing import everything, purity


class ListTrack(MediaStreamTrack):
    """A track of frames made before; it does not wait between them."""

    kind = "audio"

    def __init__(self, frames: list[AudioFrame | VideoFrame]) -> None:
        super().__init__()
        self.frames = frames

    async def recv(self) -> AudioFrame | VideoFrame:
        await asyncio.sleep(0)
        if not self.frames:
            self.stop()
            raise MediaStreamError
        return self.frames.pop(0)


def _frames(source: PcmSource) -> list[AudioFrame | VideoFrame]:
    frames: list[AudioFrame | VideoFrame] = []
    for pcm in everything(source):
        frame = AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
        frame.planes[0].update(pcm)
        frame.sample_rate = source.sample_rate
        frame.time_base = Fraction(1, source.sample_rate)
        frames.append(frame)
    return frames


async def _drain(source: TrackSource, reads: int = 1000) -> list[bytes]:
    """What the source gives to an impatient clock."""
    heard: list[bytes] = []
    for _ in range(reads):
        for _ in range(5):
            await asyncio.sleep(0)
        pcm = source.read()
        if pcm == b"":
            return heard
        if pcm is not None:
            heard.append(pcm)
    raise AssertionError("no end")


async def test_a_track_is_played_to_its_end() -> None:
    source = TrackSource(ListTrack(_frames(sine(1000.0, 0.5, sample_rate=48000))))
    heard = b"".join(await _drain(source))
    source.close()
    assert len(heard) == pytest.approx(8000, abs=160)
    assert purity(heard[320:-320], 1000.0) > 0.99


async def test_a_track_that_is_faster_than_time_is_held_back() -> None:
    track = ListTrack(_frames(sine(1000.0, 2.0)))
    source = TrackSource(track)
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(track.frames) == 100 - AHEAD - 1
    source.close()


async def test_a_track_of_pictures_is_refused() -> None:
    source = TrackSource(ListTrack([VideoFrame(width=16, height=16)]))
    with pytest.raises(MediaError, match="not an audio track"):
        await _drain(source)
    source.close()


async def test_a_track_that_changes_its_rate_midway_fails_with_words() -> None:
    frames = _frames(sine(1000.0, 0.02, sample_rate=48000)) + _frames(sine(1000.0, 0.02, sample_rate=16000))
    source = TrackSource(ListTrack(frames))
    with pytest.raises(MediaError, match="cannot be converted"):
        await _drain(source)
    source.close()


async def test_a_track_cannot_be_looped() -> None:
    source = TrackSource(ListTrack([]))
    with pytest.raises(MediaError, match="cannot be played again"):
        source.rewind()
    source.close()


async def test_closing_stops_the_track_and_leaves_no_task() -> None:
    track = ListTrack(_frames(sine(1000.0, 2.0)))
    source = TrackSource(track)
    await asyncio.sleep(0)
    source.close()
    source.close()
    await asyncio.sleep(0)
    assert track.readyState == "ended"
    assert len(asyncio.all_tasks()) == 1


async def test_a_file_through_aiortc_s_player(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    sink = WavSink(path, 16000)
    for pcm in everything(sine(1000.0, 0.2, sample_rate=16000)):
        sink.write(pcm)
    sink.close()
    track = MediaPlayer(str(path)).audio
    assert track is not None
    source = TrackSource(track)
    heard: list[bytes] = []
    async with asyncio.timeout(5):
        while (frame := source.read()) != b"":
            heard += [frame] if frame else []
            await asyncio.sleep(0.005)
    source.close()
    assert purity(b"".join(heard[1:-1]), 1000.0) > 0.99


async def test_what_is_heard_as_a_track() -> None:
    track = SinkTrack()
    frames = everything(sine(1000.0, 0.06))
    for pcm in frames:
        track.write(pcm)
    track.close()
    received = [await track.recv() for _ in frames]
    with pytest.raises(MediaStreamError):
        await track.recv()
    assert [bytes(frame.planes[0])[:320] for frame in received] == frames
    assert [(frame.pts, frame.time_base, frame.sample_rate) for frame in received] == [
        (index * 160, Fraction(1, 8000), 8000) for index in range(3)
    ]


async def test_who_waits_for_the_next_frame_gets_it() -> None:
    track = SinkTrack()
    task = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track.write(bytes(320))
    assert (await task).samples == 160


async def test_a_recorder_that_is_slow_misses_the_oldest() -> None:
    track = SinkTrack()
    for number in range(BEHIND + 3):
        track.write(bytes([number, 0]) * 160)
    assert bytes((await track.recv()).planes[0])[:2] == bytes([3, 0])


async def test_a_call_recorded_by_aiortc(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    track = SinkTrack()
    recorder = MediaRecorder(str(path))
    recorder.addTrack(track)
    await recorder.start()
    for pcm in everything(sine(1000.0, 0.5)):
        track.write(pcm)
        await asyncio.sleep(0)
    track.close()
    ended = asyncio.Event()
    track.once("ended", ended.set)
    async with asyncio.timeout(5):
        await ended.wait()
    await recorder.stop()
    source = open_source(path, 8000)
    heard = b"".join(everything(source))
    source.close()
    assert len(heard) == pytest.approx(8000, abs=800)
    assert purity(heard[640:-640], 1000.0) > 0.99
