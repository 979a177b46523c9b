"""Comfort noise as packets of its own (RFC 3389) in one call: what pauses of the peer sound like, and ours.

At 8 kHz, as the static payload type has it. Opus has its own, inside the codec.
"""

from __future__ import annotations

from random import Random

from sipstack.errors import ParseError
from sipstack.media.codecs import AudioCodec, Encoder
from sipstack.media.dtmf import Dtmf
from sipstack.media.stream import AudioStream, Beside
from sipstack.rtp.comfort_noise import PAYLOAD_TYPE, ComfortNoise, NoiseGenerator
from sipstack.rtp.packet import RtpPacket
from sipstack.rtp.pauses import Pauses
from sipstack.sdp import STATIC_CODECS, Agreement, Codec

CLOCK_RATE = 8000


class NoiseDecoder:
    """Noise as the last packet of one stream has described it, for as long as nothing else comes."""

    is_silent = True

    def __init__(self) -> None:
        self._octets = Random(PAYLOAD_TYPE).randbytes  # noise is no secret
        self._payload = b""
        self._generator = NoiseGenerator(ComfortNoise(127), self._octets)

    def decode(self, payload: bytes) -> bytes:
        """The first 20 ms of it."""
        if payload != self._payload:
            self._payload = payload
            try:
                self._generator = NoiseGenerator(ComfortNoise.parse(payload), self._octets)
            except ParseError:
                return b""
        return self._generator.take(2 * duration(payload))

    def conceal(self, samples: int, following: bytes | None) -> bytes:
        """The noise goes on."""
        return self._generator.take(2 * samples)


def duration(payload: bytes) -> int:
    """A frame: then the noise goes on by itself."""
    return CLOCK_RATE // 50 if payload else 0


def _refuse(receiver: Codec) -> Encoder:
    raise NotImplementedError("comfort noise goes beside a codec")


CN = AudioCodec(STATIC_CODECS[PAYLOAD_TYPE], CLOCK_RATE, _refuse, NoiseDecoder, duration)


def describe_noise(clock_rate: int) -> Codec | None:
    """CN beside a codec of this clock rate; None beside others than those at 8 kHz."""
    return CN.description if clock_rate == CLOCK_RATE else None


class ComfortNoiseOfCall:
    """Plays the peer's. With ``speaks``, ours goes out in place of what is no voice, if the peer takes it."""

    def __init__(self, dtmf: Dtmf, *, speaks: bool = False) -> None:
        self._speaks = speaks
        self._pauses: Pauses | None = None
        self._stream: AudioStream | None = None

    def receiver(self, codec: Codec) -> Beside:
        return self._receive

    def agree(self, agreement: Agreement | None, stream: AudioStream) -> None:
        self._stream = stream
        if self._speaks:
            number = _number(agreement) if agreement is not None else None
            if number is not None:
                self._pauses = self._pauses or Pauses(stream.sample_rate)
            stream.speaking.leave_out(self._pauses, number)

    def _receive(self, packet: RtpPacket, now: float) -> None:
        if self._stream is not None:
            self._stream.hear_beside(packet, CN, now)


def _number(agreement: Agreement) -> int | None:
    """The peer's for CN, where both sides have named it beside a codec of 8 kHz: G.722 only says so."""
    ours = {codec.key for codec in agreement.receive.values()}
    if agreement.codec.clock_rate != CLOCK_RATE or agreement.codec.name.upper() == "G722":
        return None
    theirs = agreement.remote.media[agreement.index].codecs
    key = CN.description.key
    return next((codec.payload_type for codec in theirs if codec.key == key and key in ours), None)
