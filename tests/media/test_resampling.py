"""A codec in a call of another rate: nothing is lost, nothing drifts, and a tone stays a tone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.media.codecs import codec_named, stateless
from sipstack.media.resampling import EvenResampler, ResampledDecoder, ResampledEncoder
from sipstack.media.tones import sine
from sipstack.sdp import Codec
from tests.media.hearing import everything, lag, purity
from tests.media.saying import needs_libopus

RATES = (8000, 16000, 24000, 44100, 48000)
PAIRS = [(one, other) for one in RATES for other in RATES if one != other]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_each_20_ms_is_20_ms_at_the_other_rate(source: int, target: int) -> None:
    resampler = EvenResampler(source, target)
    frames = everything(sine(400.0, 1.0, sample_rate=source))
    pieces = [resampler.push(frame) for frame in frames]
    assert {len(piece) for piece in pieces} == {target // 50 * 2}
    assert purity(b"".join(pieces[10:]), 400.0, target) > 0.9999


@pytest.mark.parametrize(("source", "target"), [(8000, 48000), (48000, 8000), (44100, 16000)])
def test_the_sound_comes_two_milliseconds_later(source: int, target: int) -> None:
    resampler = EvenResampler(source, target)
    heard = b"".join(map(resampler.push, everything(sine(313.0, 0.1, sample_rate=source))))
    expected = b"".join(everything(sine(313.0, 0.1, sample_rate=target)))[: -2000 * target // 48000 * 2]
    late, likeness = lag(heard, expected, most=target // 400)
    assert likeness > 0.995
    assert late / target < 0.0023


@given(pieces=st.lists(st.integers(0, 500), max_size=60), pair=st.sampled_from(PAIRS))
def test_pieces_of_any_length_add_up(pieces: list[int], pair: tuple[int, int]) -> None:
    source, target = pair
    resampler = EvenResampler(source, target)
    before = 0
    for samples in pieces:
        before += samples * target
        got = len(resampler.push(bytes(2 * samples))) // 2
        assert got == before // source
        before %= source


def test_what_the_rate_cannot_hold_is_filtered_out() -> None:
    resampler = EvenResampler(48000, 8000)
    pieces = [resampler.push(frame) for frame in everything(sine(5000.0, 0.4, sample_rate=48000))]
    heard = memoryview(b"".join(pieces[5:])).cast("h")
    assert max(heard) < 30  # 5 kHz would be heard as 3 kHz


def test_an_encoder_and_a_decoder_of_another_rate() -> None:
    codec = codec_named("L16/16000")
    encoder = ResampledEncoder(codec.encoder(codec.description), 48000, 16000)
    decoder = ResampledDecoder(codec.decoder(), 16000, 48000)
    payloads = [encoder.encode(frame) for frame in everything(sine(400.0, 0.4, sample_rate=48000))]
    assert {len(payload) for payload in payloads} == {640}
    assert encoder.silence == bytes(640)
    pieces = [decoder.decode(payload) for payload in payloads]
    assert {len(piece) for piece in pieces} == {1920}
    assert purity(b"".join(pieces[10:]), 400.0, 48000) > 0.9999
    assert decoder.conceal(960, None) is None
    assert not decoder.is_silent


@needs_libopus
def test_what_opus_makes_up_has_the_rate_of_the_call() -> None:
    codec = codec_named("opus", 16000)
    encoder = codec.encoder(codec.description)
    decoder = ResampledDecoder(codec.decoder(), 16000, 44100)
    for frame in everything(sine(400.0, 0.4, sample_rate=16000)):
        assert len(decoder.decode(encoder.encode(frame))) == 1764
    made = decoder.conceal(882, None) or b""
    assert len(made) == 1764
    assert purity(made, 400.0, 44100) > 0.7


def test_an_empty_payload_is_nothing() -> None:
    codec = stateless(Codec(96, "X", 8000), 8000, bytes, bytes, len)
    assert ResampledDecoder(codec.decoder(), 8000, 16000).decode(b"") == b""
