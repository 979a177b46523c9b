"""The codecs by their names in SDP, and what all of them promise."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import MediaError
from sipstack.media.codecs import CODECS, PCMA, PCMU, AudioCodec, codec_named
from sipstack.media.tones import sine
from tests.media.hearing import everything, purity

L16 = [f"L16/{rate}{channels}" for rate in (8000, 16000, 44100, 48000) for channels in ("", "/2")]


def said(codec: AudioCodec, pcm: list[bytes]) -> list[bytes]:
    encoder = codec.encoder(codec.description)
    return [encoder.encode(piece) for piece in pcm]


def heard(codec: AudioCodec, payloads: list[bytes]) -> bytes:
    decoder = codec.decoder()
    return b"".join([decoder.decode(payload) for payload in payloads])


def test_what_there_is() -> None:
    assert sorted(CODECS) == sorted([*L16, "G722", "PCMA", "PCMU", "opus"])


@pytest.mark.parametrize("name", ["pcmu", "PCMU", "Pcmu"])
def test_names_are_the_same_in_capitals_or_not(name: str) -> None:
    assert codec_named(name) is PCMU


def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(MediaError, match=r"no such codec: G729 \(there are PCMU, PCMA, opus, G722, L16/8000"):
        codec_named("G729")


@pytest.mark.parametrize("name", ["L16", "L16/11025", "L16/96000", "L16/8000/3", "opus/48000"])
def test_a_rate_that_a_codec_has_not_is_refused_by_name(name: str) -> None:
    with pytest.raises(MediaError, match=rf"no such codec: {name} \(there are .*L16/44100/2\)|L16/48000/2\)"):
        codec_named(name)


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_keeps_its_promises(name: str) -> None:
    codec = codec_named(name)
    tone = everything(sine(400.0, 0.4, sample_rate=codec.sample_rate))
    payloads = said(codec, tone)
    assert codec.name == name.partition("/")[0]
    assert {codec.duration(payload) for payload in payloads} == {codec.frame_units}
    pcm = heard(codec, payloads)
    assert len(pcm) == sum(map(len, tone))
    steady = pcm[len(pcm) // 2 :]
    assert purity(steady, 400.0, codec.sample_rate) > (0.98 if name == "opus" else 0.999)


@pytest.mark.parametrize("name", CODECS)
def test_silence_is_silent(name: str) -> None:
    codec = codec_named(name)
    frame = bytes(codec.sample_rate // 50 * 2)
    pcm = heard(codec, said(codec, [frame] * 10))
    assert max(memoryview(pcm).cast("h")) <= 8  # A-law has no zero
    encoder = codec.encoder(codec.description)
    assert encoder.silence in (None, encoder.encode(frame))


@pytest.mark.parametrize("name", CODECS)
def test_payload_type_numbers_are_all_different(name: str) -> None:
    mine = codec_named(name).description
    others = [codec_named(other).description for other in CODECS if other != name]
    assert mine.payload_type not in {other.payload_type for other in others}
    assert mine.key not in {other.key for other in others}


@pytest.mark.parametrize("name", CODECS)
@given(payload=st.binary(max_size=1500))
def test_any_payload_can_be_decoded(name: str, payload: bytes) -> None:
    codec = codec_named(name)
    decoder = codec.decoder()
    units = codec.duration(payload)
    assert len(decoder.decode(payload)) == 2 * (units * codec.sample_rate // codec.clock_rate)
    assert 0 <= units <= 5760


def test_packets_are_as_long_as_the_peer_asks_for_or_shorter() -> None:
    assert [PCMA.packet_time(ptime) for ptime in (10, 25, 30, 120)] == [10, 25, 30, 120]
    opus = codec_named("opus")
    assert [opus.packet_time(ptime) for ptime in (5, 9)] == [5, 5]
    assert [opus.packet_time(ptime) for ptime in (10, 15, 20, 30, 50, 120)] == [10, 10, 20, 20, 40, 120]
    # What does not fit into a datagram is cut smaller.
    assert [codec_named("L16/48000").packet_time(ptime) for ptime in (10, 20, 60)] == [10, 10, 10]
    assert codec_named("L16/44100/2").packet_time(20) == 5
    assert codec_named("L16/16000").packet_time(60) == 40


@pytest.mark.parametrize(
    ("name", "without", "advice"),
    [
        ("opus", ("opuslib_next", "av"), r"pip install 'sipstack\[opus\]'.*'sipstack\[media\]'"),
        ("G722", ("av",), r"pip install 'sipstack\[media\]'"),
    ],
)
def test_a_missing_library_is_told_by_its_extra(
    name: str, without: tuple[str, ...], advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_libraries(monkeypatch)
    for library in without:
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MediaError, match=advice):
        codec_named(name)


def test_opus_without_libopus_is_coded_by_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_libraries(monkeypatch)
    monkeypatch.setitem(sys.modules, "opuslib_next", None)
    codec = codec_named("opus", 16000)
    assert codec.sample_rate == 48000
    assert codec.description.fmtp == ""  # what it cannot use is not asked for
    tone = everything(sine(400.0, 0.4, sample_rate=48000))
    pcm = heard(codec, said(codec, tone))
    assert purity(pcm[len(pcm) // 2 :], 400.0, 48000) > 0.98
    assert codec.decoder().conceal(960, None) is None


def forget_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process."""
    import sipstack.media

    for module in ("libopus", "avcodec", "conversion"):
        monkeypatch.delitem(sys.modules, f"sipstack.media.{module}", raising=False)
        monkeypatch.delattr(sipstack.media, module, raising=False)
