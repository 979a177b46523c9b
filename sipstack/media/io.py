"""Sources and sinks of the audio of a call. All PCM is signed 16-bit little-endian mono.

Both are called from the media clock's tick: they must return at once and never wait.
"""

from __future__ import annotations

from typing import Protocol

import attrs

from sipstack.errors import MediaError

FRAMES_PER_SECOND = 50
"""A frame is 20 ms."""


def frame_octets(sample_rate: int) -> int:
    """Octets of one 20 ms frame."""
    return sample_rate // FRAMES_PER_SECOND * 2


@attrs.frozen
class Frame:
    """A piece of audio of any length: signed 16-bit little-endian mono PCM."""

    pcm: bytes = attrs.field(repr=lambda pcm: f"<{len(pcm)} octets>")
    sample_rate: int = 8000
    time: float = attrs.field(default=0.0, eq=False, repr=False)
    """Where one that was received begins: seconds of the call since somebody first listened to it."""

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.pcm) / 2 / self.sample_rate


def whole_samples(pcm: bytes) -> bytes:
    """``pcm``; raises MediaError when it ends within a sample."""
    if len(pcm) % 2:
        raise MediaError("PCM must be whole samples of two octets")
    return pcm


class AudioSource(Protocol):
    """Something to play."""

    @property
    def sample_rate(self) -> int:
        """Samples a second of what ``read`` gives."""

    def read(self) -> bytes | None:
        """The next 20 ms; None when there is nothing yet; fewer octets or none at the end.

        Raises MediaError when the rest cannot be had.
        """

    def rewind(self) -> None:
        """Begin again. Raises MediaError when that is impossible."""

    def close(self) -> None:
        """Let go of files. Calling it again does nothing."""


class AudioSink(Protocol):
    """Something that records."""

    def write(self, pcm: bytes) -> None:
        """The next 20 ms, at the call's sample rate, or at that of the sink where it has a ``sample_rate``;
        both sides of a call in turn, sample by sample, when it is recorded in stereo.

        Raises MediaError when it cannot be kept.
        """

    def close(self) -> None:
        """Complete the recording, else raise MediaError. Calling it again does nothing."""


class PcmSource:
    """Plays PCM from memory."""

    def __init__(self, pcm: bytes, sample_rate: int = 8000) -> None:
        self.sample_rate = sample_rate
        self._pcm = whole_samples(pcm)
        self._octets = frame_octets(sample_rate)
        self._position = 0

    def read(self) -> bytes | None:
        start = self._position
        self._position = start + self._octets
        return self._pcm[start : self._position]

    def rewind(self) -> None:
        self._position = 0

    def close(self) -> None:
        """There is nothing to let go of."""
