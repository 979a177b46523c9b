"""Opus over RTP (RFC 7587) with libopus: what a packet lasts, what fmtp asks for, what is made of losses."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from random import Random

import pytest

from sipstack.media.codecs import AdaptiveEncoder
from sipstack.media.opus import BANDWIDTHS, ExpectedLoss, OpusSettings, description, duration, opus
from sipstack.media.tones import sine
from sipstack.sdp import Codec
from tests.media.hearing import everything, lag, loudness, purity
from tests.media.saying import needs_libopus, voice

pytestmark = needs_libopus


def peer(fmtp: str) -> Codec:
    return Codec(96, "opus", 48000, 2, fmtp)


def encoded(frames: Iterable[bytes], fmtp: str = "", rate: int = 16000) -> list[bytes]:
    encoder = opus(rate).encoder(peer(fmtp))
    return [encoder.encode(frame) for frame in frames]


# What a packet lasts (RFC 6716 §3)


@pytest.mark.parametrize(
    ("first", "milliseconds"),
    [
        *((config << 3, (10, 20, 40, 60)[config % 4]) for config in range(12)),
        *((config << 3, (10, 20)[config % 2]) for config in range(12, 16)),
        *((config << 3, (2.5, 5, 10, 20)[config % 4]) for config in range(16, 32)),
    ],
)
def test_table_2_of_rfc_6716(first: int, milliseconds: float) -> None:
    units = int(milliseconds * 48)
    for stereo in (0, 4):
        toc = first | stereo
        assert duration(bytes([toc, 1])) == units
        assert duration(bytes([toc | 1, 1])) == duration(bytes([toc | 2, 1])) == min(2 * units, 5760)
        assert duration(bytes([toc | 3, 2, 0])) == 2 * units


@pytest.mark.parametrize("payload", [b"", b"\x03", b"\x03\x00", bytes([0x1B, 3]), bytes([0xFB, 7])])
def test_what_cannot_be_a_packet_lasts_nothing(payload: bytes) -> None:
    assert duration(payload) == 0  # none, no count, no frames, more than 120 ms


@pytest.mark.parametrize("milliseconds", [5, 10, 20, 40, 60, 80, 100, 120])
def test_all_lengths_that_we_send(milliseconds: int) -> None:
    codec = opus()
    pcm = b"".join(everything(sine(300.0, milliseconds / 1000, sample_rate=48000)))
    payload = codec.encoder(peer("")).encode(pcm)
    assert duration(payload) == 48 * milliseconds
    assert len(codec.decoder().decode(payload)) == len(pcm)


# What the peer asks for (RFC 7587 §6.1)


@pytest.mark.parametrize(
    ("fmtp", "rate", "settings"),
    [
        ("", 48000, OpusSettings(40_000)),
        ("", 16000, OpusSettings(24_000, 16000)),
        ("useinbandfec=1; usedtx=1;cbr=1", 48000, OpusSettings(40_000, 48000, fec=True, dtx=True, cbr=True)),
        ("USEINBANDFEC=1;stereo=1;sprop-stereo=1", 48000, OpusSettings(40_000, fec=True)),
        ("useinbandfec=0;usedtx=0;cbr=0;minptime=10", 48000, OpusSettings(40_000)),
        ("maxaveragebitrate=20000", 48000, OpusSettings(20_000)),
        ("maxaveragebitrate=510000", 48000, OpusSettings(40_000)),
        ("maxplaybackrate=8000", 48000, OpusSettings(16_000, 8000)),
        ("maxplaybackrate=16000", 8000, OpusSettings(16_000, 8000)),
        ("maxplaybackrate=44100", 48000, OpusSettings(32_000, 24000)),
        # What no one can have meant is ignored.
        ("maxaveragebitrate=5;maxplaybackrate=1", 48000, OpusSettings(40_000)),
        ("maxaveragebitrate=many;maxplaybackrate=-8000", 48000, OpusSettings(40_000)),
        (f"maxaveragebitrate={'9' * 5000};maxplaybackrate=²", 48000, OpusSettings(40_000)),
        ("0-15", 48000, OpusSettings(40_000)),
    ],
)
def test_what_the_peer_asks_for(fmtp: str, rate: int, settings: OpusSettings) -> None:
    assert OpusSettings.wanted(peer(fmtp), rate) == settings


def test_what_we_ask_for() -> None:
    assert description(48000, fec=True).lines() == (
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 useinbandfec=1",
    )
    told = description(16000, fec=True).parameters
    assert told == {"maxplaybackrate": "16000", "sprop-maxcapturerate": "16000", "useinbandfec": "1"}


@pytest.mark.parametrize("limit", [8_000, 10_000, 16_000, 24_000])
def test_the_bit_rate_keeps_to_what_is_asked_for(limit: int) -> None:
    payloads = encoded(voice(4.0), f"maxaveragebitrate={limit}")
    assert 0.6 * limit < 8 * sum(map(len, payloads)) / 4.0 < 1.05 * limit


def test_a_constant_bit_rate_makes_packets_of_one_size() -> None:
    frames = voice(1.0)
    assert len({len(payload) for payload in encoded(frames, "cbr=1")}) == 1
    assert len({len(payload) for payload in encoded(frames)}) > 10


def test_no_wider_band_is_sent_than_the_peer_can_play() -> None:
    """The bandwidth of a packet is in its first octet: 0 is narrow band (SILK, 20 ms)."""
    assert {payload[0] >> 3 for payload in encoded(voice(1.0), "maxplaybackrate=8000")} == {1}
    assert max(payload[0] >> 3 for payload in encoded(voice(1.0))) > 4


@pytest.mark.parametrize("rate", BANDWIDTHS)
def test_pcm_of_any_rate_that_opus_knows(rate: int) -> None:
    codec = opus(rate)
    assert codec.sample_rate == rate
    encoder, decoder = codec.encoder(codec.description), codec.decoder()
    frames = everything(sine(500.0, 0.6, sample_rate=rate))
    payloads = [encoder.encode(frame) for frame in frames]
    assert {duration(payload) for payload in payloads} == {960}
    pcm = b"".join(map(decoder.decode, payloads))
    assert purity(pcm[len(pcm) // 2 :], 500.0, rate) > 0.97


def test_a_rate_that_opus_does_not_know_is_converted() -> None:
    assert opus(44100).sample_rate == opus(11025).sample_rate == 48000


@pytest.mark.parametrize("library", ["libopus", "PyAV"])
def test_stereo_is_heard_as_mono(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides are in the mix, one as loud as the other."""
    import opuslib_next

    codec = opus()
    if library == "PyAV":
        av = pytest.importorskip("sipstack.media.avcodec", reason="PyAV is not installed")
        codec = av.opus(codec.description, duration, codec.packet_times)
    left, right = (everything(sine(frequency, 0.4, sample_rate=48000)) for frequency in (400.0, 1000.0))
    encoder = opuslib_next.Encoder(48000, 2, opuslib_next.APPLICATION_AUDIO)
    decoder, heard = codec.decoder(), b""
    for one, two in zip(left, right, strict=True):
        both = b"".join(one[at : at + 2] + two[at : at + 2] for at in range(0, len(one), 2))
        payload = encoder.encode(both, 960)
        assert payload[0] & 0x04  # the s bit
        heard += decoder.decode(payload)
    assert len(heard) == sum(map(len, left))
    steady = heard[len(heard) // 2 :]
    assert purity(steady, 400.0, 48000) == pytest.approx(0.5, abs=0.1)
    assert purity(steady, 1000.0, 48000) == pytest.approx(0.5, abs=0.1)


# What is lost


def test_what_was_lost_is_repeated_by_the_packet_behind_it() -> None:
    payloads = encoded(voice(2.0), "useinbandfec=1")
    complete, repeating, guessing = (opus(16000).decoder() for _ in range(3))
    said, repeated, guessed = b"", b"", b""
    for index, payload in enumerate(payloads[:-1]):
        whole = complete.decode(payload)
        if index % 4 == 3:
            said += whole
            repeated += repeating.conceal(320, payloads[index + 1]) or b""
            guessed += guessing.conceal(320, None) or b""
        else:
            repeating.decode(payload)
            guessing.decode(payload)
    assert len(said) == len(repeated) == len(guessed)
    assert lag(repeated, said, most=0)[1] > 0.95
    assert lag(guessed, said, most=0)[1] < 0.9


def test_the_guess_goes_on_where_the_sound_ended_and_fades_out() -> None:
    decoder = opus(16000).decoder()
    tone = everything(sine(300.0, 0.6, sample_rate=16000))
    before = b"".join(map(decoder.decode, encoded(tone)))
    made = [decoder.conceal(320, None) or b"" for _ in range(25)]
    assert loudness(made[0]) > 0.5 * loudness(before[-640:])
    assert purity(made[0], 300.0, 16000) > 0.75
    assert loudness(made[-1]) < 0.05 * loudness(made[0])


def test_more_loss_is_believed_at_once_and_less_by_and_by() -> None:
    expected = ExpectedLoss()
    seen = [expected.percent]
    for fraction in (0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0):
        expected.report(fraction)
        seen.append(expected.percent)
    assert seen[:2] == [10, 25]
    assert seen[1:] == sorted(seen[1:], reverse=True)
    assert seen[3] > 12
    assert seen[-1] <= 4
    expected.report(1.0)
    assert expected.percent == 30
    assert not expected.report(0.3)


def test_what_differs_little_changes_nothing() -> None:
    expected = ExpectedLoss()
    assert not any(expected.report(fraction) for fraction in (0.10, 0.11, 0.09, 0.11) * 5)


def repeated(payloads: list[bytes]) -> float:
    """How much of each lost packet the next one has: 1.0 for all of it."""
    complete, repeating = opus(16000).decoder(), opus(16000).decoder()
    said, made = b"", b""
    for index, payload in enumerate(payloads[:-1]):
        whole = complete.decode(payload)
        if index % 4 == 3:
            said += whole
            made += repeating.conceal(320, payloads[index + 1]) or b""
        else:
            repeating.decode(payload)
    return lag(made, said, most=0)[1]


@pytest.mark.parametrize(("reports", "repeats"), [([0.0] * 20, False), ([0.0] * 20 + [0.004], True)])
def test_the_peer_s_reports_tell_whether_it_is_worth_to_send_twice(
    reports: list[float], repeats: bool
) -> None:
    """Where nothing is lost all octets go into the voice; one packet of 250 is a reason."""
    encoder = opus(16000).encoder(peer("useinbandfec=1"))
    assert isinstance(encoder, AdaptiveEncoder)
    for fraction in reports:
        encoder.lost(fraction)
    payloads = [encoder.encode(frame) for frame in voice(2.0)]
    assert (repeated(payloads) > 0.95) is repeats


def test_without_fec_reports_change_nothing() -> None:
    encoder = opus(16000).encoder(peer(""))
    assert isinstance(encoder, AdaptiveEncoder)
    encoder.lost(0.3)
    assert [encoder.encode(frame) for frame in voice(0.5)] == encoded(voice(0.5))


@pytest.mark.parametrize("samples", [0, 1, 39, 40, 41, 160, 320, 333, 1920, 4000])
@pytest.mark.parametrize("following", [None, b"", b"\xff", bytes(40), b"\x08" * 50])
def test_any_length_can_be_made_up(samples: int, following: bytes | None) -> None:
    decoder = opus(16000).decoder()
    for payload in encoded(voice(0.2)):
        decoder.decode(payload)
    assert len(decoder.conceal(samples, following) or b"") == 2 * samples


def test_a_packet_that_cannot_be_read_counts_as_lost() -> None:
    decoder = opus(16000).decoder()
    for payload in encoded(everything(sine(300.0, 0.4, sample_rate=16000))):
        decoder.decode(payload)
    broken = bytes([0x4A, 0xFF])  # two frames of 20 ms, the first longer than the packet
    assert duration(broken) == 1920
    made = decoder.decode(broken)
    assert len(made) == 2 * 640
    assert loudness(made[:320]) > 1000


# What is not said


def test_silence_is_not_sent_when_the_peer_wants_that() -> None:
    """The first packet of a silence is sent, then one each 400 ms (RFC 7587 §3.1.3)."""
    random = Random(1)
    hum = [struct.pack("<320h", *[int(random.gauss(0, 3)) for _ in range(320)]) for _ in range(200)]
    payloads = encoded([*voice(1.0), *hum, *voice(1.0, seed=2)], "usedtx=1")
    quiet = payloads[80:250]
    assert all(payloads[:50])
    assert all(payloads[255:])
    assert 10 <= sum(1 for payload in quiet if payload) <= 30
    assert all(encoded(hum))  # the peer did not ask


def test_the_noise_of_a_silent_peer_goes_on() -> None:
    random = Random(1)
    hum = [struct.pack("<320h", *[int(random.gauss(0, 60)) for _ in range(320)]) for _ in range(150)]
    payloads = encoded([*voice(0.5), *hum], "usedtx=1")
    decoder = opus(16000).decoder()
    heard, silent = [], [decoder.is_silent]
    for payload in payloads:
        heard.append(decoder.decode(payload) if payload else decoder.conceal(320, None) or b"")
    silent.append(decoder.is_silent)
    assert 10 < loudness(b"".join(heard[-50:])) < 200
    decoder.decode(payloads[10])
    silent.append(decoder.is_silent)
    assert silent == [False, True, False]


# libopus


def test_pcm_of_a_wrong_length_is_our_mistake() -> None:
    with pytest.raises(Exception, match="libopus refuses 7 samples"):
        opus().encoder(peer("")).encode(bytes(14))


def test_a_payload_fits_into_a_datagram() -> None:
    from sipstack.media import libopus

    random = Random(1)
    noise = struct.pack("<5760h", *[random.randrange(-32768, 32768) for _ in range(5760)])
    encoder = libopus.Encoder(48000, OpusSettings(510_000))
    assert len(encoder.encode(noise)) <= 1400
