"""aiortc's tracks. Its player runs in a thread and in real time, so these are few and short."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path

import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection
from aiortc.contrib.media import MediaPlayer, MediaRecorder
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from sipstack.errors import MediaError
from sipstack.media.audio import Audio
from sipstack.media.feed import AHEAD
from sipstack.media.io import PcmSource
from sipstack.media.session import AudioSession
from sipstack.media.tones import sine
from sipstack.media.tracks import BEHIND, SinkTrack, TrackSource
from sipstack.media.wav import WavSink, open_source
from tests.media.calls import Codecs, numbers
from tests.media.hearing import Ear, everything, purity


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


# --- in calls of any rate ---


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
async def test_a_track_is_played_at_the_rate_of_the_call(rate: int) -> None:
    source = TrackSource(ListTrack(_frames(sine(1000.0, 0.5, sample_rate=48000))), rate)
    heard = b"".join(await _drain(source))
    source.close()
    assert len(heard) == pytest.approx(rate, rel=0.05)
    assert purity(heard[rate // 25 : -rate // 25], 1000.0, rate) > 0.99


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("of_call", [8000, 16000, 48000])
async def test_a_call_of_any_rate_is_a_track_of_any_rate(of_call: int, rate: int) -> None:
    audio, track = Audio(sample_rate=of_call), SinkTrack(rate)
    async with audio.recording(track):
        for pcm in everything(sine(1000.0, 0.5, sample_rate=of_call)):
            audio.write(pcm)
    frames = [await track.recv() for _ in range(len(track._frames))]
    with pytest.raises(MediaStreamError):
        await track.recv()
    assert {frame.sample_rate for frame in frames} == {rate}
    assert [frame.pts for frame in frames[:3]] == [0, rate // 50, rate // 25]
    heard = b"".join(bytes(frame.planes[0])[: 2 * frame.samples] for frame in frames)
    assert len(heard) == pytest.approx(rate, rel=0.05)
    assert purity(heard[rate // 10 : -rate // 10], 1000.0, rate) > 0.99


def _write_tone(path: Path, frequency: float, seconds: float) -> str:
    sink = WavSink(path, 48000)
    for pcm in everything(sine(frequency, seconds, sample_rate=48000)):
        sink.write(pcm)
    sink.close()
    return str(path)


def _clearest(frames: list[bytes], frequency: float, rate: int) -> float:
    """How pure a tone is in the best fifth of a second: a busy machine may hold up the threads of aiortc."""
    pieces = [b"".join(frames[at : at + 10]) for at in range(0, len(frames) - 10, 5)]
    return max(purity(piece, frequency, rate) for piece in pieces)


@pytest.mark.parametrize("codecs", [("PCMU",), ("G722",), ("L16/48000",)], ids=["8", "16", "48"])
async def test_a_call_and_a_webrtc_peer_hear_each_other(codecs: Codecs, tmp_path: Path) -> None:
    """A gateway: a call on one side, aiortc's RTCPeerConnection on the other, where MediaPlayer plays a file
    and MediaRecorder records.
    """
    phone, gateway = (AudioSession("127.0.0.1", random=numbers(seed), codecs=codecs) for seed in (1, 2))
    await phone.answered(await gateway.answer(await phone.offer()))
    gateway.confirmed()
    near, far = (RTCPeerConnection(RTCConfiguration(iceServers=[])) for _ in range(2))
    out, recorder = SinkTrack(48000), MediaRecorder(str(tmp_path / "out.wav"))
    near.addTrack(out)
    tone = MediaPlayer(_write_tone(tmp_path / "in.wav", 1000.0, 9.0)).audio
    assert tone is not None
    far.addTrack(tone)
    arrived: asyncio.Queue[MediaStreamTrack] = asyncio.Queue()
    near.on("track", arrived.put_nowait)
    far.on("track", recorder.addTrack)
    try:
        await near.setLocalDescription(await near.createOffer())
        await far.setRemoteDescription(near.localDescription)
        await far.setLocalDescription(await far.createAnswer())
        await near.setRemoteDescription(far.localDescription)
        await recorder.start()
        rate, ear = phone.audio.sample_rate, Ear()
        source = TrackSource(await arrived.get(), rate)
        async with gateway.audio.playing(source), gateway.audio.recording(out):
            async with phone.audio.playing(sine(400.0, 9.0, sample_rate=rate)), phone.audio.recording(ear):
                await asyncio.sleep(2.5)
        source.close()
    finally:
        await near.close()
        await far.close()
        await recorder.stop()
        await phone.close()
        await gateway.close()
    assert _clearest(ear.frames, 1000.0, rate) > 0.95
    recorded = open_source(tmp_path / "out.wav", 8000)
    heard = everything(recorded)
    recorded.close()
    assert _clearest(heard, 400.0, 8000) > 0.95
