"""The encoders and decoders that are open are counted, and closed with their streams."""

from __future__ import annotations

from sipstack.media.clock import MediaClock
from sipstack.media.codecs import PCMU, codec_named
from sipstack.media.coders import Coders
from sipstack.media.resampling import ResampledDecoder, ResampledEncoder
from sipstack.media.session import AudioSession
from sipstack.media.tones import sine
from sipstack.testing.loop import run
from tests.media.calls import talking
from tests.media.hearing import Ear
from tests.media.wire import Wire


def test_what_costs_something_is_counted() -> None:
    coders = Coders()
    opus, g722 = codec_named("opus"), codec_named("G722")
    encoder = coders.encoder(opus, opus.description, 48000)
    decoders = [coders.decoder(codec, codec.sample_rate) for codec in (opus, g722)]
    assert coders.open == {"opus": 2, "G722": 1}
    coders.close(encoder)
    for decoder in decoders:
        coders.close(decoder)
    assert coders.open == {}


def test_g711_is_shared_by_all_and_counts_for_nothing() -> None:
    coders = Coders()
    assert coders.encoder(PCMU, PCMU.description, 8000) is coders.encoder(PCMU, PCMU.description, 8000)
    assert coders.decoder(PCMU, 8000) is coders.decoder(PCMU, 8000)
    assert coders.open == {}
    coders.close(None)
    coders.close(PCMU.decoder())


def test_at_another_rate_it_is_resampled_which_counts() -> None:
    coders = Coders()
    encoder, decoder = coders.encoder(PCMU, PCMU.description, 16000), coders.decoder(PCMU, 16000)
    assert isinstance(encoder, ResampledEncoder)
    assert isinstance(decoder, ResampledDecoder)
    assert coders.open == {"PCMU": 2}


def test_a_decoder_is_opened_when_somebody_listens_and_all_are_closed_with_the_call() -> None:
    async def main() -> list[dict[str, int]]:
        coders = MediaClock.shared().coders
        seen = [coders.open]
        async with talking(Wire(), ("opus",), ("opus",)) as call:
            seen.append(coders.open)
            await call.alice.audio.play(sine(400.0, 0.2, sample_rate=48000))
            seen.append(coders.open)
            async with call.bob.audio.recording(Ear()):
                await call.alice.audio.play(sine(400.0, 0.2, sample_rate=48000))
                seen.append(coders.open)
        seen.append(coders.open)
        return seen

    assert run(main()) == [{}, {"opus": 2}, {"opus": 2}, {"opus": 3}, {}]


def test_a_codec_that_is_given_up_closes_its_encoder() -> None:
    async def main() -> list[dict[str, int]]:
        wire = Wire()
        async with talking(wire, ("opus", "G722"), ("opus",)) as call:
            coders = MediaClock.shared().coders
            seen = [coders.open]
            other = AudioSession("192.0.2.3", codecs=("G722",), bind=wire.bind)
            await call.alice.answered(await other.answer(await call.alice.offer()))
            seen.append(coders.open)
            await other.close()
            seen.append(coders.open)
            return seen

    # Bob still has his, and the other one its own.
    assert run(main()) == [{"opus": 2}, {"opus": 1, "G722": 2}, {"opus": 1, "G722": 1}]
