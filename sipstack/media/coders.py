"""The encoders and decoders that are open, at the sample rate of their calls."""

from __future__ import annotations

from collections import Counter

from sipstack.media.codecs import AudioCodec, Decoder, Encoder, Stateless
from sipstack.sdp import Codec


class Coders:
    """Opens the coders of streams, and counts those that cost memory and much CPU time: not G.711 and L16.

    All of them work in the event loop, without threads: so the count tells what the loop has to do.
    """

    __slots__ = ("_open", "are_behind")

    def __init__(self) -> None:
        self.are_behind = False
        """Whether the loop has more to do than it can: what can be done without is left out."""
        self._open: dict[Encoder | Decoder, str] = {}

    @property
    def open(self) -> dict[str, int]:
        """How many are open now, encoders and decoders, by the name of the codec."""
        return dict(Counter(self._open.values()))

    def encoder(self, codec: AudioCodec, receiver: Codec, sample_rate: int) -> Encoder:
        """Takes PCM at ``sample_rate``, for a peer that has described the codec like this."""
        encoder = codec.encoder(receiver)
        if isinstance(encoder, Stateless) and codec.sample_rate == sample_rate:
            return encoder
        if codec.sample_rate != sample_rate:
            from sipstack.media.resampling import ResampledEncoder

            encoder = ResampledEncoder(encoder, sample_rate, codec.sample_rate)
        self._open[encoder] = codec.name
        return encoder

    def decoder(self, codec: AudioCodec, sample_rate: int) -> Decoder:
        """Gives PCM at ``sample_rate``."""
        decoder = codec.decoder()
        if isinstance(decoder, Stateless) and codec.sample_rate == sample_rate:
            return decoder
        if codec.sample_rate != sample_rate:
            from sipstack.media.resampling import ResampledDecoder

            decoder = ResampledDecoder(decoder, codec.sample_rate, sample_rate)
        self._open[decoder] = codec.name
        return decoder

    def close(self, coder: Encoder | Decoder | None) -> None:
        """This one is not used any more."""
        self._open.pop(coder, None)  # type: ignore[arg-type]
