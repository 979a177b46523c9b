"""Other audio formats and sample rates, by PyAV of the ``media`` extra. No other file imports it."""

from __future__ import annotations

from pathlib import Path

from sipstack.errors import MediaError
from sipstack.media.io import AudioSource, frame_octets

__all__ = ["AudioFrame", "Converter", "DecodedSource", "ResampledSource", "Resampler", "audio_frame"]

try:
    import av
    from av import AudioFrame
except ImportError as error:
    raise MediaError(
        "without PyAV only 16-bit mono PCM at the call's sample rate is known: pip install 'sipstack[media]'"
    ) from error

SLOWEST, FASTEST = 4_000, 768_000
"""Sample rates, in hertz, that audio can have."""
_ERRORS = (av.FFmpegError, OSError, ValueError)


class Converter:
    """Makes 16-bit mono PCM at one rate of whatever frames come."""

    def __init__(self, sample_rate: int) -> None:
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=sample_rate)

    def convert(self, frame: AudioFrame | None) -> bytes:
        """The PCM of one more frame, a few milliseconds late; None gives what is left at the end.

        Raises MediaError or ValueError for what cannot be converted.
        """
        if frame is not None and not SLOWEST <= frame.sample_rate <= FASTEST:
            # A header may say anything; FFmpeg would work for minutes on a filter for 800 MHz.
            raise MediaError(f"a sample rate of {frame.sample_rate} Hz")
        # A plane may be larger than its samples (decoded Opus frames come in buffers of 120 ms).
        return b"".join(bytes(out.planes[0])[: out.samples * 2] for out in self._resampler.resample(frame))


def audio_frame(pcm: bytes, sample_rate: int) -> AudioFrame:
    """16-bit mono PCM as a PyAV frame."""
    frame = AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
    frame.planes[0].update(pcm)
    frame.sample_rate = sample_rate
    return frame


class Resampler:
    """PCM from one rate to another."""

    def __init__(self, source_rate: int, sample_rate: int) -> None:
        self._source_rate = source_rate
        self._converter = Converter(sample_rate)

    def push(self, pcm: bytes) -> bytes:
        """The converted audio that is ready."""
        return self._converter.convert(audio_frame(pcm, self._source_rate)) if pcm else b""

    def flush(self) -> bytes:
        """The rest; nothing can be pushed after it."""
        return self._converter.convert(None)


class _Framed:
    """Cuts pieces of any length into frames of 20 ms."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._octets = frame_octets(sample_rate)
        self._restart()

    def _restart(self) -> None:
        self._buffer = bytearray()
        self._ended = False

    def read(self) -> bytes | None:
        buffer = self._buffer
        while len(buffer) < self._octets and not self._ended:
            piece = self._more()
            if piece is None:
                return None
            buffer += piece
        frame = bytes(buffer[: self._octets])
        del buffer[: self._octets]
        return frame

    def _more(self) -> bytes | None:
        """Another piece, perhaps empty; None when there is nothing yet. Sets ``_ended`` with the last."""
        raise NotImplementedError


class DecodedSource(_Framed):
    """Plays the audio of any file that FFmpeg reads, without holding more than a frame of it."""

    def __init__(self, path: str | Path, sample_rate: int) -> None:
        self._path = path
        super().__init__(sample_rate)

    def _restart(self) -> None:
        super()._restart()
        try:
            self._container = av.open(str(self._path))
        except _ERRORS as error:
            raise self._error(error) from error
        if not self._container.streams.audio:
            self._container.close()
            raise MediaError(f"{self._path}: no audio in it")
        self._frames = self._container.decode(self._container.streams.audio[0])
        self._converter = Converter(self.sample_rate)

    def _more(self) -> bytes:
        try:
            frame = next(self._frames, None)
            self._ended = frame is None
            return self._converter.convert(frame)
        except _ERRORS as error:
            raise self._error(error) from error

    def rewind(self) -> None:
        self.close()
        self._restart()

    def close(self) -> None:
        self._container.close()

    def _error(self, error: Exception) -> MediaError:
        return MediaError(f"{self._path}: {getattr(error, 'strerror', None) or error}")


class ResampledSource(_Framed):
    """Plays another source at another rate."""

    def __init__(self, source: AudioSource, sample_rate: int) -> None:
        self._source = source
        super().__init__(sample_rate)

    def _restart(self) -> None:
        super()._restart()
        self._resampler = Resampler(self._source.sample_rate, self.sample_rate)

    def _more(self) -> bytes | None:
        pcm = self._source.read()
        if pcm is None:
            return None
        self._ended = len(pcm) < frame_octets(self._source.sample_rate)
        return self._resampler.push(pcm) + (self._resampler.flush() if self._ended else b"")

    def rewind(self) -> None:
        self._source.rewind()
        self._restart()

    def close(self) -> None:
        self._source.close()
