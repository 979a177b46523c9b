"""The audio of a call as an application uses it, without a network: the test is the media clock."""

from __future__ import annotations

import asyncio
import gc
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sipstack.errors import CallEnded, LocalProtocolError, MediaError
from sipstack.media.audio import Audio, Frame, MediaStatistics
from sipstack.media.io import PcmSource
from sipstack.media.recording import Sides
from sipstack.media.tones import sine
from sipstack.media.wav import load_conversion, open_source
from tests.media.hearing import everything, purity

SILENCE = None


def _frame(number: int) -> bytes:
    return bytes([number, 0]) * 160


async def _soon(audio: Audio, count: int) -> list[bytes | None]:
    """What is sent in ``count`` ticks, with time for the application in between."""
    sent = []
    for _ in range(count):
        await asyncio.sleep(0)
        sent.append(audio.read())
    await asyncio.sleep(0)
    return sent


# Sending


async def test_nothing_to_say_is_silence() -> None:
    assert await _soon(Audio(), 2) == [SILENCE, SILENCE]


async def test_play_waits_for_the_end() -> None:
    audio = Audio()
    task = asyncio.create_task(audio.play(PcmSource(_frame(1) + _frame(2))))
    assert await _soon(audio, 3) == [_frame(1), _frame(2), SILENCE]
    await task


async def test_play_looped_goes_on_until_cancelled() -> None:
    audio = Audio()
    task = asyncio.create_task(audio.play(PcmSource(_frame(1)), loop=True))
    assert await _soon(audio, 5) == [_frame(1)] * 5
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert audio.read() is SILENCE


async def test_the_latest_play_interrupts_and_the_one_before_goes_on() -> None:
    audio = Audio()
    async with audio.playing(PcmSource(_frame(1) + _frame(2) + _frame(3))):
        assert audio.read() == _frame(1)
        async with audio.playing(PcmSource(_frame(9)), loop=True):
            assert [audio.read(), audio.read()] == [_frame(9)] * 2
        assert [audio.read() for _ in range(3)] == [_frame(2), _frame(3), SILENCE]


async def test_what_is_sent_goes_out_in_order_when_nothing_plays() -> None:
    audio = Audio()
    await audio.send(Frame(_frame(1)))
    async with audio.playing(PcmSource(_frame(9))):
        await audio.send(Frame(_frame(2)))
        assert await _soon(audio, 4) == [_frame(9), _frame(1), _frame(2), SILENCE]


async def test_sending_is_paced() -> None:
    audio = Audio()

    async def talk() -> None:
        for number in range(10):
            await audio.send(Frame(_frame(number)))

    task = asyncio.create_task(talk())
    sent = await _soon(audio, 11)
    assert sent == [*map(_frame, range(10)), SILENCE]
    await task


async def test_half_a_sample_is_refused() -> None:
    with pytest.raises(MediaError, match="whole samples"):
        await Audio().send(Frame(bytes(321)))


async def test_a_frame_of_another_rate_is_converted() -> None:
    await load_conversion()
    audio = Audio()
    tone = sine(1000.0, 0.5, sample_rate=24000)
    pcm = b"".join(iter(lambda: tone.read() or b"", b""))
    task = asyncio.create_task(audio.send(Frame(pcm, 24000)))
    sent = [frame for frame in await _soon(audio, 30) if frame]
    await task
    assert 24 <= len(sent) <= 25
    assert purity(b"".join(sent[1:-1]), 1000.0) > 0.99


async def test_a_source_of_another_rate_is_converted() -> None:
    audio = Audio()
    async with audio.playing(sine(1000.0, 0.5, sample_rate=48000)) as player:
        sent = await _soon(audio, 30)
        assert player.done
    heard = b"".join(frame for frame in sent if frame)
    assert len(heard) == pytest.approx(8000, abs=320)
    assert purity(heard[640:-640], 1000.0) > 0.99


async def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    audio = Audio()
    with pytest.raises(MediaError, match="No such file"):
        await audio.play(tmp_path / "none.wav")
    with pytest.raises(MediaError, match="No such file"):
        async with audio.playing(str(tmp_path / "none.wav")):
            raise AssertionError("entered")
    assert audio.read() is SILENCE


