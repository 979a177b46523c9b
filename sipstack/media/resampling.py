"""A codec in a call of another sample rate: its PCM is converted, once, by PyAV of the ``media`` extra."""

from __future__ import annotations

from sipstack.media.codecs import AdaptiveEncoder, Decoder, Encoder


class EvenResampler:
    """As many samples come out as go in, each time, in proportion to the rates.

    A resampler owes the end of each piece, 2 ms of the lower rate, until the next one comes: that is made up
    for by silence before the first one.
    """

    __slots__ = ("_from", "_owed", "_resampler", "_spare", "_to")

    def __init__(self, source_rate: int, sample_rate: int) -> None:
        from sipstack.media.conversion import Resampler

        self._resampler = Resampler(source_rate, sample_rate)
        self._from, self._to = source_rate, sample_rate
        self._owed = 0  # samples, times the rate that they came with
        self._spare = b""

    def push(self, pcm: bytes) -> bytes:
        """The same piece of time at the other rate."""
        self._owed += len(pcm) // 2 * self._to
        samples, self._owed = divmod(self._owed, self._from)
        octets = 2 * samples
        ready = self._spare + self._resampler.push(pcm)
        if len(ready) < octets:
            # One sample more: what does not go into whole samples may come a piece later.
            ready = bytes(octets - len(ready) + 2) + ready
        self._spare = ready[octets:]
        return ready[:octets]


class ResampledEncoder:
    """An encoder for PCM of another rate."""

    def __init__(self, encoder: Encoder, source_rate: int, sample_rate: int) -> None:
        self._encoder = encoder
        self._resampler = EvenResampler(source_rate, sample_rate)

    @property
    def silence(self) -> bytes | None:
        return self._encoder.silence

    def encode(self, pcm: bytes) -> bytes:
        return self._encoder.encode(self._resampler.push(pcm))

    def lost(self, fraction: float) -> None:
        if isinstance(self._encoder, AdaptiveEncoder):
            self._encoder.lost(fraction)


class ResampledDecoder:
    """A decoder that gives PCM of another rate."""

    def __init__(self, decoder: Decoder, source_rate: int, sample_rate: int) -> None:
        self._decoder = decoder
        self._from, self._to = source_rate, sample_rate
        self._resampler = EvenResampler(source_rate, sample_rate)

    @property
    def is_silent(self) -> bool:
        return self._decoder.is_silent

    def decode(self, payload: bytes) -> bytes:
        return self._resampler.push(self._decoder.decode(payload))

    def conceal(self, samples: int, following: bytes | None) -> bytes | None:
        made = self._decoder.conceal(samples * self._from // self._to, following)
        return None if made is None else self._resampler.push(made)
