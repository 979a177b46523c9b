"""PCM from memory."""

from __future__ import annotations

import pytest

from sipstack.errors import MediaError
from sipstack.media.io import PcmSource, frame_octets


def test_a_frame_is_20_ms() -> None:
    assert [frame_octets(rate) for rate in (8000, 16000, 44100, 48000)] == [320, 640, 1764, 1920]


def test_pcm_comes_in_frames_the_last_one_shorter_then_nothing() -> None:
    source = PcmSource(bytes(800), 8000)
    assert [len(source.read() or b"") for _ in range(5)] == [320, 320, 160, 0, 0]


def test_it_can_be_played_again() -> None:
    source = PcmSource(bytes(range(100)))
    first = source.read()
    source.rewind()
    assert source.read() == first == bytes(range(100))
    source.close()
    source.close()


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(MediaError, match="whole samples"):
        PcmSource(b"abc")
