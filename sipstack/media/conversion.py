"""Other audio formats and sample rates, by PyAV of the ``media`` extra. No other file imports it."""

from __future__ import annotations

import stat
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from sipstack.errors import MediaError
from sipstack.media.io import AudioSink, AudioSource, frame_octets
from sipstack.media.wav import check_kind

__all__ = [
    "AudioFrame",
    "Converter",
    "DecodedSource",
    "EncodedSink",
    "ResampledSink",
    "ResampledSource",
    "Resampler",
    "audio_frame",
]

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
_LAYOUTS = {1: "mono", 2: "stereo"}


class Converter:
    """Makes 16-bit PCM at one rate, mono or stereo, of whatever frames come."""

    def __init__(self, sample_rate: int, channels: int = 1) -> None:
        self._resampler = av.AudioResampler(format="s16", layout=_LAYOUTS[channels], rate=sample_rate)
        self._octets = 2 * channels

    def convert(self, frame: AudioFrame | None) -> bytes:
        """The PCM of one more frame, a few milliseconds late; None gives what is left at the end.

        Raises MediaError or ValueError for what cannot be converted.
        """
        if frame is not None and not SLOWEST <= frame.sample_rate <= FASTEST:
            # A header may say anything; FFmpeg would work for minutes on a filter for 800 MHz.
            raise MediaError(f"a sample rate of {frame.sample_rate} Hz")
        # A plane may be larger than its samples (decoded Opus frames come in buffers of 120 ms).
        return b"".join(
            bytes(out.planes[0])[: out.samples * self._octets] for out in self._resampler.resample(frame)
        )


def audio_frame(pcm: bytes, sample_rate: int, channels: int = 1) -> AudioFrame:
    """16-bit PCM as a PyAV frame."""
    frame = AudioFrame(format="s16", layout=_LAYOUTS[channels], samples=len(pcm) // (2 * channels))
    frame.planes[0].update(pcm)
    frame.sample_rate = sample_rate
    return frame


class Resampler:
    """PCM from one rate to another."""

    def __init__(self, source_rate: int, sample_rate: int, channels: int = 1) -> None:
        self._source_rate = source_rate
        self._channels = channels
        self._converter = Converter(sample_rate, channels)

    def push(self, pcm: bytes) -> bytes:
        """The converted audio that is ready."""
        return self._converter.convert(audio_frame(pcm, self._source_rate, self._channels)) if pcm else b""

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


class EncodedSink:
    """Records into any format that FFmpeg writes; the ending of the file's name tells which."""

    def __init__(self, path: str | Path, sample_rate: int, channels: int = 1) -> None:
        self._path = path
        self._sample_rate = sample_rate
        self._channels = channels
        self._samples = 0
        check_kind(path, stat.S_ISREG, stat.S_ISDIR, stat.S_ISCHR)
        try:
            self._container = av.open(str(path), "w")
            codec = self._container.default_audio_codec
            rate = _nearest(av.Codec(codec, "w").audio_rates, sample_rate)
            stream = self._container.add_stream(codec, rate=rate, layout=_LAYOUTS[channels])
        except _ERRORS as error:
            raise self._error(error) from error
        assert isinstance(stream, av.AudioStream)
        self._stream = stream
        self._is_open = True

    def write(self, pcm: bytes) -> None:
        if self._is_open:
            frame = audio_frame(pcm, self._sample_rate, self._channels)
            frame.pts, frame.time_base = self._samples, Fraction(1, self._sample_rate)
            self._samples += frame.samples
            self._encode(frame)

    def close(self) -> None:
        if self._is_open:
            self._encode(None)
            self._is_open = False
            try:
                self._container.close()
            except _ERRORS as error:
                raise self._error(error) from error

    def _encode(self, frame: AudioFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except _ERRORS as error:
            self._is_open = False
            with suppress(*_ERRORS):
                self._container.close()
            raise self._error(error) from error

    def _error(self, error: Exception) -> MediaError:
        return MediaError(f"{self._path}: {getattr(error, 'strerror', None) or error}")


def _nearest(rates: list[int] | None, sample_rate: int) -> int:
    """The lowest of these rates that loses nothing; None stands for any."""
    if not rates:
        return sample_rate
    return min((rate for rate in rates if rate >= sample_rate), default=max(rates))


class ResampledSink:
    """Records into another sink, at its rate, in frames of 20 ms."""

    def __init__(self, sink: AudioSink, source_rate: int, sample_rate: int, channels: int = 1) -> None:
        self._sink = sink
        self._resampler = Resampler(source_rate, sample_rate, channels)
        self._octets = frame_octets(sample_rate) * channels
        self._rest = b""

    def write(self, pcm: bytes) -> None:
        rest = self._rest + self._resampler.push(pcm)
        whole = len(rest) - len(rest) % self._octets
        self._rest = rest[whole:]
        for start in range(0, whole, self._octets):
            self._sink.write(rest[start : start + self._octets])

    def close(self) -> None:
        self._sink.close()
