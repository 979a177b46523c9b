"""The codecs that an application has chosen, made ready once for all of its calls."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import attrs

from sipstack.errors import MediaError
from sipstack.media.codecs import AudioCodec, codec_named
from sipstack.media.io import FRAMES_PER_SECOND
from sipstack.sdp import Capabilities

SLOWEST, FASTEST = 8000, 192_000
"""Sample rates, in hertz, that the audio of a call can have; 20 ms must be whole samples."""


@attrs.frozen
class ChosenCodecs:
    """What a session needs to know of its codecs."""

    by_key: Mapping[tuple[str | int, ...], AudioCodec] = attrs.field(hash=False)
    """By ``Codec.key``, as descriptions name them."""
    capabilities: Capabilities
    sample_rate: int
    """Of the audio of the call."""

    def only(self, *wanted: str | AudioCodec) -> Capabilities:
        """Some of them, in this order of preference. Raises MediaError when one is not among them."""
        named = [codec_named(each, self.sample_rate) if isinstance(each, str) else each for each in wanted]
        keys = dict.fromkeys(codec.description.key for codec in named)
        if not keys or not keys.keys() <= self.by_key.keys():
            ours = ", ".join(codec.name for codec in self.capabilities.codecs)
            raise MediaError(f"a call changes to codecs that it was made with, which are {ours}")
        described = [self.by_key[key].description for key in keys]
        return attrs.evolve(self.capabilities, codecs=tuple(described))


@lru_cache(maxsize=32)  # an application has few sets of codecs, and opens each for many calls
def known_codecs(
    wanted: tuple[str | AudioCodec, ...], prefer_own: bool = False, sample_rate: int | None = None
) -> ChosenCodecs:
    """The codecs of these names, and those of the application's own, in order of preference.

    Raises MediaError for a name that is not known, and for a library that is missing. The first call loads
    the libraries, which takes some tenths of a second.
    """
    found = [codec_named(each, sample_rate) if isinstance(each, str) else each for each in wanted]
    if not found:
        raise MediaError("a call needs a codec")
    rates = {codec.sample_rate for codec in found}
    rate = max(rates) if sample_rate is None else sample_rate
    if not SLOWEST <= rate <= FASTEST or rate % FRAMES_PER_SECOND:
        raise MediaError(f"no sample rate for calls: {rate} Hz (8000, 16000, 24000 and 48000 are usual)")
    if rates != {rate}:
        _check_conversion(rates | {rate})
    by_key = {codec.description.key: codec for codec in reversed(found)}
    descriptions = dict.fromkeys(codec.description for codec in found)
    capabilities = Capabilities(tuple(descriptions), prefer_own=prefer_own)
    return ChosenCodecs(MappingProxyType(by_key), capabilities, rate)


def _check_conversion(rates: set[int]) -> None:
    """Raise MediaError unless PCM can be converted."""
    try:
        import sipstack.media.conversion  # noqa: F401
    except MediaError as error:
        named = " and ".join(map(str, sorted(rates)))
        raise MediaError(
            f"audio of {named} Hz in one call needs PyAV (pip install 'sipstack[media]'), or codecs and a"
            " sample_rate that are the same"
        ) from error
