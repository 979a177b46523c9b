"""The tones that telephone networks make, by country: dial, ringback, busy, congestion, call waiting.

Frequencies and cadences are those of ITU-T E.180 Supplement 2, as the tone zones of Asterisk 22 have them,
and BT's SIN 350 for Britain; Japan's ringback is modulated, as the ITU has it. Where a network has several
tones for one thing, the usual one. Countries are named by ISO 3166, as "de" or "DE".
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from types import MappingProxyType

import attrs

from sipstack.errors import MediaError
from sipstack.media.io import FRAMES_PER_SECOND, frame_octets

LEVEL = -13.0
"""dB of full scale, some -10 dBm0 (E.180 §6)."""
DEPTH = 0.9
"""Of the modulation of tones such as 400x25."""

Segment = tuple[str, float]
"""Frequencies in hertz, and seconds; 0 seconds for ever. "400+450" sound together, "400x25" is one frequency
modulated by another, "" is silence."""


@attrs.frozen
class Network:
    """The tones of one country: in each, its segments follow one another, again and again."""

    dial: tuple[Segment, ...]
    ringback: tuple[Segment, ...]
    busy: tuple[Segment, ...]
    congestion: tuple[Segment, ...]
    call_waiting: tuple[Segment, ...]


def _cadence(tone: str, *seconds: float) -> tuple[Segment, ...]:
    """On, off, on, off, ..."""
    return tuple((tone if index % 2 == 0 else "", length) for index, length in enumerate(seconds))


def _network(
    dial: str,
    ringback: tuple[Segment, ...],
    busy: str,
    *,
    pulse: float,
    fast: float,
    waiting: tuple[float, ...],
) -> Network:
    """The usual one: a steady dial tone, and busy and congestion of even pulses."""
    return Network(
        ((dial, 0),),
        ringback,
        _cadence(busy, pulse, pulse),
        _cadence(busy, fast, fast),
        _cadence(busy, *waiting),
    )


_EUROPE = _cadence("425", 1.0, 4.0)
_NORTH_AMERICA = Network(
    (("350+440", 0),),
    _cadence("440+480", 2.0, 4.0),
    _cadence("480+620", 0.5, 0.5),
    _cadence("480+620", 0.25, 0.25),
    _cadence("440", 0.3, 10.0),
)
_BRITISH_RINGING = (0.4, 0.2, 0.4, 2.0)

NETWORKS = MappingProxyType(
    {
        "at": _network("420", _cadence("420", 1.0, 5.0), "420", pulse=0.4, fast=0.2, waiting=(0.04, 1.96)),
        "au": Network(
            (("413+438", 0),),
            _cadence("413+438", *_BRITISH_RINGING),
            _cadence("425", 0.375, 0.375),
            (("425", 0.375), ("", 0.375), ("420", 0.375), ("", 0.375)),
            _cadence("425", 0.2, 0.2, 0.2, 4.4),
        ),
        "be": _network(
            "425", _cadence("425", 1.0, 3.0), "425", pulse=0.5, fast=0.167, waiting=(0.175, 0.175, 0.175, 3.5)
        ),
        "br": Network(
            (("425", 0),),
            _EUROPE,
            _cadence("425", 0.25, 0.25),
            _cadence("425", 0.25, 0.25, 0.75, 0.25),
            _cadence("425", 0.05, 1.0),
        ),
        "ca": _NORTH_AMERICA,
        "ch": _network("425", _EUROPE, "425", pulse=0.5, fast=0.2, waiting=(0.2, 0.2, 0.2, 4.0)),
        "cn": _network("450", _cadence("450", 1.0, 4.0), "450", pulse=0.35, fast=0.7, waiting=(0.4, 4.0)),
        "de": _network("425", _EUROPE, "425", pulse=0.48, fast=0.24, waiting=(0.2, 0.2, 0.2, 5.0)),
        "dk": _network("425", _EUROPE, "425", pulse=0.5, fast=0.2, waiting=(0.2, 0.6, 0.2, 3.0)),
        "es": Network(
            (("425", 0),),
            _cadence("425", 1.5, 3.0),
            _cadence("425", 0.2, 0.2),
            _cadence("425", 0.2, 0.2, 0.2, 0.2, 0.2, 0.6),
            _cadence("425", 0.175, 0.175, 0.175, 3.5),
        ),
        "fi": _network("425", _EUROPE, "425", pulse=0.3, fast=0.2, waiting=(0.15, 0.15, 0.15, 8.0)),
        "fr": _network("440", _cadence("440", 1.5, 3.5), "440", pulse=0.5, fast=0.25, waiting=(0.3, 10.0)),
        "gb": Network(
            (("350+440", 0),),
            _cadence("400+450", *_BRITISH_RINGING),
            _cadence("400", 0.375, 0.375),
            _cadence("400", 0.4, 0.35, 0.225, 0.525),
            _cadence("400", 0.1, 4.0),
        ),
        "in": _network(
            "400x25",
            _cadence("400x25", *_BRITISH_RINGING),
            "400",
            pulse=0.75,
            fast=0.25,
            waiting=(0.2, 0.1, 0.2, 7.5),
        ),
        "it": Network(
            _cadence("425", 0.2, 0.2, 0.6, 1.0),
            _EUROPE,
            _cadence("425", 0.5, 0.5),
            _cadence("425", 0.2, 0.2),
            _cadence("425", 0.4, 0.1, 0.25, 0.1, 0.15, 14.0),
        ),
        "jp": Network(
            (("400", 0),),
            _cadence("400x16", 1.0, 2.0),
            _cadence("400", 0.5, 0.5),
            _cadence("400", 0.5, 0.5),
            _cadence("400x16", 0.5, 8.0),
        ),
        "nl": _network("425", _EUROPE, "425", pulse=0.5, fast=0.25, waiting=(0.5, 9.5)),
        "no": _network("425", _EUROPE, "425", pulse=0.5, fast=0.2, waiting=(0.2, 0.6, 0.2, 10.0)),
        "nz": Network(
            (("400", 0),),
            _cadence("400+450", *_BRITISH_RINGING),
            _cadence("400", 0.5, 0.5),
            _cadence("400", 0.25, 0.25),
            _cadence("400", 0.2, 3.0),
        ),
        "pl": _network("425", _EUROPE, "425", pulse=0.5, fast=0.5, waiting=(0.15, 0.15, 0.15, 4.0)),
        "se": Network(
            (("425", 0),),
            _cadence("425", 1.0, 5.0),
            _cadence("425", 0.25, 0.25),
            _cadence("425", 0.25, 0.75),
            _cadence("425", 0.2, 0.5, 0.2, 9.1),
        ),
        "us": _NORTH_AMERICA,
    }
)
"""By country."""


class CallTone:
    """A source without an end, whose segments follow one another. Nothing is made before it is played."""

    def __init__(
        self, segments: tuple[Segment, ...], *, level: float = LEVEL, sample_rate: int = 8000
    ) -> None:
        self.sample_rate = sample_rate
        self._waves = {tone: _Wave(tone, level, sample_rate) for tone, _ in segments}
        self._lengths = [(tone, round(seconds * sample_rate)) for tone, seconds in segments]
        self._samples = frame_octets(sample_rate) // 2
        self._period = sum(length for _, length in self._lengths)
        self._position = 0

    def read(self) -> bytes | None:
        start = self._position
        self._position = start + self._samples
        return b"".join(self._waves[tone].pcm(at, count) for tone, at, count in self._parts(start))

    def rewind(self) -> None:
        self._position = 0

    def close(self) -> None:
        """There is nothing to let go of."""

    def _parts(self, start: int) -> Iterator[tuple[str, int, int]]:
        """The tones of the frame that begins at this sample, with where each goes on in its own wave."""
        if not self._period:
            yield self._lengths[0][0], start, self._samples
            return
        at, missing = start % self._period, self._samples
        while missing:
            began = 0
            for tone, length in self._lengths:
                if began <= at < began + length and missing:
                    count = min(missing, began + length - at)
                    yield tone, at - began, count
                    at, missing = at + count, missing - count
                began += length
            at %= self._period


class _Wave:
    """One tone, made frame by frame, and kept for the time in which it repeats itself: a second."""

    def __init__(self, tone: str, level: float, sample_rate: int) -> None:
        self._frame = sample_rate // FRAMES_PER_SECOND
        self._frames: dict[int, bytes] = {}
        self._carriers = [float(each) for each in tone.partition("x")[0].split("+") if each]
        self._modulator = float(tone.partition("x")[2] or 0)
        self._turn = 2 * math.pi / sample_rate
        # A sine of this peak has the level; the components of a sum share it.
        self._amplitude = 32767 * 10 ** (level / 20) / math.sqrt(max(len(self._carriers), 1))

    def pcm(self, at: int, count: int) -> bytes:
        if not self._carriers:
            return bytes(2 * count)
        number, inside = divmod(at, self._frame)
        pcm = self._at(number)[2 * inside : 2 * (inside + count)]
        missing = count - len(pcm) // 2
        return pcm + self._at(number + 1)[: 2 * missing] if missing else pcm

    def _at(self, number: int) -> bytes:
        number %= FRAMES_PER_SECOND
        if number not in self._frames:
            start = number * self._frame
            self._frames[number] = struct.pack(
                f"<{self._frame}h",
                *[round(self._value(index)) for index in range(start, start + self._frame)],
            )
        return self._frames[number]

    def _value(self, index: int) -> float:
        value = sum(math.sin(self._turn * frequency * index) for frequency in self._carriers)
        if self._modulator:
            value *= (1 + DEPTH * math.sin(self._turn * self._modulator * index)) / (1 + DEPTH)
        return value * self._amplitude


def dial(country: str, *, level: float = LEVEL, sample_rate: int = 8000) -> CallTone:
    """Dial: for ever, or until digits come. Raises MediaError for a country that is not known."""
    return CallTone(_network_of(country).dial, level=level, sample_rate=sample_rate)


def ringback(country: str, *, level: float = LEVEL, sample_rate: int = 8000) -> CallTone:
    """The called phone rings. Raises MediaError for a country that is not known."""
    return CallTone(_network_of(country).ringback, level=level, sample_rate=sample_rate)


def busy(country: str, *, level: float = LEVEL, sample_rate: int = 8000) -> CallTone:
    """The called line is busy. Raises MediaError for a country that is not known."""
    return CallTone(_network_of(country).busy, level=level, sample_rate=sample_rate)


def congestion(country: str, *, level: float = LEVEL, sample_rate: int = 8000) -> CallTone:
    """The network has no way to the called line. Raises MediaError for a country that is not known."""
    return CallTone(_network_of(country).congestion, level=level, sample_rate=sample_rate)


def call_waiting(country: str, *, level: float = LEVEL, sample_rate: int = 8000) -> CallTone:
    """Another call waits. Raises MediaError for a country that is not known."""
    return CallTone(_network_of(country).call_waiting, level=level, sample_rate=sample_rate)


def _network_of(country: str) -> Network:
    network = NETWORKS.get(country.lower())
    if network is None:
        raise MediaError(f"no tones of the country {country!r} (there are {', '.join(NETWORKS)})")
    return network
