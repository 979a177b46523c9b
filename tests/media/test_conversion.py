"""Other rates, widths, channels and formats, by PyAV; and what is said when it is not there."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipstack.errors import CallEnded, MediaError
from sipstack.media.audio import Audio
from sipstack.media.conversion import DecodedSource, ResampledSource, Resampler
from sipstack.media.io import PcmSource
from sipstack.media.tones import sine
from sipstack.media.wav import open_source
from tests.media.hearing import everything, loudness, purity

TONE = 440.0
LENGTH = 0.5


def _samples(width: int, rate: int) -> Iterator[bytes]:
    """A sine at -6 dB in samples of ``width`` octets; those of 8 bits are unsigned."""
    for index in range(round(LENGTH * rate)):
        value = 0.5 * math.sin(2 * math.pi * TONE * index / rate)
        if width == 1:
            yield bytes([128 + round(127 * value)])
        else:
            yield round(value * (2 ** (8 * width - 1) - 1)).to_bytes(width, "little", signed=True)


def _write(path: Path, rate: int, channels: int, width: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(b"".join(sample * channels for sample in _samples(width, rate)))
    return path


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_any_common_wav_sounds_the_same(tmp_path: Path, rate: int, channels: int, width: int) -> None:
    source = open_source(_write(tmp_path / "tone.wav", rate, channels, width), 8000)
    frames = everything(source)
    source.close()
    heard = b"".join(frames)
    assert {len(frame) for frame in frames[:-1]} == {320}
    assert len(heard) == pytest.approx(2 * 8000 * LENGTH, abs=160)
    assert purity(heard[320:-320], TONE) > 0.99
    assert loudness(heard[320:-320]) == pytest.approx(0.5 * 32767 / math.sqrt(2), rel=0.02)


def test_a_file_can_be_played_again(tmp_path: Path) -> None:
    source = open_source(_write(tmp_path / "tone.wav", 48000, 2, 2), 8000)
    first = everything(source)
    source.rewind()
    assert everything(source) == first
    source.close()


def test_a_float_wav_that_the_standard_library_refuses(tmp_path: Path) -> None:
    """Format 3 (IEEE float), as audio editors write it."""
    import struct

    values = [0.5 * math.sin(2 * math.pi * TONE * index / 8000) for index in range(4000)]
    data = struct.pack("<4000f", *values)
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(data),
        b"WAVE",
        b"fmt ",
        16,
        3,
        1,
        8000,
        32000,
        4,
        32,
        b"data",
        len(data),
    )
    path = tmp_path / "float.wav"
    path.write_bytes(header + data)
    source = open_source(path, 8000)
    heard = b"".join(everything(source))
    source.close()
    assert purity(heard, TONE) > 0.999


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("noise.wav", bytes(range(256)) * 40, id="noise"),
        pytest.param("empty.wav", b"", id="empty"),
        pytest.param("text.wav", b"this is not audio\n" * 100, id="text"),
        pytest.param("head.wav", b"RIFF\x00\x00\x00\x00WAVEfmt ", id="half a header"),
    ],
)
def test_what_is_no_audio_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MediaError, match=name):
        everything(open_source(path, 8000))


def test_a_sample_rate_that_no_audio_has_is_refused_at_once(tmp_path: Path) -> None:
    path = _write(tmp_path / "tone.wav", 8000, 1, 2)
    octets = bytearray(path.read_bytes())
    octets[24:28] = (872_423_232).to_bytes(4, "little")
    path.write_bytes(octets)
    with pytest.raises(MediaError, match="872423232 Hz"):
        everything(open_source(path, 8000))


def test_a_file_without_audio(tmp_path: Path) -> None:
    path = tmp_path / "words.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    with pytest.raises(MediaError, match="no audio in it"):
        DecodedSource(path, 8000)


def test_audio_that_breaks_off_ends_or_fails_and_nothing_else(tmp_path: Path) -> None:
    path = _write(tmp_path / "tone.wav", 44100, 2, 3)
    path.write_bytes(path.read_bytes()[: 44 + 10_001])
    source = open_source(path, 8000)
    assert 0 < len(b"".join(everything(source))) < 1000
    source.close()


def test_pieces_of_any_length_are_resampled() -> None:
    tone = b"".join(everything(sine(1000.0, 0.5, sample_rate=16000)))
    resampler = Resampler(16000, 8000)
    heard = (
        b"".join(resampler.push(tone[at : at + 202]) for at in range(0, len(tone), 202)) + resampler.flush()
    )
    assert len(heard) == pytest.approx(len(tone) // 2, abs=64)
    assert purity(heard[320:-320], 1000.0) > 0.99


def test_nothing_is_resampled_to_nothing() -> None:
    assert Resampler(16000, 8000).push(b"") == b""


def test_a_source_that_has_nothing_yet_is_waited_for() -> None:
    class Slow(PcmSource):
        """Has something every other time."""

        turn = False

        def read(self) -> bytes | None:
            self.turn = not self.turn
            return None if self.turn else super().read()

    tone = b"".join(everything(sine(1000.0, 0.2, sample_rate=16000)))
    source = ResampledSource(Slow(tone, 16000), 8000)
    heard = b"".join(source.read() or b"" for _ in range(40))
    assert len(heard) == pytest.approx(len(tone) // 2, abs=64)
    source.rewind()
    assert [source.read() is None, source.read() is None] == [True, True]
    source.close()


WITHOUT_EXTRAS = """
import asyncio, sys, tempfile, wave
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("av", "aiortc", "numpy", "pylibsrtp", "aioice"):
            raise ImportError(name)