async def test_the_end_of_the_call_ends_what_is_said() -> None:
    audio = Audio()
    plays = asyncio.create_task(audio.play(PcmSource(_frame(1)), loop=True))
    sends = asyncio.create_task(audio.send(Frame(_frame(1) * 10)))
    await asyncio.sleep(0)
    audio.end(CallEnded("remote", "BYE"))
    audio.end(CallEnded("local", "too late"))
    for task in (plays, sends):
        with pytest.raises(CallEnded) as caught:
            await task
        assert (caught.value.by, caught.value.reason) == ("remote", "BYE")
    for coroutine in (audio.play("x.wav"), audio.send(Frame(b""))):
        with pytest.raises(CallEnded):
            await coroutine
    assert audio.read() is SILENCE


async def test_the_end_of_the_call_does_not_break_who_only_plays_in_the_background() -> None:
    audio = Audio()
    async with audio.playing(PcmSource(_frame(1)), loop=True):
        audio.end(CallEnded("remote"))


# Hearing


async def test_nobody_listens() -> None:
    audio = Audio()
    audio.write(_frame(1))
    assert not audio.wanted


async def test_frames_come_in_order_and_end_with_the_call() -> None:
    audio = Audio()
    heard = []

    async def listen() -> None:
        async for frame in audio:
            heard.append(frame)

    task = asyncio.create_task(listen())
    await asyncio.sleep(0)
    assert audio.wanted
    for number in range(3):
        audio.write(_frame(number))
        await asyncio.sleep(0)
    audio.write(_frame(3))
    audio.end(CallEnded("remote"))
    await task
    assert heard == [Frame(_frame(number), 8000) for number in range(4)]


async def test_who_is_slow_misses_the_oldest() -> None:
    audio = Audio()
    frames = aiter(audio)
    for number in range(25 + 5):  # half a second, and more
        audio.write(_frame(number))
    assert (await anext(frames)).pcm == _frame(5)


async def test_iterating_again_begins_with_what_is_said_now() -> None:
    audio = Audio()
    aiter(audio)
    audio.write(_frame(1))
    frames = aiter(audio)
    audio.write(_frame(2))
    assert (await anext(frames)).pcm == _frame(2)


async def test_two_cannot_listen_at_once() -> None:
    audio = Audio()
    first = asyncio.ensure_future(anext(aiter(audio)))
    await asyncio.sleep(0)
    with pytest.raises(LocalProtocolError):
        await anext(audio)
    audio.write(_frame(1))
    assert (await first).pcm == _frame(1)


async def test_who_gives_up_listening_can_begin_again() -> None:
    audio = Audio()
    frames = aiter(audio)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await anext(frames)
    audio.write(_frame(1))
    assert (await anext(frames)).pcm == _frame(1)


async def test_an_echo_adds_one_frame() -> None:
    audio = Audio()

    async def echo() -> None:
        async for frame in audio:
            await audio.send(frame)

    task = asyncio.create_task(echo())
    await asyncio.sleep(0)
    said = []
    for number in range(100):
        said.append(audio.read())  # as in the clock's tick: first send, then hear
        audio.write(_frame(number))
        await asyncio.sleep(0)
    audio.end(CallEnded("remote"))
    await task
    assert said == [SILENCE, *map(_frame, range(99))]


# Recording


async def test_a_recording_has_what_was_heard_meanwhile(tmp_path: Path) -> None:
    audio = Audio()
    path = tmp_path / "out.wav"
    audio.write(_frame(1))
    async with audio.recording(path) as recording:
        listening = audio.wanted
        for number in (2, 3):
            audio.write(_frame(number))
        assert recording.duration == 0.04
    audio.write(_frame(4))
    assert (listening, audio.wanted) == (True, False)
    with wave.open(str(path), "rb") as file:
        assert file.getparams()[:4] == (1, 2, 8000, 320)
        assert file.readframes(400) == _frame(2) + _frame(3)


async def test_two_recordings_and_one_that_fails(tmp_path: Path) -> None:
    class Full:
        def write(self, pcm: bytes) -> None:
            raise MediaError("disk full")

        def close(self) -> None:
            """Nothing to close."""

    audio = Audio()
    bad, good = audio.recording(Full()), audio.recording(tmp_path / "out.wav")

    async def record() -> None:
        async with bad, good:
            audio.write(_frame(1))
            audio.write(_frame(2))

    with pytest.raises(MediaError, match="disk full"):
        await record()
    assert good.duration == 0.04
    assert str(audio.error) == "disk full"


