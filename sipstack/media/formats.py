"""Payload formats that go beside the codec of an audio stream, such as telephone-event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Protocol

import attrs

from sipstack.errors import MediaError
from sipstack.media.comfort_noise import ComfortNoiseOfCall, describe_noise
from sipstack.media.dtmf import Dtmf
from sipstack.media.stream import AudioStream, Beside
from sipstack.media.telephone_events import TelephoneEvents, describe_events
from sipstack.sdp import STATIC_CODECS, Agreement, Capabilities, Codec


class FormatOfCall(Protocol):
    """What one payload format does in one call."""

    def receiver(self, codec: Codec) -> Beside:
        """Who takes the packets of this payload type, which ``codec`` describes. Asked again, the same."""

    def agree(self, agreement: Agreement | None, stream: AudioStream) -> None:
        """What both sides have agreed on from now on; None for nothing at all."""


@attrs.frozen
class Format:
    """A payload format that goes beside the codecs."""

    name: str
    """The encoding name, in lower case."""
    describe: Callable[[int], Codec | None]
    """What our descriptions name beside a codec of this clock rate, under the number that we would rather
    have; None where there is nothing to go beside it."""
    begin: Callable[[Dtmf], FormatOfCall]
    """Called once for each call, with its digits."""
    is_offered: bool = True
    """Whether our offers name it. Else it is accepted, and taken under a static number at any time."""


COMFORT_NOISE = Format("cn", describe_noise, ComfortNoiseOfCall, is_offered=False)
SPOKEN_COMFORT_NOISE = Format("cn", describe_noise, partial(ComfortNoiseOfCall, speaks=True))
"""In place of the pauses of what we say, too."""

FORMATS = MappingProxyType(
    {each.name: each for each in (Format("telephone-event", describe_events, TelephoneEvents), COMFORT_NOISE)}
)
"""Those that can be asked for by name."""


class FormatsOfCall:
    """All payload formats in one call."""

    __slots__ = ("_formats", "_named", "_receivers")

    def __init__(self, wanted: Sequence[str | Format], dtmf: Dtmf, *, comfort_noise: bool = False) -> None:
        self._formats = formats_of((SPOKEN_COMFORT_NOISE, *wanted) if comfort_noise else wanted)
        self._named = {each.name: each.begin(dtmf) for each in self._formats}
        self._receivers: dict[int, Beside] = {}
        static = (STATIC_CODECS[number] for number in STATIC_CODECS if STATIC_CODECS[number].auxiliary)
        self.receivers(static)

    def described(self, capabilities: Capabilities) -> Capabilities:
        """Our capabilities with these formats."""
        return with_formats(capabilities, self._formats)

    def receivers(self, codecs: Iterable[Codec]) -> dict[int, Beside]:
        """Who takes the packets of which payload type, these and those before."""
        for codec in codecs:
            each = self._named.get(codec.name.lower()) if codec.auxiliary else None
            if each is not None:
                self._receivers[codec.payload_type] = each.receiver(codec)
        return self._receivers

    def agree(self, agreement: Agreement | None, stream: AudioStream) -> None:
        """Tell all of them what is agreed on."""
        for each in self._named.values():
            each.agree(agreement, stream)


def formats_of(wanted: Sequence[str | Format]) -> tuple[Format, ...]:
    """The formats by their names. Raises MediaError."""
    found = [FORMATS.get(each.lower(), each) if isinstance(each, str) else each for each in wanted]
    unknown = [each for each in found if isinstance(each, str)]
    if unknown:
        raise MediaError(f"no such format: {', '.join(unknown)} (there are {', '.join(FORMATS)})")
    by_name = {each.name: each for each in reversed(found) if isinstance(each, Format)}
    return tuple(reversed(by_name.values()))


@lru_cache(maxsize=32)  # an application has few sets of codecs, and opens each for many calls
def with_formats(capabilities: Capabilities, formats: tuple[Format, ...]) -> Capabilities:
    """The capabilities with these formats, once for each clock rate of the codecs."""
    offered = tuple(each for each in formats if each.is_offered)
    capabilities = attrs.evolve(
        capabilities, codecs=(*capabilities.codecs, *_described(capabilities, offered))
    )
    accepted = tuple(each for each in formats if not each.is_offered)
    return attrs.evolve(capabilities, accepted=tuple(_described(capabilities, accepted)))


def _described(capabilities: Capabilities, formats: tuple[Format, ...]) -> Iterator[Codec]:
    taken = {codec.payload_type for codec in capabilities.codecs}
    rates = dict.fromkeys(codec.clock_rate for codec in capabilities.codecs if not codec.auxiliary)
    for each in formats:
        for rate in rates:
            codec = each.describe(rate)
            if codec is None or codec.key in capabilities.by_key:
                continue
            numbers = (codec.payload_type, *range(codec.payload_type + 1, 128), *range(96, 128))
            number = next((number for number in numbers if number not in taken), None)
            if number is not None:
                taken.add(number)
                yield codec.numbered(number)
