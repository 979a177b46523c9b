"""Codecs of FFmpeg, one context a stream, by PyAV of the ``media`` extra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Literal

from sipstack.errors import MediaError
from sipstack.media.codecs import AudioCodec
from sipstack.media.conversion import audio_frame
from sipstack.sdp import STATIC_CODECS, Codec

__all__ = ["AvDecoder", "AvEncoder", "g722", "opus"]

try:
    import av
    from av import AudioCodecContext
except ImportError as error:
    raise MediaError("this codec needs PyAV: pip install 'sipstack[media]'") from error

Options = Callable[[int], Mapping[str, str]]
"""The encoder's options for packets of so many samples."""


class AvEncoder:
    """Any codec that makes one packet of the frame that it was opened for."""

    silence = None

    def __init__(self, name: str, sample_rate: int, options: Options, bit_rate: int = 0) -> None:
        self._name, self._rate, self._options, self._bit_rate = name, sample_rate, options, bit_rate
        self._samples = 0

    def encode(self, pcm: bytes) -> bytes:
        """The packet. Frames of another length than those before open the codec anew."""
        samples = len(pcm) // 2
        if samples != self._samples:
            self._context = self._open(samples)
            self._samples = samples
        return b"".join(map(bytes, self._context.encode(audio_frame(pcm, self._rate))))

    def _open(self, samples: int) -> AudioCodecContext:
        context = _mono(self._name, "w", self._rate)
        context.format = "s16"
        context.time_base = Fraction(1, self._rate)
        context.options = dict(self._options(samples))
        if self._bit_rate:
            context.bit_rate = self._bit_rate
        return context


class AvDecoder:
    """Any codec whose packets are frames of their own. What cannot be read is silence of ``duration``."""

    is_silent = False

    def __init__(
        self, name: str, sample_rate: int, duration: Callable[[bytes], int], clock_rate: int
    ) -> None:
        self._duration, self._rate, self._clock_rate = duration, sample_rate, clock_rate
        self._context = _mono(name, "r", sample_rate)

    def decode(self, payload: bytes) -> bytes:
        if not payload:
            return b""  # FFmpeg would take it for the end of the stream
        try:
            frames = self._context.decode(av.Packet(payload))
        except av.FFmpegError:
            return bytes(2 * (self._duration(payload) * self._rate // self._clock_rate))
        # A plane may be larger than its samples: a buffer for Opus has room for 120 ms.
        return b"".join(bytes(frame.planes[0])[: 2 * frame.samples] for frame in frames)

    def conceal(self, samples: int, following: bytes | None = None) -> None:
        """FFmpeg does not: the waveform is made up from what was heard."""


def _mono(name: str, mode: Literal["r", "w"], sample_rate: int) -> AudioCodecContext:
    context = av.CodecContext.create(name, mode)
    assert isinstance(context, AudioCodecContext)
    context.layout, context.sample_rate = "mono", sample_rate
    return context


def g722() -> AudioCodec:
    """G.722 at 64 kbit/s. Its timestamps count at 8 kHz, though the sound has 16 (RFC 3551 §4.5.2)."""
    return AudioCodec(
        STATIC_CODECS[9],
        16000,
        encoder=lambda receiver: AvEncoder("g722", 16000, lambda samples: {"frame_size": str(samples)}),
        decoder=lambda: AvDecoder("g722", 16000, len, 8000),
        duration=len,
    )


def opus(description: Codec, duration: Callable[[bytes], int], packet_times: tuple[int, ...]) -> AudioCodec:
    """Opus as far as FFmpeg has it: at 48 kHz."""

    def encoder(receiver: Codec) -> AvEncoder:
        from sipstack.media.opus import OpusSettings

        settings = OpusSettings.wanted(receiver, 48000)
        constant = {"application": "voip", "vbr": "off" if settings.cbr else "on", "compression_level": "5"}
        fec = {"fec": "1", "packet_loss": "10"} if settings.fec else {}

        def options(samples: int) -> Mapping[str, str]:
            return {**constant, **fec, "frame_duration": str(samples // 48)}

        return AvEncoder("libopus", 48000, options, settings.bit_rate)

    return AudioCodec(
        description,
        48000,
        encoder=encoder,
        decoder=lambda: AvDecoder("libopus", 48000, duration, 48000),
        duration=duration,
        packet_times=packet_times,
    )
