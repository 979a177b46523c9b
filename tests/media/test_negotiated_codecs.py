"""Which codec a call has, under which numbers, how long its packets are, and how it changes (RFC 3264)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

import attrs
import pytest

import sipstack.media
from sipstack.errors import MediaError
from sipstack.media.codecs import PCMU, AudioCodec, codec_named
from sipstack.media.io import PcmSource
from sipstack.media.session import AudioSession
from sipstack.media.tones import sine
from sipstack.rtp.packet import RtpPacket
from sipstack.rtp.playout import PlayoutBuffer
from sipstack.testing.loop import run
from tests.media.calls import numbers, rtp_of, talking
from tests.media.hearing import Ear, lag, loudness, purity
from tests.media.peers import ScriptedPeer
from tests.media.saying import hum, needs_libopus, voice
from tests.media.wire import Wire

OPUS = "rtpmap:96 opus/48000/2"
EVERY = ("opus", "G722", "L16/16000", "PCMU")


def ours(
    wire: Wire, *codecs: str | AudioCodec, prefer_own: bool = False, rate: int | None = None
) -> AudioSession:
    return AudioSession(
        "192.0.2.1",
        random=numbers(1),
        bind=wire.bind,
        codecs=codecs or EVERY,
        prefer_own=prefer_own,
        sample_rate=rate,
    )


# Which one


def test_an_offer_has_the_order_of_our_preference() -> None:
    async def main() -> list[str]:
        session = ours(Wire(), "g722", "OPUS", "pcmu", "l16/16000")
        offer = await session.offer()
        await session.close()
        return [codec.name for codec in offer.media[0].codecs if not codec.auxiliary]

    assert run(main()) == ["G722", "opus", "PCMU", "L16"]


@pytest.mark.parametrize(("prefer_own", "chosen"), [(False, "PCMU"), (True, "opus")])
def test_an_answer_takes_what_the_offerer_prefers_or_what_we_prefer(prefer_own: bool, chosen: str) -> None:
    async def main() -> str | None:
        wire = Wire()
        session = ours(wire, prefer_own=prefer_own)
        await session.answer(ScriptedPeer(wire).describes("18 0 9 96", OPUS))
        await session.close()
        return session.audio.codec

    assert run(main()) == chosen


@pytest.mark.parametrize("name", [*EVERY, "L16/44100", "L16/48000/2", "L16/8000", "PCMA"])
def test_each_codec_is_heard_from_end_to_end(name: str) -> None:
    wire, ear = Wire(), Ear()

    async def main() -> int:
        async with talking(wire, (name,), (name, "PCMA")) as call:
            rate = call.bob.audio.sample_rate
            async with call.bob.audio.recording(ear):
                await call.alice.audio.play(sine(700.0, 1.0, sample_rate=call.alice.audio.sample_rate))
            return rate

    rate = run(main())
    heard = b"".join(ear.frames[15:45])
    assert rate == codec_named(name).sample_rate
    assert purity(heard, 700.0, rate) > (0.98 if name == "opus" else 0.999)
    assert loudness(heard) == pytest.approx(32767 / 2 / 2**0.5, rel=0.1)


# Under which number


def test_we_send_the_peers_number_and_receive_ours() -> None:
    """RFC 3264 §6.1: the numbers of the two directions may differ."""

    async def main() -> tuple[set[int], bytes]:
        wire, ear = Wire(), Ear()
        peer, session = ScriptedPeer(wire), ours(wire, "opus", "PCMU")
        offer = await session.offer()
        await session.answered(peer.describes("96", OPUS))
        async with session.audio.recording(ear):
            await peer.says(offer, 111, codec_named("opus"), sine(700.0, 0.6, sample_rate=48000))
        await session.close()
        return {packet.payload_type for packet in peer.heard}, b"".join(ear.frames[15:25])

    types, heard = run(main())
    assert types == {96}
    assert purity(heard, 700.0, 48000) > 0.98


def test_a_number_that_the_peer_gives_to_another_codec_means_that_one() -> None:
    async def main() -> list[tuple[str | None, set[int], float]]:
        wire = Wire()
        peer, session = ScriptedPeer(wire), ours(wire)
        seen = []
        for line, name, frequency in (
            (OPUS, "opus", 500.0),
            ("rtpmap:96 L16/16000", "L16/16000", 800.0),
            (OPUS, "opus", 300.0),
        ):
            codec, ear = codec_named(name), Ear()
            answer = await session.answer(peer.describes("96", line))
            before = len(peer.heard)
            async with session.audio.recording(ear):
                await peer.says(answer, 96, codec, sine(frequency, 0.6, sample_rate=codec.sample_rate))
            types = {packet.payload_type for packet in peer.heard[before:]}
            heard = purity(b"".join(ear.frames[15:25]), frequency, 48000)
            seen.append((session.audio.codec, types, heard))
        await session.close()
        return seen

    seen = run(main())
    assert [codec for codec, _, _ in seen] == ["opus", "L16", "opus"]
    assert all(types == {96} for _, types, _ in seen)
    assert min(heard for _, _, heard in seen) > 0.98


# How long the packets are


@pytest.mark.parametrize(
    ("name", "attributes", "milliseconds"),
    [
        ("opus", ("ptime:10",), 10),
        ("opus", ("ptime:60",), 60),
        ("opus", ("ptime:30",), 20),  # no length of Opus
        ("opus", ("ptime:120", "maxptime:40"), 40),
        ("opus", ("maxptime:10",), 10),
        ("G722", ("ptime:30",), 30),
        ("G722", ("ptime:10",), 10),
        ("G722", ("maxptime:10",), 10),
        ("L16/16000", ("ptime:40",), 40),
        ("L16/48000", ("ptime:20",), 10),  # 1920 octets would not fit into a datagram
        ("L16/44100", ("ptime:20",), 10),
        ("L16/48000/2", ("ptime:20",), 5),
        ("PCMU", ("ptime:30", "maxptime:60"), 30),
        ("PCMU", ("ptime:1",), 5),  # nobody needs shorter ones
        ("PCMU", ("ptime:500",), 120),
        *((name, ("ptime:5",), 5) for name in ("opus", "G722", "L16/8000", "L16/16000", "PCMU", "PCMA")),
        *((name, ("ptime:20", "maxptime:5"), 5) for name in ("opus", "G722", "L16/48000", "PCMA")),
        *((name, ("maxptime:10",), 10) for name in ("L16/16000", "L16/44100", "PCMU", "PCMA")),
        *((name, ("ptime:20",), 20) for name in ("opus", "G722", "L16/8000", "L16/16000", "PCMA")),
        *((name, ("ptime:40",), 40) for name in ("opus", "G722", "L16/8000", "PCMU", "PCMA")),
        *((name, ("ptime:60",), 60) for name in ("G722", "L16/8000", "PCMU", "PCMA")),
        *((name, ("ptime:60",), 40) for name in ("L16/16000",)),  # what fits
    ],
)
def test_packets_last_what_the_peer_asks_for(
    name: str, attributes: tuple[str, ...], milliseconds: int
) -> None:
    codec = codec_named(name)
    described = codec.description.numbered(96)

    async def main() -> list[tuple[int, int]]:
        wire = Wire()
        peer, session = ScriptedPeer(wire), ours(wire, name)
        lines = [line.removeprefix("a=") for line in described.lines()]
        await session.offer()
        await session.answered(peer.describes("96", *lines, *attributes))
        await session.audio.play(sine(500.0, 1.2, sample_rate=codec.sample_rate))
        await session.close()
        return [(packet.timestamp, codec.duration(packet.payload)) for packet in peer.heard]

    packets = run(main())
    units = milliseconds * codec.clock_rate // 1000
    assert {length for _, length in packets} == {units}
    steps = [(later[0] - sooner[0]) & 0xFFFFFFFF for sooner, later in zip(packets, packets[1:], strict=False)]
    assert set(steps) == {units}
    assert len(packets) == pytest.approx(1200 / milliseconds, abs=max(2, 20 / milliseconds))


@pytest.mark.parametrize("rate", [8000, 48000])
@pytest.mark.parametrize("name", ["L16/44100", "L16/48000", "L16/44100/2"])
def test_l16_in_a_call_of_another_rate(name: str, rate: int) -> None:
    """Packets of 10 or 5 ms, and 44.1 kHz has no whole samples in these: the clock is right all the same."""
    codec = codec_named(name)

    async def main() -> tuple[list[RtpPacket], bytes]:
        wire, ear = Wire(), Ear()
        async with talking(wire, (name,), (name,), sample_rate=rate) as call:
            async with call.bob.audio.recording(ear):
                await call.alice.audio.play(sine(500.0, 1.0, sample_rate=rate))
                await asyncio.sleep(0.2)
        return rtp_of(wire, "192.0.2.1"), b"".join(ear.frames)

    packets, pcm = run(main())
    first, last = packets[0], packets[-1]
    octets = sum(len(packet.payload) for packet in packets[:-1])
    elapsed = (last.timestamp - first.timestamp) & 0xFFFFFFFF
    assert codec.duration(bytes(octets)) == pytest.approx(elapsed, abs=2)
    assert purity(pcm[rate:][: rate // 5 * 2], 500.0, rate) > 0.99


# What is asked for by fmtp


@needs_libopus
@pytest.mark.parametrize("fmtp", ["stereo=1;sprop-stereo=1", "sprop-stereo=1", ""])
def test_of_opus_we_play_and_send_one_channel_whatever_the_peer_has(fmtp: str) -> None:
    """RFC 7587 §6.1: the defaults of stereo and sprop-stereo are 0; a=rtpmap has 2 in any case."""

    async def main() -> str:
        session = ours(Wire(), "opus")
        lines = [f"fmtp:96 {fmtp}"] if fmtp else []
        answer = await session.answer(ScriptedPeer(Wire()).describes("96", OPUS, *lines))
        await session.close()
        return bytes(answer).decode()

    answer = run(main())
    assert "a=rtpmap:96 opus/48000/2" in answer
    assert "stereo" not in answer


@needs_libopus
def test_silence_is_left_out_for_a_peer_that_wants_that() -> None:
    """RFC 7587 §4.1: the timestamps run on, the numbers do not, and what comes after it is marked."""

    async def main() -> ScriptedPeer:
        wire = Wire()
        peer, session = ScriptedPeer(wire), ours(wire, "opus", rate=16000)
        await session.offer()
        await session.answered(peer.describes("96", OPUS, "fmtp:96 usedtx=1;maxplaybackrate=16000"))
        await session.audio.play(sine(300.0, 0.5, sample_rate=16000))
        await asyncio.sleep(2.0)
        await session.audio.play(sine(300.0, 0.5, sample_rate=16000))
        await session.close()
        return peer

    packets = run(main()).heard
    assert 60 < len(packets) < 100  # of 150
    numbers_ = [(later.sequence_number - sooner.sequence_number) & 0xFFFF for sooner, later in pairs(packets)]
    assert set(numbers_) == {1}
    steps = [(later.timestamp - sooner.timestamp) & 0xFFFFFFFF for sooner, later in pairs(packets)]
    assert max(steps) >= 10 * 960
    for step, (_, later) in zip(steps, pairs(packets), strict=True):
        assert later.marker == (step > 960)
    assert (packets[-1].timestamp - packets[0].timestamp) & 0xFFFFFFFF == pytest.approx(3.0 * 48000, abs=1920)


@needs_libopus
def test_the_noise_of_a_silent_peer_is_heard_while_it_sends_nothing() -> None:
    """It sends a packet each 400 ms: what is longer than the playout buffer waits is no silence either."""

    async def main() -> tuple[list[bytes], int]:
        wire, ear = Wire(), Ear()
        peer, session = ScriptedPeer(wire), ours(wire, "opus", rate=16000)
        offer = await session.offer()
        await session.answered(peer.describes("96", OPUS))
        room = PcmSource(b"".join([*voice(0.5), *hum(4.0)]), 16000)
        async with session.audio.recording(ear):
            payloads = await peer.says(offer, 111, asked_for_dtx(codec_named("opus", 16000)), room)
        await session.close()
        return ear.frames, payloads.count(b"")

    frames, unsent = run(main())
    assert unsent > 80
    levels = [loudness(frame) for frame in frames[120:215]]
    assert min(levels) > 5
    assert max(levels) < 200


def asked_for_dtx(codec: AudioCodec) -> AudioCodec:
    return attrs.evolve(codec, description=attrs.evolve(codec.description, fmtp="usedtx=1"))


def pairs(packets: Sequence[RtpPacket]) -> list[tuple[RtpPacket, RtpPacket]]:
    return list(zip(packets, packets[1:], strict=False))


def test_a_further_description_with_other_wishes_is_followed() -> None:
    async def main() -> list[float]:
        wire = Wire()
        peer, session = ScriptedPeer(wire), ours(wire, "opus")
        rates = []
        for limit in (32_000, 8_000):
            await session.answer(peer.describes("96", OPUS, f"fmtp:96 maxaveragebitrate={limit};cbr=1"))
            session.confirmed()
            before = len(peer.heard)
            await session.audio.play(sine(300.0, 1.0, sample_rate=48000))
            octets = sum(len(packet.payload) for packet in peer.heard[before:])
            rates.append(8.0 * octets)
        await session.close()
        return rates

    assert run(main()) == pytest.approx([32_000, 8_000], rel=0.05)


# How it changes


def test_the_peer_may_go_on_with_any_codec_that_was_agreed_on() -> None:
    """Its answer names several: what it sends is heard, whatever its clock is, and what we send stays."""
    frequencies = {"G722": 500.0, "opus": 900.0, "PCMU": 700.0, "L16/16000": 300.0}
    expected = {"opus": 111, "G722": 9, "L16/16000": 118, "PCMU": 0}

    async def main() -> tuple[dict[str, float], set[int]]:
        wire = Wire()
        peer, session = ScriptedPeer(wire), ours(wire)
        offer = await session.offer()
        answer = peer.describes("111 9 118 0", "rtpmap:111 opus/48000/2", "rtpmap:118 L16/16000")
        await session.answered(answer)
        heard = {}
        for name, frequency in frequencies.items():
            codec, ear = codec_named(name), Ear()
            async with session.audio.recording(ear):
                await peer.says(
                    offer, expected[name], codec, sine(frequency, 0.8, sample_rate=codec.sample_rate)
                )
            heard[name] = purity(b"".join(ear.frames[20:35]), frequency, 48000)
        await session.close()
        return heard, {packet.payload_type for packet in peer.heard}

    heard, types = run(main())
    assert min(heard.values()) > 0.98, heard
    assert types == {111}


def test_the_codec_changes_in_mid_call_by_a_further_offer() -> None:
    async def main() -> list[tuple[str | None, set[int], float]]:
        wire = Wire()
        peer, session = ScriptedPeer(wire), ours(wire)
        seen = []
        for formats, name, number in (("9", "G722", 9), ("96 9", "opus", 96), ("0", "PCMU", 0)):
            codec, ear = codec_named(name), Ear()
            answer = await session.answer(peer.describes(formats, OPUS))
            before = len(peer.heard)
            async with session.audio.recording(ear):
                await peer.says(answer, number, codec, sine(600.0, 0.6, sample_rate=codec.sample_rate))
            types = {packet.payload_type for packet in peer.heard[before:]}
            seen.append((session.audio.codec, types, purity(b"".join(ear.frames[15:25]), 600.0, 48000)))
        ssrcs = {packet.ssrc for packet in peer.heard}
        assert len(ssrcs) == 1
        await session.close()
        return seen

    seen = run(main())
    assert [(codec, types) for codec, types, _ in seen] == [("G722", {9}), ("opus", {96}), ("PCMU", {0})]
    assert min(heard for _, _, heard in seen) > 0.98


# At which rate


@pytest.mark.parametrize(
    ("codecs", "asked", "rate"),
    [
        (("PCMU",), None, 8000),
        (("PCMU", "G722"), None, 16000),
        (("PCMU", "opus"), None, 48000),
        (("PCMU", "opus"), 8000, 8000),
        (("G722",), 48000, 48000),
    ],
)
def test_the_audio_has_the_rate_of_the_best_codec_or_that_which_is_asked_for(
    codecs: tuple[str, ...], asked: int | None, rate: int
) -> None:
    assert ours(Wire(), *codecs, rate=asked).audio.sample_rate == rate


@needs_libopus
def test_opus_works_at_the_rate_of_the_call() -> None:
    async def main() -> str:
        session = ours(Wire(), "opus", rate=16000)
        offer = await session.offer()
        await session.close()
        return offer.media[0].codecs[0].fmtp

    assert "maxplaybackrate=16000" in run(main())


@pytest.mark.parametrize("rate", [44100, 8000, 24000])
def test_a_call_may_have_another_rate_than_its_codec(rate: int) -> None:
    wire, ear = Wire(), Ear()

    async def main() -> None:
        async with talking(wire, ("G722",), ("G722",), sample_rate=rate) as call:
            async with call.bob.audio.recording(ear):
                await call.alice.audio.play(sine(700.0, 1.0, sample_rate=rate))

    run(main())
    assert {len(frame) for frame in ear.frames} == {rate // 50 * 2}
    assert purity(b"".join(ear.frames[15:45]), 700.0, rate) > 0.999


@pytest.mark.parametrize("rate", [0, -8000, 11025, 4000, 10**9])
def test_a_rate_that_no_call_can_have(rate: int) -> None:
    with pytest.raises(MediaError, match="no sample rate for calls"):
        ours(Wire(), "PCMU", rate=rate)


def test_a_call_without_codecs_is_refused() -> None:
    with pytest.raises(MediaError, match="needs a codec"):
        AudioSession("192.0.2.1", codecs=())


@needs_libopus
def test_rates_that_differ_need_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.delitem(sys.modules, "sipstack.media.conversion", raising=False)
    monkeypatch.delattr(sipstack.media, "conversion", raising=False)
    with pytest.raises(MediaError, match=r"audio of 8000 and 24000 Hz .*sipstack\[media\]"):
        ours(Wire(), PCMU, rate=24000)
    assert ours(Wire(), "opus", PCMU, rate=8000).audio.sample_rate == 8000


# What is lost


@needs_libopus
def test_with_opus_one_packet_in_ten_may_be_lost_and_little_is_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is heard is compared with what is heard where nothing is lost."""

    async def main(loss: float) -> tuple[bytes, int]:
        ear, wire = Ear(), Wire(seed=3, loss=loss)
        async with talking(wire, ("opus",), ("opus",), sample_rate=16000) as call:
            async with call.bob.audio.recording(ear):
                await call.alice.audio.play(PcmSource(b"".join(voice(4.0)), 16000))
            return b"".join(ear.frames[20:190]), call.bob.audio.statistics.frames_concealed

    whole, none = run(main(0.0))
    lossy, concealed = run(main(0.1))
    monkeypatch.setattr(PlayoutBuffer, "following", lambda *_: [])
    guessed, _ = run(main(0.1))
    assert none == 0
    assert concealed > 8
    likeness = lag(lossy, whole, most=0)[1]
    assert likeness > 0.97
    assert likeness > lag(guessed, whole, most=0)[1] + 0.02


def test_packets_of_opus_that_nobody_can_read_do_not_end_the_audio() -> None:
    async def main() -> bytes:
        wire, ear = Wire(), Ear()
        peer, session = ScriptedPeer(wire), ours(wire, "opus")
        offer = await session.offer()
        await session.answered(peer.describes("96", OPUS))
        async with session.audio.recording(ear):
            for payload in (b"", b"\x00", b"\xff", b"\xff\xff", b"\x03\x00", bytes(1400), b"\x4a\xff"):
                peer.send(offer, 111, payload)
            await peer.says(offer, 111, codec_named("opus"), sine(700.0, 1.0, sample_rate=48000))
        await session.close()
        return b"".join(ear.frames[30:45])

    assert purity(run(main()), 700.0, 48000) > 0.98
