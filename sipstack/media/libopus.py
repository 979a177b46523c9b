"""libopus, by opuslib-next of the ``opus`` extra. No other file imports it."""

from __future__ import annotations

import ctypes
from typing import Any

from sipstack.errors import MediaError
from sipstack.media.opus import CLOCK_RATE, LONGEST, ExpectedLoss, OpusSettings, duration

__all__ = ["Decoder", "Encoder"]

try:
    import opuslib_next
    from opuslib_next.api import decoder as _decoding
    from opuslib_next.api import encoder as _encoding
except Exception as error:  # without the system's library it raises just that
    raise MediaError(
        "Opus needs libopus: pip install 'sipstack[opus]', and the system's library (Debian: libopus0);"
        " or plain coding by PyAV: pip install 'sipstack[media]'"
    ) from error

_LARGEST = 1400
"""Octets of a payload at most: it has to fit into a datagram."""
_COMPLEXITY = 5
"""Of 10: 60 % of the CPU time of libopus's own default, for a loss of quality that one has to look for."""
_NOTHING_TO_SEND = 2
"""Octets of a packet that says no more than that nothing is said, with DTX."""
_BANDS = {
    8000: opuslib_next.BANDWIDTH_NARROWBAND,
    12000: opuslib_next.BANDWIDTH_MEDIUMBAND,
    16000: opuslib_next.BANDWIDTH_WIDEBAND,
    24000: opuslib_next.BANDWIDTH_SUPERWIDEBAND,
    48000: opuslib_next.BANDWIDTH_FULLBAND,
}
_Samples = ctypes.POINTER(ctypes.c_int16)


class Encoder:
    """One voice, at ``sample_rate``."""

    __slots__ = ("_buffer", "_dtx", "_encoder", "_expected", "_is_silent", "_state")

    silence = None

    def __init__(self, sample_rate: int, settings: OpusSettings) -> None:
        encoder = opuslib_next.Encoder(sample_rate, 1, opuslib_next.APPLICATION_VOIP)
        encoder.complexity = _COMPLEXITY
        encoder.bitrate = settings.bit_rate
        encoder.max_bandwidth = _BANDS[settings.bandwidth]
        encoder.vbr = not settings.cbr
        encoder.dtx = settings.dtx
        encoder.inband_fec = settings.fec
        self._expected = ExpectedLoss() if settings.fec else None
        encoder.packet_loss_perc = self._expected.percent if self._expected else 0
        self._encoder = encoder  # frees the state with itself
        self._state: Any = encoder.encoder_state
        self._dtx = settings.dtx
        self._is_silent = False
        self._buffer = ctypes.create_string_buffer(_LARGEST)

    def encode(self, pcm: bytes) -> bytes:
        """The packet; b"" when nothing is said (DTX). ``pcm`` must last one of ``PACKET_TIMES``."""
        samples = ctypes.cast(ctypes.c_char_p(pcm), _Samples)
        octets = _encoding.libopus_encode(self._state, samples, len(pcm) // 2, self._buffer, _LARGEST)
        if octets < 0:
            raise MediaError(f"libopus refuses {len(pcm) // 2} samples: {opuslib_next.OpusError(octets)}")
        if self._dtx:
            # The first one is sent all the same: it tells the decoder that noise follows, and no loss.
            was_silent, self._is_silent = self._is_silent, octets <= _NOTHING_TO_SEND
            if was_silent and self._is_silent:
                return b""
        return ctypes.string_at(self._buffer, octets)

    def lost(self, fraction: float) -> None:
        """The peer reports so much loss: send more or less of what makes up for it, if it wants any."""
        if self._expected is not None and self._expected.report(fraction):
            self._encoder.packet_loss_perc = self._expected.percent


class Decoder:
    """One stream, mono or stereo, as mono PCM at ``sample_rate``."""

    __slots__ = ("_buffer", "_decoder", "_most", "_rate", "_state", "is_silent")

    def __init__(self, sample_rate: int) -> None:
        self._decoder = opuslib_next.Decoder(sample_rate, 1)  # frees the state with itself
        self._state: Any = self._decoder.decoder_state
        self._rate = sample_rate
        self._most = sample_rate * LONGEST // CLOCK_RATE
        self._buffer = (ctypes.c_int16 * self._most)()
        self.is_silent = False

    def decode(self, payload: bytes) -> bytes:
        """The PCM of a packet. One that cannot be read counts as lost."""
        if not payload:
            return b""  # libopus would make up 120 ms
        self.is_silent = len(payload) <= _NOTHING_TO_SEND
        samples = _decoding.libopus_decode(self._state, payload, len(payload), self._buffer, self._most, 0)
        if samples < 0:
            return self.conceal(duration(payload) * self._rate // CLOCK_RATE)
        return ctypes.string_at(self._buffer, 2 * samples)

    def conceal(self, samples: int, following: bytes | None = None) -> bytes:
        """What a lost packet may have said: from what ``following``, the next one, repeats of it (FEC), else
        made up from what was heard before."""
        step = self._rate // 400  # libopus makes up whole 2.5 ms
        whole = min(-(-samples // step) * step, self._most)
        if not whole:
            return bytes(2 * samples)
        made = -1
        if following:
            made = _decoding.libopus_decode(self._state, following, len(following), self._buffer, whole, 1)
        if made < 0:
            made = _decoding.libopus_decode(self._state, None, 0, self._buffer, whole, 0)
        return ctypes.string_at(self._buffer, 2 * max(made, 0))[: 2 * samples].ljust(2 * samples, b"\0")