sys.meta_path.insert(0, Absent())
from sipstack.errors import MediaError
from sipstack.media import AudioSession

def write(path, rate):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(bytes(3200))

async def main():
    one, two = AudioSession("127.0.0.1"), AudioSession("127.0.0.1")
    await one.answered(await two.answer(await one.offer()))
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "plain.wav"), 8000)
        write(Path(folder, "wide.wav"), 16000)
        async with two.audio.recording(Path(folder, "out.wav")):
            await one.audio.play(Path(folder, "plain.wav"))
        try:
            await one.audio.play(Path(folder, "wide.wav"))
        except MediaError as error:
            print(error)
    await one.close()
    await two.close()
    try:
        import sipstack.media.tracks
    except MediaError as error:
        print(error)

asyncio.run(main())
"""


def test_without_the_extra_a_plain_call_works_and_the_rest_names_it() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_EXTRAS], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition(": ")[2] for line in done.stdout.splitlines()] == [
        "pip install 'sipstack[media]'"
    ] * 2


FIRST_USE = """
import asyncio, sys, threading
from sipstack.errors import CallEnded
from sipstack.media import Audio, Frame

class Watch:
    threads = []
    def find_spec(self, name, *_):
        if name == "av":
            self.threads.append(threading.current_thread() is threading.main_thread())

sys.meta_path.insert(0, Watch())

async def main():
    audio = Audio()
    if sys.argv[1] == "play":
        async with audio.playing(sys.argv[2]) as player:
            assert len(audio.read()) == 320
    else:
        await audio.send(Frame(bytes(640), 16000))
    assert Watch.threads == [False], Watch.threads

asyncio.run(main())
"""


@pytest.mark.parametrize("use", ["play", "send"])
def test_the_first_conversion_does_not_stall_the_loop(tmp_path: Path, use: str) -> None:
    """To import PyAV takes a quarter of a second: that is done in a thread."""
    path = _write(tmp_path / "tone.wav", 48000, 2, 2)
    command = [sys.executable, "-c", FIRST_USE, use, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


async def test_giving_up_while_a_file_is_opened_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = threading.Event()
    monkeypatch.setattr(DecodedSource, "close", lambda _: closed.set())
    audio = Audio()
    task = asyncio.create_task(audio.play(_write(tmp_path / "tone.wav", 48000, 2, 2)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(closed.wait, 10)
    await asyncio.sleep(0)
    assert closed.is_set()


async def test_a_call_that_ends_while_a_file_is_opened(tmp_path: Path) -> None:
    audio = Audio()
    task = asyncio.create_task(audio.play(_write(tmp_path / "tone.wav", 48000, 2, 2)))
    await asyncio.sleep(0)
    audio.end(CallEnded("remote"))
    with pytest.raises(CallEnded):
        await task
