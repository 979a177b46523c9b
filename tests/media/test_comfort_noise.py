"""Comfort noise in calls (RFC 3389): who names it, what goes out in a pause, and what is heard of one."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from sipstack.media.comfort_noise import CN, NoiseDecoder
from sipstack.media.io import PcmSource
from sipstack.media.relay import Relay
from sipstack.media.session import AudioSession
from sipstack.media.tones import sine
from sipstack.rtp.level import level
from tests.media.bench import PCMU, Bench
from tests.media.calls import Call, numbers, rtp_of
from tests.media.hearing import Ear, purity
from tests.media.peers import ScriptedPeer
from tests.media.wire import Wire

NOISE = 13
ALICE = "192.0.2.1"


def session(wire: Wire, host: str = ALICE, **arguments: Any) -> AudioSession:
    return AudioSession(host, random=numbers(int(host[-1])), bind=wire.bind, **arguments)


def call(wire: Wire, alice: bool = True, bob: bool = False, **arguments: Any) -> Call:
    """Two sessions; which of them sends comfort noise."""
    return Call(
        session(wire, comfort_noise=alice, **arguments),
        session(wire, "192.0.2.2", comfort_noise=bob, **arguments),
    )


def formats(description: str) -> list[str]:
    return description.partition("m=audio")[2].split("\r\n")[0].split()[2:]


def hum(seconds: float, decibels: float, rate: int = 8000) -> bytes:
    peak = 32767 * 10 ** (decibels / 20) * 3**0.5
    random = Random(5)
    return b"".join(
        int(random.uniform(-peak, peak)).to_bytes(2, "little", signed=True)
        for _ in range(int(seconds * rate))
    )


# --- who names it ---


@pytest.mark.virtual_time
async def test_it_is_offered_by_choice_and_accepted_in_any_case() -> None:
    async with call(Wire()) as one:
        offer, answer = await one.describe()
    assert (NOISE in map(int, formats(offer)), NOISE in map(int, formats(answer))) == (True, True)
    assert "a=rtpmap:13 CN/8000" in answer
    async with call(Wire(), alice=False, bob=True) as other:
        offer, answer = await other.describe()
    assert "13" not in formats(offer) + formats(answer)


@pytest.mark.virtual_time
async def test_a_static_number_needs_no_rtpmap() -> None:
    wire = Wire()
    peer, alice = ScriptedPeer(wire), session(wire)
    answer = await alice.answer(peer.describes("0 13"))
    assert formats(bytes(answer).decode()) == ["0", "13"]
    await alice.close()


@pytest.mark.virtual_time
async def test_there_is_none_beside_opus() -> None:
    pytest.importorskip("av", reason="Opus needs PyAV or libopus")
    wire = Wire()
    alice = session(wire, comfort_noise=True, codecs=("opus",))
    assert "CN" not in bytes(await alice.offer()).decode()
    await alice.close()


@pytest.mark.virtual_time
async def test_who_wants_no_formats_names_none() -> None:
    wire = Wire()
    alice = session(wire, beside=())
    answer = await alice.answer(ScriptedPeer(wire).describes("0 13 101", "rtpmap:101 telephone-event/8000"))
    assert formats(bytes(answer).decode()) == ["0"]
    await alice.close()


# --- what goes out ---


@pytest.mark.virtual_time
async def test_in_a_pause_one_packet_goes_out_and_then_none_while_the_clock_runs_on() -> None:
    wire = Wire()
    async with call(wire) as pair:
        await asyncio.sleep(1.0)
        await pair.alice.audio.play(PcmSource(b"".join([sine(400.0, 0.5).read() or b""] * 25)))
        await asyncio.sleep(1.0)
        await pair.alice.audio.play(PcmSource(b"".join([sine(400.0, 0.5).read() or b""] * 25)))
        await asyncio.sleep(0.5)
        counters = pair.alice.audio.statistics
    packets = rtp_of(wire, ALICE)
    first = packets[0]
    assert [p.sequence_number - first.sequence_number for p in packets] == list(range(len(packets)))
    kinds = "".join("n" if packet.payload_type == NOISE else "a" for packet in packets)
    assert kinds.strip("n") == "a" * 25 + "n" + "a" * 25
    assert [packet.payload for packet in packets if packet.payload_type == NOISE] == [b"\x7f"] * 3
    marked = [at for at, packet in enumerate(packets) if packet.marker]
    assert marked == [1, 27]  # each talkspurt, and no noise
    times = [at for at, source, _, data in wire.sent if source[0] == ALICE and data]
    for (one, sent), (other, sent_too) in zip(
        zip(packets, times, strict=True), zip(packets[1:], times[1:], strict=True), strict=False
    ):
        passed = (other.timestamp - one.timestamp) & 0xFFFFFFFF
        assert passed == round((sent_too - sent) * 8000)
    assert counters.packets_sent == len(packets)
    assert counters.octets_sent == 50 * 160 + 3


@pytest.mark.virtual_time
async def test_who_did_not_choose_so_sends_all_of_it() -> None:
    wire = Wire()
    async with call(wire):
        await asyncio.sleep(2.0)
    assert len(rtp_of(wire, "192.0.2.2")) > 95
    assert NOISE not in {packet.payload_type for packet in rtp_of(wire, "192.0.2.2")}


@pytest.mark.virtual_time
@pytest.mark.parametrize("answer", [("0",), ("9 13",)], ids=["not named", "with a codec of 16 kHz"])
async def test_a_peer_that_does_not_take_it_gets_silence(answer: tuple[str, ...]) -> None:
    pytest.importorskip("av", reason="G.722 needs PyAV")
    wire = Wire()
    peer, alice = ScriptedPeer(wire), session(wire, comfort_noise=True, codecs=("PCMU", "G722"))
    await alice.offer()
    await alice.answered(peer.describes(*answer))
    await asyncio.sleep(1.0)
    assert len(peer.heard) > 45
    assert NOISE not in {packet.payload_type for packet in peer.heard}
    await alice.close()


@pytest.mark.virtual_time
async def test_the_peer_s_number_is_used_and_a_further_description_takes_it_back() -> None:
    wire = Wire()
    peer, alice = ScriptedPeer(wire), session(wire, comfort_noise=True)
    await alice.answer(peer.describes("0 77", "rtpmap:77 CN/8000"))
    alice.confirmed()
    await asyncio.sleep(1.0)
    assert [packet.payload_type for packet in peer.heard] == [77]
    await alice.answer(peer.describes("0"))
    await asyncio.sleep(0.5)
    assert len(peer.heard) > 20
    await alice.close()


@pytest.mark.virtual_time
async def test_packets_of_another_length_than_a_frame() -> None:
    wire = Wire()
    peer, alice = ScriptedPeer(wire), session(wire, comfort_noise=True)
    await alice.answer(peer.describes("0 13", "ptime:30"))
    alice.confirmed()
    await asyncio.sleep(0.2)
    await alice.audio.play(PcmSource(b"".join([sine(400.0, 0.6).read() or b""] * 30)))
    await asyncio.sleep(0.5)
    voice = [packet for packet in peer.heard if packet.payload_type == 0]
    assert {len(packet.payload) for packet in voice} == {240}
    assert [packet.marker for packet in voice] == [True] + [False] * (len(voice) - 1)
    await alice.close()


# --- what is heard ---


@pytest.mark.virtual_time
@pytest.mark.parametrize("decibels", [-60, -45, -30])
async def test_the_pause_sounds_as_loud_as_the_room_of_who_speaks(decibels: int) -> None:
    """Within 3 dB, from one end of the call to the other."""
    wire = Wire()
    async with call(wire) as pair:
        room = hum(13.0, decibels)
        ear = Ear()
        async with pair.bob.audio.recording(ear), pair.alice.audio.playing(PcmSource(room)):
            await asyncio.sleep(12.0)
        lost = pair.bob.audio.statistics.frames_concealed
    end = wire.sent[-1][0]
    late = [data for at, source, _, data in wire.sent if source[0] == ALICE and at > end - 3.0]
    assert len(late) <= 1
    assert all(level(frame) == pytest.approx(decibels, abs=3.0) for frame in ear.frames[10:590])
    assert lost == 0


@pytest.mark.virtual_time
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
async def test_it_is_as_loud_at_any_sample_rate_of_the_call(rate: int) -> None:
    pytest.importorskip("av", reason="other rates need PyAV")
    wire = Wire()
    peer, alice, ear = ScriptedPeer(wire), session(wire, sample_rate=rate), Ear()
    ours = await alice.answer(peer.describes("0 13"))
    async with alice.audio.recording(ear):
        for _ in range(20):
            peer.send(ours, NOISE, b"\x28")
            await asyncio.sleep(0.1)
    # The filter takes some of what is near to 4 kHz.
    assert level(b"".join(ear.frames[20:90])) == pytest.approx(-40, abs=3.0)
    assert {len(frame) for frame in ear.frames} == {rate // 25}
    await alice.close()


async def test_noise_takes_the_place_of_the_voice_at_once_and_the_next_word_is_whole() -> None:
    bench = Bench()
    bench.stream.expect({0: PCMU}, {NOISE: lambda packet, now: bench.stream.hear_beside(packet, CN, now)})
    await bench.listen()
    bench.hear(20)
    bench.hear(1, b"\x28", payload_type=NOISE)
    bench.ticks(50)
    bench.skip(50)
    bench.hear(20)
    sounds = "".join("w" if purity(frame, 400.0) > 0.99 else "-" for frame in bench.ear.frames)
    pause = bench.ear.frames[23:74]
    assert sounds == "-" * 3 + "w" * 20 + "-" * 51 + "w" * 17
    assert all(level(frame) == pytest.approx(-40, abs=1.5) for frame in pause)
    assert bench.statistics.frames_concealed == bench.statistics.packets_lost == 0
    assert bench.statistics.packets_received == 41
    assert bench.statistics.octets_received == 40 * 160 + 1


async def test_a_lost_description_leaves_silence_and_the_next_one_fills_it() -> None:
    bench = Bench()
    bench.stream.expect({0: PCMU}, {NOISE: lambda packet, now: bench.stream.hear_beside(packet, CN, now)})
    await bench.listen()
    bench.hear(20)
    bench.ticks(50)
    bench.skip(50)
    bench.hear(1, b"\x28", payload_type=NOISE)
    bench.ticks(50)
    assert bench.ear.frames[60] == bytes(320)
    assert level(bench.ear.frames[-1]) == pytest.approx(-40, abs=1.5)


@pytest.mark.virtual_time
async def test_a_peer_that_never_named_it_is_heard_all_the_same() -> None:
    """The number has no other meaning."""
    wire = Wire()
    peer, alice, ear = ScriptedPeer(wire), session(wire), Ear()
    offer = await alice.offer()
    await alice.answered(peer.describes("0"))
    async with alice.audio.recording(ear):
        for _ in range(20):
            peer.send(offer, NOISE, b"\x28")
            await asyncio.sleep(0.1)
    assert level(ear.frames[-1]) == pytest.approx(-40, abs=1.5)
    assert alice.audio.statistics.packets_received == 20
    assert alice.audio.statistics.packets_invalid == 0
    await alice.close()


@pytest.mark.virtual_time
@pytest.mark.parametrize("taken", [True, False])
async def test_packets_that_are_passed_on_take_the_noise_along_to_who_takes_it(taken: bool) -> None:
    """Alice, a switch with two sessions, and Bob: the pause of Alice is long."""
    wire = Wire(delay=0.02)
    one = Call(session(wire, comfort_noise=True), session(wire, "192.0.2.2"))
    other = Call(session(wire, "192.0.2.3", comfort_noise=taken), session(wire, "192.0.2.4"))
    ear = Ear()
    async with one, other.bob.audio.recording(ear):
        await other.describe()
        with Relay(one.bob, other.alice, lambda: None):
            await asyncio.sleep(0.5)
            room, word = hum(12.0, -60), sine(400.0, 0.5).read() or b""
            await one.alice.audio.play(PcmSource(word * 25 + room + word * 25))
            await asyncio.sleep(0.2)
        await other.alice.close()
        await other.bob.close()
    sent = {packet.payload_type for packet in rtp_of(wire, "192.0.2.3")}
    assert (NOISE in sent) is taken
    pause = ear.frames[75:600]
    loud = sum(level(frame) > -63.0 for frame in pause)
    assert loud == (len(pause) if taken else 0)
    assert any(purity(frame, 400.0) > 0.9 for frame in ear.frames[-40:])


@pytest.mark.parametrize("payload", [b"", bytes(1), b"\xff", bytes(1400), b"\x40" * 7])
async def test_any_payload_is_borne(payload: bytes) -> None:
    decoder = NoiseDecoder()
    decoder.decode(b"\x28")
    assert len(decoder.decode(payload)) == 2 * CN.duration(payload)
    assert len(decoder.conceal(80, None)) == 160


async def test_noise_that_nobody_listens_to_costs_no_decoder() -> None:
    bench = Bench()
    bench.stream.expect({0: PCMU}, {NOISE: lambda packet, now: bench.stream.hear_beside(packet, CN, now)})
    bench.hear(1, b"\x28", payload_type=NOISE)
    assert bench.stream._hearing._decoders == {}
    assert bench.statistics.packets_received == 1
