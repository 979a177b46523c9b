"""WAV files by the standard library."""

from __future__ import annotations

import os
import struct
import wave
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import MediaError
from sipstack.media import wav
from sipstack.media.wav import WavSink, WavSource, open_source
from tests.media.hearing import everything

FRAME = struct.pack("<160h", *range(160))


def read(path: Path) -> tuple[int, int, int, bytes]:
    """Channels, width, rate and samples of a WAV file."""
    with wave.open(str(path), "rb") as file:
        return (
            file.getnchannels(),
            file.getsampwidth(),
            file.getframerate(),
            file.readframes(file.getnframes()),
        )


def _write(path: Path, pcm: bytes, rate: int = 8000) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(pcm)


# Playing


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="none.wav: No such file or directory"):
        open_source(tmp_path / "none.wav", 8000)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="Is a directory"):
        open_source(tmp_path, 8000)


@pytest.mark.parametrize("operation", ["play", "record"])
def test_a_fifo_is_refused_at_once(tmp_path: Path, operation: str) -> None:
    """To open it would wait for its other end, and all calls with it."""
    path = tmp_path / "pipe.wav"
    os.mkfifo(path)
    with pytest.raises(MediaError, match=r"pipe\.wav: not a file"):
        open_source(path, 8000) if operation == "play" else WavSink(path)


def test_a_device_without_an_end_is_not_played() -> None:
    with pytest.raises(MediaError, match="/dev/zero: not a file"):
        open_source("/dev/zero", 8000)


def test_a_plain_file_comes_in_frames_and_can_be_rewound(tmp_path: Path) -> None:
    path = tmp_path / "hello.wav"
    _write(path, FRAME * 3 + FRAME[:100])
    source = open_source(path, 8000)
    assert isinstance(source, WavSource)
    assert everything(source) == [FRAME] * 3 + [FRAME[:100]]
    source.rewind()
    assert source.read() == FRAME
    source.close()
    source.close()


def test_a_file_without_samples(tmp_path: Path) -> None:
    _write(tmp_path / "empty.wav", b"")
    source = open_source(tmp_path / "empty.wav", 8000)
    assert everything(source) == []
    source.close()


def test_a_file_that_is_shorter_than_its_header_says(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    _write(path, FRAME * 3)
    path.write_bytes(path.read_bytes()[:-321])
    source = open_source(path, 8000)
    frames = everything(source)
    source.close()
    assert b"".join(frames) == (FRAME * 2)[:638]


def test_a_file_that_cannot_be_read_any_more(tmp_path: Path) -> None:
    """The disk is taken away: here, another descriptor is put in the file's place."""
    path = tmp_path / "hello.wav"
    _write(path, FRAME * 1000)
    source = WavSource.if_plain(path, 8000)
    assert source is not None
    assert source.read() == FRAME
    chunk: Any = source._file.getfp()
    with (tmp_path / "other").open("wb") as other:
        os.dup2(other.fileno(), chunk.file.fileno())
    with pytest.raises(MediaError, match=r"hello\.wav"):
        everything(source)
    source.close()


def test_a_large_file_is_not_loaded(tmp_path: Path) -> None:
    """Two hundred megabytes of nothing: a sparse file."""
    path = tmp_path / "large.wav"
    _write(path, b"")
    size = 200_000_000
    with path.open("r+b") as file:
        file.truncate(44 + size)
        file.seek(4)
        file.write(struct.pack("<I", 36 + size))
        file.seek(40)
        file.write(struct.pack("<I", size))
    source = open_source(path, 8000)
    assert source.read() == bytes(320)
    source.close()


def test_the_call_s_own_rate_needs_no_conversion(tmp_path: Path) -> None:
    _write(tmp_path / "wide.wav", FRAME * 4, rate=16000)
    source = WavSource.if_plain(tmp_path / "wide.wav", 16000)
    assert source is not None
    assert everything(source) == [FRAME * 2] * 2
    source.close()
    assert WavSource.if_plain(tmp_path / "wide.wav", 8000) is None


@given(st.data())
def test_any_file_is_a_source_or_a_media_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A WAV file with some octets changed: audio editors and attackers write odd headers."""
    path = tmp_path_factory.mktemp("any") / "odd.wav"
    _write(path, FRAME)
    octets = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, 47))] = data.draw(st.integers(0, 255))
    path.write_bytes(octets[: data.draw(st.integers(0, len(octets)))])
    try:
        source = WavSource.if_plain(path, 8000)
    except MediaError:
        return
    if source is not None:
        assert len(everything(source)) < 10
        source.close()


# Recording


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="No such file or directory"):
        WavSink(tmp_path / "none" / "out.wav")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    path.touch(mode=0o400)
    with pytest.raises(MediaError, match="Permission denied"):
        WavSink(path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_from_the_first_octet_on() -> None:
    with pytest.raises(MediaError, match="/dev/full: No space left on device"):
        WavSink("/dev/full")


def test_a_disk_that_gets_full(tmp_path: Path) -> None:
    """The file is taken away under the sink: what the system then says is an OSError as good as any."""
    sink = WavSink(tmp_path / "out.wav")
    for _ in range(25):
        sink.write(FRAME)
    with (tmp_path / "out.wav").open("rb") as other:
        os.dup2(other.fileno(), sink._raw.fileno())  # a descriptor that cannot be written to
    for _ in range(24):
        sink.write(FRAME)
    with pytest.raises(MediaError, match="Bad file descriptor"):
        sink.write(FRAME)
    sink.write(FRAME)
    sink.close()
    assert read(tmp_path / "out.wav") == (1, 2, 8000, FRAME * 25)


def test_a_recording_is_a_whole_file_at_any_time(tmp_path: Path) -> None:
    """After a crash at most half a second is missing."""
    path = tmp_path / "out.wav"
    sink = WavSink(path)
    assert read(path) == (1, 2, 8000, b"")
    for count in range(1, 80):
        sink.write(FRAME)
        assert read(path) == (1, 2, 8000, FRAME * (count // wav.FLUSH * wav.FLUSH))
    sink.close()
    sink.close()
    assert read(path) == (1, 2, 8000, FRAME * 79)


def test_after_the_end_nothing_is_written(tmp_path: Path) -> None:
    sink = WavSink(tmp_path / "out.wav", 16000)
    sink.close()
    sink.write(FRAME)
    assert read(tmp_path / "out.wav") == (1, 2, 16000, b"")


class SmallSink(WavSink):
    """A WAV format with shorter lengths."""

    LARGEST = 1000


def test_the_lengths_of_wav_have_a_limit(tmp_path: Path) -> None:
    sink = SmallSink(tmp_path / "out.wav")
    for _ in range(3):
        sink.write(FRAME)
    with pytest.raises(MediaError, match="size limit"):
        sink.write(FRAME)
    sink.close()
    assert read(tmp_path / "out.wav")[3] == FRAME * 3
