"""Opus over RTP (RFC 7587): how long a packet lasts, what a=fmtp asks for, and which library codes it.

libopus by the ``opus`` extra does all of it. Where that is not installed PyAV of the ``media`` extra codes
and decodes, but neither conceals what is lost, nor uses what was sent twice (FEC), nor sends less in silence.
"""

from __future__ import annotations

from functools import partial

import attrs

from sipstack.errors import MediaError
from sipstack.media.codecs import AudioCodec
from sipstack.sdp import Codec

CLOCK_RATE = 48000
"""Of the timestamps, whatever the PCM has (§4.1)."""
PAYLOAD_TYPE = 111
"""What most others use; any dynamic number would do."""
PACKET_TIMES = (5, 10, 20, 40, 60, 80, 100, 120)
"""Milliseconds that one packet of ours can last."""
LONGEST = 5760
"""Timestamp units of a packet at most: 120 ms (RFC 6716 §3.2.5)."""

BANDWIDTHS = (8000, 12000, 16000, 24000, 48000)
"""Sample rates that stand for the bands that Opus codes: narrow, medium, wide, super-wide and full."""
_BIT_RATES = {8000: 16_000, 12000: 20_000, 16000: 24_000, 24000: 32_000, 48000: 40_000}
"""Bits a second for one voice, by the band: those of §3.1.1, and some more for forward error correction."""
_LEAST, _MOST = 6_000, 510_000  # of maxaveragebitrate (§6.1)

EXPECTED_LOSS = 10
"""Percent that are expected to be lost before the peer has reported. It decides how much forward error
correction is worth; without any, there is none."""
LEAST_LOSS, NOTICED_LOSS, MOST_LOSS = 3, 8, 30
"""Without any loss for a while; with the first that is reported, from which on libopus finds it worth while;
and what cannot be made up for any more."""

_SILK_AND_HYBRID = (480, 960, 1920, 2880) * 3 + (480, 960) * 2
_CELT = (120, 240, 480, 960) * 4
_FRAME_UNITS = _SILK_AND_HYBRID + _CELT
"""Timestamp units of a frame by the configuration number (RFC 6716 table 2)."""


def duration(payload: bytes) -> int:
    """Timestamp units that a packet lasts, by its first octets (RFC 6716 §3.1, §3.2); 0 if they are wrong."""
    if not payload:
        return 0
    units, code = _FRAME_UNITS[payload[0] >> 3], payload[0] & 0x03
    if code == 3:
        units *= payload[1] & 0x3F if len(payload) > 1 else 0
    elif code:
        units *= 2
    return units if units <= LONGEST else 0


@attrs.frozen
class OpusSettings:
    """What to send: the default for one voice, less what the receiver does not want (§6.1)."""

    bit_rate: int
    """Bits a second, on average."""
    bandwidth: int = CLOCK_RATE
    """The sample rate that stands for the widest band worth sending: one of ``BANDWIDTHS``."""
    fec: bool = False
    """Each packet has the one before it once more, in a few octets."""
    dtx: bool = False
    """Send next to nothing in silence."""
    cbr: bool = False

    @classmethod
    def wanted(cls, receiver: Codec, sample_rate: int) -> OpusSettings:
        """What the receiver's a=fmtp asks for, of PCM at this rate. What cannot be read is ignored."""
        parameters = receiver.parameters
        played = _between(parameters.get("maxplaybackrate"), BANDWIDTHS[0], CLOCK_RATE) or CLOCK_RATE
        # A receiver at 11025 Hz has no use for more than the narrow band.
        bandwidth = max(band for band in BANDWIDTHS if band <= min(played, sample_rate))
        bit_rate = _BIT_RATES[bandwidth]
        limit = _between(parameters.get("maxaveragebitrate"), _LEAST, _MOST)
        return cls(
            min(bit_rate, limit or bit_rate),
            bandwidth,
            parameters.get("useinbandfec") == "1",
            parameters.get("usedtx") == "1",
            parameters.get("cbr") == "1",
        )


class ExpectedLoss:
    """Percent of packets that are expected to be lost, by the peer's reports: more at once, less in time."""

    __slots__ = ("_mean", "percent")

    def __init__(self) -> None:
        self._mean = float(EXPECTED_LOSS)
        self.percent = EXPECTED_LOSS

    def report(self, fraction: float) -> bool:
        """The peer has lost so much since its last report; tells whether ``percent`` has changed for it."""
        percent = min(max(100 * fraction, NOTICED_LOSS), MOST_LOSS) if fraction else LEAST_LOSS
        self._mean = percent if percent > self._mean else self._mean + (percent - self._mean) / 4
        if abs(self._mean - self.percent) < 1.5:
            return False
        self.percent = round(self._mean)
        return True


def _between(text: str | None, least: int, most: int) -> int | None:
    """The number, or None for what is no number or less than ``least``. More than ``most`` is ``most``."""
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < least:
        return None
    return min(int(text), most)


def description(sample_rate: int, *, fec: bool) -> Codec:
    """How we describe ourselves: what we play, in mono, and what we are able to make use of (§6.1, §7)."""
    parameters = [f"maxplaybackrate={sample_rate}", f"sprop-maxcapturerate={sample_rate}"]
    told = parameters if sample_rate < CLOCK_RATE else []
    if fec:
        told.append("useinbandfec=1")
    # The channels of a=rtpmap are 2 in any case; that we want one is the default of `stereo`.
    return Codec(PAYLOAD_TYPE, "opus", CLOCK_RATE, 2, ";".join(told))


def opus(sample_rate: int = CLOCK_RATE) -> AudioCodec:
    """Opus with PCM at this rate, or at 48 kHz where Opus does not know it.

    Raises MediaError when there is no library for it.
    """
    if sample_rate not in BANDWIDTHS:
        return opus()
    try:
        from sipstack.media import libopus
    except MediaError as missing:
        return _by_pyav(missing)
    return AudioCodec(
        description(sample_rate, fec=True),
        sample_rate,
        encoder=lambda receiver: libopus.Encoder(sample_rate, OpusSettings.wanted(receiver, sample_rate)),
        decoder=partial(libopus.Decoder, sample_rate),
        duration=duration,
        packet_times=PACKET_TIMES,
    )


def _by_pyav(missing: MediaError) -> AudioCodec:
    """Coding and decoding, and no more; always at 48 kHz, for its decoder knows nothing else."""
    try:
        from sipstack.media import avcodec
    except MediaError:
        raise missing from None
    return avcodec.opus(description(CLOCK_RATE, fec=False), duration, PACKET_TIMES)
