"""Codecs as SDP names them: payload type number, encoding, clock and format parameters."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType

import attrs

from sipstack.errors import LocalProtocolError
from sipstack.sdp.grammar import decimal, joined

MAX_PAYLOAD_TYPE = 127

AUXILIARY = frozenset({"telephone-event", "cn"})
"""Encodings that go beside a codec and are never the codec of a stream."""

_DISTINGUISHING = {
    # Two payload formats in one name: the parameter decides which, so it takes part in the comparison.
    "amr": (("octet-align", "0"),),
    "amr-wb": (("octet-align", "0"),),
    "g7221": (("bitrate", ""),),
}


@attrs.frozen
class Codec:
    """One payload format of an RTP stream.

    ``name`` is the encoding name of a=rtpmap as written; it compares without case in ``key``.
    ``clock_rate`` is in hertz, and is RTP's, not always the sound's (G722: 8000).
    ``fmtp`` is the text of a=fmtp as written, "" when there is none.
    """

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    fmtp: str = ""

    @property
    def key(self) -> tuple[str | int, ...]:
        """Equal for two codecs that are the same encoding, whatever their payload type numbers."""
        name = self.name.lower()
        base = (name, self.clock_rate, self.channels)
        if name not in _DISTINGUISHING:
            return base
        parameters = self.parameters
        return (*base, *(parameters.get(key, default) for key, default in _DISTINGUISHING[name]))

    @property
    def auxiliary(self) -> bool:
        """True for telephone-event and comfort noise, which accompany a codec."""
        return self.name.lower() in AUXILIARY

    @property
    def telephone_event(self) -> bool:
        return self.name.lower() == "telephone-event"

    @property
    def parameters(self) -> dict[str, str]:
        """``fmtp`` taken apart at semicolons; names in lower case, "" where there is no ``=``."""
        pairs = (item.partition("=") for item in self.fmtp.split(";"))
        return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}

    def numbered(self, payload_type: int) -> Codec:
        """The same codec under another payload type number."""
        return Codec(payload_type, self.name, self.clock_rate, self.channels, self.fmtp)

    def lines(self) -> tuple[str, ...]:
        """The a=rtpmap and, when there are parameters, a=fmtp lines."""
        if not 0 <= self.payload_type <= MAX_PAYLOAD_TYPE:
            raise LocalProtocolError(f"{self.payload_type} is no RTP payload type number")
        number = str(self.payload_type)
        encoding = f"{self.name}/{self.clock_rate}"
        if self.channels != 1:
            encoding += f"/{self.channels}"
        rtpmap = f"a=rtpmap:{joined(number, encoding)}"
        return (rtpmap, f"a=fmtp:{number} {self.fmtp}") if self.fmtp else (rtpmap,)


STATIC_CODECS = MappingProxyType(
    {
        number: Codec(number, name, clock_rate, channels)
        for number, name, clock_rate, channels in (
            # RFC 3551 tables 4 and 5. MPA's channels are told in its stream; 1 stands for "not said".
            (0, "PCMU", 8000, 1),
            (3, "GSM", 8000, 1),
            (4, "G723", 8000, 1),
            (5, "DVI4", 8000, 1),
            (6, "DVI4", 16000, 1),
            (7, "LPC", 8000, 1),
            (8, "PCMA", 8000, 1),
            (9, "G722", 8000, 1),
            (10, "L16", 44100, 2),
            (11, "L16", 44100, 1),
            (12, "QCELP", 8000, 1),
            (13, "CN", 8000, 1),
            (14, "MPA", 90000, 1),
            (15, "G728", 8000, 1),
            (16, "DVI4", 11025, 1),
            (17, "DVI4", 22050, 1),
            (18, "G729", 8000, 1),
            (25, "CelB", 90000, 1),
            (26, "JPEG", 90000, 1),
            (28, "nv", 90000, 1),
            (31, "H261", 90000, 1),
            (32, "MPV", 90000, 1),
            (33, "MP2T", 90000, 1),
            (34, "H263", 90000, 1),
        )
    }
)
"""The payload types that need no a=rtpmap, by number (RFC 3551 §6)."""


@lru_cache(maxsize=64)  # calls repeat the same few; this is most of the cost of reading an offer
def read_codecs(
    formats: tuple[str, ...], rtpmaps: tuple[str, ...], fmtps: tuple[str, ...]
) -> tuple[Codec, ...]:
    """The codecs of an m-line in its order. What is unknown or cannot be read is left out (RFC 8866 §5.13:
    an attribute that is not understood is ignored)."""
    maps = dict(value.split(None, 1) for value in reversed(rtpmaps) if " " in value)
    parameters = dict(value.split(None, 1) for value in reversed(fmtps) if " " in value)
    codecs = (_read(text, maps.get(text), parameters.get(text, "")) for text in formats)
    return tuple(codec for codec in codecs if codec is not None)


def _read(text: str, rtpmap: str | None, fmtp: str) -> Codec | None:
    number = decimal(text, MAX_PAYLOAD_TYPE)
    if number is None:
        return None
    if rtpmap is not None:
        name, _, rest = rtpmap.partition("/")
        clock_text, _, channels_text = rest.partition("/")
        clock_rate = decimal(clock_text.strip(), 10**9)
        channels = decimal(channels_text.strip() or "1", 255)
        if name and clock_rate and channels:
            return Codec(number, name.strip(), clock_rate, channels, fmtp)
    static = STATIC_CODECS.get(number)
    return static if static is None or not fmtp else attrs.evolve(static, fmtp=fmtp)