async def test_a_recording_that_cannot_be_written(tmp_path: Path) -> None:
    audio = Audio()
    with pytest.raises(MediaError, match="No such file or directory"):
        async with audio.recording(tmp_path / "none" / "out.wav"):
            raise AssertionError("entered")
    assert not audio.wanted


# Values


def test_statistics_are_those_of_the_session() -> None:
    assert Audio().statistics == MediaStatistics()
    assert Audio(lambda: MediaStatistics(packets_sent=1)).statistics == MediaStatistics(packets_sent=1)


def test_a_frame_does_not_print_its_samples() -> None:
    assert repr(Frame(bytes(320))) == "Frame(pcm=<320 octets>, sample_rate=8000)"


async def test_nothing_complains_about_what_was_never_awaited() -> None:
    audio = Audio()
    async with audio.playing(PcmSource(_frame(1))):
        pass
    aiter(audio)
    audio.end(CallEnded("remote"))
    del audio
    gc.collect()


# Rates, lengths, barge-in, sides


@pytest.mark.parametrize(("rate", "duration"), [(8000, 0.03), (16000, 0.02), (24000, 0.032), (48000, 0.01)])
async def test_frames_of_any_rate_and_length(rate: int, duration: float) -> None:
    audio = Audio()
    await load_conversion()
    frames = audio.frames(sample_rate=rate, duration=duration)
    frames.begin()
    tone = sine(1000.0, 0.2)
    while pcm := tone.read():
        audio.write(pcm)
    first, second = await anext(frames), await anext(frames)
    assert len(first.pcm) == 2 * round(rate * duration)
    assert second.time - first.time == pytest.approx(duration)


async def test_what_is_not_taken_is_counted_and_a_listening_that_is_dropped_costs_nothing() -> None:
    audio = Audio()
    frames = audio.frames()
    frames.begin()
    for number in range(30):
        audio.write(_frame(number))
    assert (frames.dropped, (await anext(frames)).pcm) == (5, _frame(5))
    del frames
    assert not audio.wanted


async def test_barge_in_cuts_within_a_frame_and_tells_what_was_heard() -> None:
    audio = Audio()
    async with audio.playing(_frame(1) * 100) as playing:
        assert [audio.read() for _ in range(3)] == [_frame(1)] * 3
        playing.stop()
        assert audio.read() is SILENCE
        assert playing.heard == pytest.approx(0.06)
        await playing.finished()


async def test_clear_drops_also_what_waits_in_send() -> None:
    audio = Audio()
    task = asyncio.create_task(audio.send(Frame(_frame(1) * 10)))
    await asyncio.sleep(0)
    audio.clear()
    await task
    assert audio.read() is SILENCE


async def test_queued_gained_muted_and_from_an_iterator() -> None:
    audio = Audio()

    async def words() -> AsyncIterator[bytes]:
        yield _frame(4) + _frame(6)

    async with audio.playing(_frame(2)), audio.playing(words(), queue=True, gain=-6.0205999):
        assert await _soon(audio, 4) == [_frame(2), _frame(2), _frame(3), SILENCE]
    async with audio.playing(_frame(1) * 2):
        audio.muted = True
        assert audio.read() is SILENCE
        audio.muted = False
        assert [audio.read(), audio.read()] == [_frame(1), SILENCE]


@pytest.mark.parametrize(
    ("sides", "frame"),
    [("said", _frame(2)), ("mixed", _frame(3)), ("stereo", bytes([1, 0, 2, 0]) * 160)],
)
async def test_both_sides_are_recorded_in_step(tmp_path: Path, sides: Sides, frame: bytes) -> None:
    audio = Audio()
    async with audio.playing(_frame(2)), audio.recording(tmp_path / "out.wav", sides=sides):
        for _ in range(2):
            audio.read()
            audio.write(_frame(1))
    with wave.open(str(tmp_path / "out.wav"), "rb") as file:
        assert file.readframes(160) == frame


@pytest.mark.parametrize("ending", ["ogg", "opus", "mp3", "flac"])
async def test_recordings_in_other_formats(tmp_path: Path, ending: str) -> None:
    audio = Audio()
    path = tmp_path / f"out.{ending}"
    async with audio.recording(path):
        tone = sine(1000.0, 1.0)
        while pcm := tone.read():
            audio.write(pcm)
    source = open_source(path, 8000)
    heard = b"".join(everything(source))
    source.close()
    assert purity(heard[3200:9600], 1000.0) > 0.95
