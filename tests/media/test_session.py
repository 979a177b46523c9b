"""AudioSessions that call one another: over real loopback sockets or a wire in memory, in virtual time."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from pathlib import Path

import attrs
import pytest

from sipstack import sdp
from sipstack.errors import CallEnded, LocalProtocolError, MediaError, NegotiationError, TransportError
from sipstack.media.audio import MediaStatistics
from sipstack.media.clock import MediaClock
from sipstack.media.io import PcmSource
from sipstack.media.port import MediaPort, audio_of
from sipstack.media.session import AudioSession
from sipstack.media.tones import melody, sine
from sipstack.sdp import Connection
from sipstack.testing.loop import run
from tests.media.calls import loopback, numbers, pcm_of, rtp_of, wired
from tests.media.hearing import Ear, everything, lag, purity
from tests.media.wire import Datagram, Wire


def test_it_is_a_media_port() -> None:
    port: MediaPort = AudioSession("127.0.0.1")
    assert audio_of(port).statistics == MediaStatistics()


# Descriptions


def test_offer_and_answer_as_text() -> None:
    async def main() -> None:
        call = wired(Wire())
        offer, answer = await call.describe()
        assert offer.splitlines() == [
            "v=0",
            f"o=- {numbers(1).session_id()} 1 IN IP4 192.0.2.1",
            "s=-",
            "c=IN IP4 192.0.2.1",
            "t=0 0",
            "m=audio 4002 RTP/AVP 0 8 101",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-16",
            "a=ptime:20",
            "a=sendrecv",
        ]
        assert answer.splitlines()[5:] == [
            "m=audio 4004 RTP/AVP 0 101",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-16",
            "a=ptime:20",
            "a=sendrecv",
        ]
        assert (call.alice.audio.codec, call.bob.audio.codec) == ("PCMU", "PCMU")
        assert repr(call.alice) == "<AudioSession 192.0.2.1 port=4002 codec=PCMU>"
        await call.alice.close()
        await call.bob.close()

    run(main())


def test_nothing_in_common_is_refused_and_the_session_can_go_on() -> None:
    async def main() -> None:
        wire = Wire()
        bob = AudioSession("192.0.2.2", codecs=("PCMA",), bind=wire.bind)
        alice = AudioSession("192.0.2.1", codecs=("PCMU",), bind=wire.bind)
        with pytest.raises(NegotiationError):
            await bob.answer(await alice.offer())
        carol = AudioSession("192.0.2.3", bind=wire.bind)
        await carol.answered(await bob.answer(await carol.offer()))
        assert carol.audio.codec == "PCMA"
        for session in (alice, bob, carol):
            await session.close()

    run(main())


@pytest.mark.parametrize("names", [("G729",), ("PCMU", "speex"), ("L16",)])
def test_a_codec_that_we_do_not_have(names: tuple[str, ...]) -> None:
    with pytest.raises(MediaError, match="no such codec"):
        AudioSession("127.0.0.1", codecs=names)


def test_an_answer_that_refuses_the_audio() -> None:
    async def main() -> None:
        call = wired(Wire())
        offer = await call.alice.offer()
        refusal = attrs.evolve(offer.media[0].line, port=0)
        with pytest.raises(NegotiationError, match="refused our audio"):
            await call.alice.answered(offer.with_medium(0, offer.media[0].with_line(refusal)))
        await call.alice.close()

    run(main())


def test_an_answer_to_nothing() -> None:
    async def main() -> None:
        wire = Wire()
        async with wired(wire) as call:
            answer = await call.bob.answer(await call.alice.offer())
            await call.alice.answer(await call.bob.offer())
            with pytest.raises(LocalProtocolError, match="no offer of ours"):
                await call.alice.answered(answer)

    run(main())


def test_a_host_name_in_a_description_is_resolved() -> None:
    async def main() -> None:
        async with loopback() as call:
            answer = await call.bob.answer(await call.alice.offer())
            await call.alice.answered(answer.with_connection(Connection("localhost", address_type="IP4")))
            await asyncio.sleep(0.51)
            assert call.bob.audio.statistics.packets_received == 25

    run(main())


@pytest.mark.parametrize("host", ["::1", "300.1.1.1", "a" * 70, "\udcff"])
def test_an_address_that_leads_nowhere_leaves_what_was_in_force(host: str) -> None:
    async def main() -> None:
        wire = Wire()
        async with wired(wire) as call:
            answer = await call.bob.answer(await call.alice.offer())
            with pytest.raises(NegotiationError, match="no way to send media"):
                await call.alice.answered(answer.with_connection(Connection(host)))
            wire.sent.clear()
            await asyncio.sleep(0.1)
            assert len(rtp_of(wire, "192.0.2.1")) == 5

    run(main())


def test_the_call_may_end_while_a_name_is_looked_up() -> None:
    async def main() -> None:
        async with loopback() as call:
            answer = await call.bob.answer(await call.alice.offer())
            named = answer.with_connection(Connection("localhost", address_type="IP4"))
            task = asyncio.create_task(call.alice.answered(named))
            await asyncio.sleep(0)
            await call.alice.close()
            with pytest.raises(LocalProtocolError, match="is closed"):
                await task

    run(main())


def test_a_host_that_is_not_ours() -> None:
    async def main() -> None:
        session = AudioSession("192.0.2.1")
        with pytest.raises(TransportError):
            await session.offer()
        await session.close()
        assert MediaClock.shared().participants == 0

    run(main())


def test_a_session_that_was_never_used_or_is_closed() -> None:
    async def main() -> None:
        session = AudioSession("127.0.0.1")
        await session.close()
        await session.close()
        with pytest.raises(LocalProtocolError):
            await session.offer()
        with pytest.raises(CallEnded):
            await session.audio.play(melody())

    run(main())


def test_payload_numbers_are_the_peer_s_for_sending_and_ours_for_receiving() -> None:
    """Alice numbers PCMU 97 in a late offer; Bob had it as 0 before. Numbers once used stay."""

    async def main() -> None:
        wire = Wire()
        bob = AudioSession("192.0.2.2", bind=wire.bind)
        offer = sdp.parse(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
            "m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMU/8000\r\n"
        )
        answer = await bob.answer(offer)
        assert answer.media[0].formats == ("97",)
        await asyncio.sleep(0.1)
        assert {packet.payload_type for packet in rtp_of(wire, "192.0.2.2")} == {97}
        assert (await bob.offer()).media[0].formats == ("97", "8", "101")
        await bob.close()

    run(main())


# Audio


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_tone_goes_in_and_the_same_tone_comes_out(host: str, tmp_path: Path) -> None:
    if ":" in host and not _has_ipv6():
        pytest.skip("no IPv6 here")

    async def main() -> None:
        path = tmp_path / "out.wav"
        async with loopback(host) as call:
            async with call.bob.audio.recording(path) as recording:
                await call.alice.audio.play(sine(1000.0, 1.0))
                await asyncio.sleep(0.1)
            heard = pcm_of(path)
            assert len(heard) == round(recording.duration * 16000)
            assert recording.duration == pytest.approx(1.12, abs=0.021)
            assert purity(heard[3200:-3200], 1000.0) > 0.999
            assert call.bob.audio.statistics.packets_lost == 0
            assert call.bob.audio.statistics.packets_invalid == 0

    run(main())


def test_a_tune_arrives_whole_and_60_ms_later(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "out.wav"
        tune = b"".join(everything(melody()))
        async with loopback() as call:
            async with call.bob.audio.recording(path):
                await call.alice.audio.play(PcmSource(tune))
                await asyncio.sleep(0.2)
            shift, likeness = lag(pcm_of(path), tune, most=1600, step=8)
            assert likeness > 0.99
            assert shift in (480, 640)

    run(main())


def test_both_may_talk_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        one, two = tmp_path / "one.wav", tmp_path / "two.wav"
        async with loopback() as call:
            async with call.alice.audio.recording(one), call.bob.audio.recording(two):
                await asyncio.gather(
                    call.alice.audio.play(sine(1000.0, 1.0)), call.bob.audio.play(sine(600.0, 1.0))
                )
            assert purity(pcm_of(one)[3200:], 600.0) > 0.99
            assert purity(pcm_of(two)[3200:], 1000.0) > 0.99

    run(main())


def test_an_echo_comes_back_soon(tmp_path: Path) -> None:
    """Two playout buffers of 60 ms, one frame in the echo, and the ticks between."""

    async def echo(session: AudioSession) -> None:
        async for frame in session.audio:
            await session.audio.send(frame)

    async def main() -> None:
        path = tmp_path / "out.wav"
        tune = b"".join(everything(melody()))
        async with loopback() as call:
            task = asyncio.create_task(echo(call.bob))
            async with call.alice.audio.recording(path):
                await call.alice.audio.play(PcmSource(tune))
                await asyncio.sleep(0.4)
            shift, likeness = lag(pcm_of(path), tune, most=3200, step=8)
            assert likeness > 0.99
            assert shift <= 1440
        await task

    run(main())


def test_nothing_drifts() -> None:
    async def main() -> None:
        async with wired(Wire()) as call:
            await asyncio.sleep(120.001)
            for session in (call.alice, call.bob):
                statistics = session.audio.statistics
                assert (statistics.packets_sent, statistics.packets_received) == (6000, 6000)
                assert statistics.jitter < 0.0001

    run(main())


@pytest.mark.parametrize("seed", range(5))
def test_a_bad_network_is_survived(seed: int, tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "out.wav"
        wire = Wire(seed=seed, delay=0.04, jitter=0.01, loss=0.05, duplicates=0.05)
        async with wired(wire) as call:
            async with call.bob.audio.recording(path) as recording:
                await call.alice.audio.play(sine(1000.0, 10.0))
            heard = pcm_of(path)
            frames = [heard[at : at + 320] for at in range(6400, len(heard), 320)]
            assert recording.duration == pytest.approx(10.02, abs=0.021)
            assert sum(purity(frame, 1000.0) > 0.9 for frame in frames) >= 0.93 * len(frames)
            assert 10 < call.bob.audio.statistics.packets_lost + call.bob.audio.statistics.packets_late < 80

    run(main())


def test_the_same_numbers_make_the_same_packets() -> None:
    def packets() -> list[Datagram]:
        wire = Wire(seed=3, jitter=0.02, loss=0.1)

        async def main() -> None:
            async with wired(wire) as call:
                await call.alice.audio.play(melody())

        run(main())
        return wire.sent

    assert packets() == packets()


def test_the_round_trip_is_known_after_some_reports() -> None:
    async def main() -> None:
        async with wired(Wire(delay=0.05)) as call:
            await asyncio.sleep(15.0)
            assert call.alice.audio.statistics.round_trip == pytest.approx(0.1, abs=0.001)
            assert call.bob.audio.statistics.round_trip == pytest.approx(0.1, abs=0.001)

    run(main())


def test_all_calls_of_a_loop_share_one_clock() -> None:
    async def main() -> None:
        wire = Wire()
        calls = [wired(wire) for _ in range(10)]
        for call in calls:
            await call.describe()
        clock = MediaClock.shared()
        assert clock.participants == 20
        await asyncio.sleep(1.01)
        assert {call.bob.audio.statistics.packets_received for call in calls} <= {50, 51}
        for call in calls:
            await call.alice.close()
            await call.bob.close()
        assert clock.participants == 0

    run(main())


def test_the_end_of_the_session_ends_what_is_played() -> None:
    async def main() -> None:
        async with wired(Wire()) as call:
            play = asyncio.create_task(call.alice.audio.play(melody(), loop=True))
            await asyncio.sleep(5.0)
            await call.alice.close()
            with pytest.raises(CallEnded):
                await play

    run(main())


def test_a_failed_recording_is_told_by_the_session_too(tmp_path: Path) -> None:
    class Full:
        def write(self, pcm: bytes) -> None:
            raise MediaError("disk full")

        def close(self) -> None:
            """Nothing to close."""

    async def main() -> None:
        async with wired(Wire()) as call:
            assert call.bob.error is None
            with pytest.raises(MediaError, match="disk full"):
                async with call.bob.audio.recording(Full()):
                    await asyncio.sleep(0.1)
            assert str(call.bob.error) == "disk full"
            before = call.bob.audio.statistics.packets_sent
            await asyncio.sleep(1.0)
            assert call.bob.audio.statistics.packets_sent == before + 50

    run(main())


def test_a_closed_session_is_freed_without_the_garbage_collector() -> None:
    """Thousands of calls an hour should not wait for it."""

    async def main() -> None:
        call = loopback()
        await call.describe()
        async with call.bob.audio.recording(Ear()), call.alice.audio.playing(melody(), loop=True):
            await asyncio.sleep(1.0)
        await call.alice.close()
        await call.bob.close()
        sessions = [weakref.ref(call.alice), weakref.ref(call.bob)]
        del call
        await asyncio.sleep(0)
        assert [session() for session in sessions] == [None, None]

    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()


# A few in real time


async def test_a_call_in_real_time(tmp_path: Path) -> None:
    """Loose limits: the machine may be busy."""
    alice, bob = AudioSession("127.0.0.1"), AudioSession("127.0.0.1")
    await alice.answered(await bob.answer(await alice.offer()))
    async with bob.audio.recording(tmp_path / "out.wav"):
        await alice.audio.play(sine(1000.0, 0.4))
    await alice.close()
    await bob.close()
    assert purity(pcm_of(tmp_path / "out.wav")[2240:], 1000.0) > 0.8
    assert bob.audio.statistics.packets_received >= 15


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True
