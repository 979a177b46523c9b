"""A call that changes: hold and resume, another peer, another codec, early media."""

from __future__ import annotations

import asyncio
from pathlib import Path

import attrs
import pytest

from sipstack.media.session import AudioSession
from sipstack.media.tones import sine
from sipstack.sdp import Connection, Direction
from sipstack.testing.loop import run
from tests.media.calls import loopback, pcm_of, rtp_of, wired
from tests.media.hearing import purity
from tests.media.wire import Wire

SENDRECV, SENDONLY, RECVONLY, INACTIVE = Direction


def test_hold_and_resume() -> None:
    async def main() -> None:
        wire = Wire()
        async with wired(wire) as call, call.bob.audio.playing(sine(1000.0, 1.0), loop=True):
            await asyncio.sleep(1.0)
            offer, answer = await call.describe(SENDONLY)
            assert offer.splitlines()[1].split()[2] == "2"
            assert offer.splitlines()[-1] == "a=sendonly"
            assert answer.splitlines()[-1] == "a=recvonly"
            held = len(rtp_of(wire, "192.0.2.2"))
            await asyncio.sleep(10.0)
            assert len(rtp_of(wire, "192.0.2.2")) == held
            assert len(rtp_of(wire, "192.0.2.1")) > 500  # who holds may go on, with music

            again, _ = await call.describe(SENDRECV)
            assert again.splitlines()[5] == offer.splitlines()[5]  # same port, same payload types
            await asyncio.sleep(1.0)
            packets = rtp_of(wire, "192.0.2.2")
        assert [packet.marker for packet in packets].count(True) == 2
        last, first = packets[held - 1], packets[held]
        assert first.marker
        assert first.sequence_number == (last.sequence_number + 1) & 0xFFFF
        assert (first.timestamp - last.timestamp) & 0xFFFFFFFF == pytest.approx(10 * 8000, abs=320)
        assert (first.timestamp - last.timestamp) % 160 == 0

    run(main())


@pytest.mark.parametrize("direction", [RECVONLY, INACTIVE])
def test_directions_in_which_we_do_not_send(direction: Direction) -> None:
    async def main() -> None:
        wire = Wire()
        async with wired(wire) as call:
            await call.describe(direction)
            wire.sent.clear()
            await asyncio.sleep(1.0)
            assert len(rtp_of(wire, "192.0.2.1")) == 0
            assert len(rtp_of(wire, "192.0.2.2")) == (50 if direction is RECVONLY else 0)

    run(main())


def test_the_hold_of_old_devices_is_an_address_of_zeros() -> None:
    async def main() -> None:
        wire = Wire()
        async with wired(wire) as call:
            offer = await call.alice.offer()
            await call.bob.answer(offer.with_connection(Connection("0.0.0.0")))
            wire.sent.clear()
            await asyncio.sleep(60.0)
            assert [entry for entry in wire.sent if entry[1][0] == "192.0.2.2"] == []
            await call.describe()
            wire.sent.clear()
            await asyncio.sleep(1.0)
            assert len(rtp_of(wire, "192.0.2.2")) == 50

    run(main())


def test_music_on_hold_is_heard(tmp_path: Path) -> None:
    async def main() -> None:
        async with wired(Wire()) as call:
            await call.describe(SENDONLY)
            async with call.alice.audio.playing(sine(1000.0, 1.0), loop=True):
                async with call.bob.audio.recording(tmp_path / "out.wav"):
                    await asyncio.sleep(1.0)
            assert purity(pcm_of(tmp_path / "out.wav")[3200:], 1000.0) > 0.99

    run(main())


def test_an_offer_that_changes_nothing_has_the_same_version() -> None:
    async def main() -> None:
        async with wired(Wire()) as call:
            assert await call.alice.offer() == await call.alice.offer()
            await call.describe()

    run(main())


def test_an_offer_after_one_that_was_refused_has_a_new_version() -> None:
    """RFC 3264 §8: the peer may remember what it refused."""

    async def main() -> None:
        async with wired(Wire()) as call:
            versions = [(await call.alice.offer(way)).origin.session_version for way in (SENDONLY, INACTIVE)]
            assert versions == [2, 3]
            await call.describe()

    run(main())


def test_media_follows_the_peer_to_another_address() -> None:
    """A transfer by re-INVITE: the far end is another host with other numbers."""

    async def main() -> None:
        wire = Wire()
        async with wired(wire) as call:
            await asyncio.sleep(1.0)
            carol = AudioSession("192.0.2.3", bind=wire.bind)
            await call.alice.answered(await carol.answer(await call.alice.offer()))
            await call.bob.close()
            wire.sent.clear()
            before = call.alice.audio.statistics.packets_received
            await asyncio.sleep(1.0)
            assert {
                destination[0] for _, source, destination, _ in wire.sent if source[0] == "192.0.2.1"
            } == {"192.0.2.3"}
            assert call.alice.audio.statistics.packets_received - before in (48, 49, 50)
            await carol.close()

    run(main())


def test_another_codec_by_a_further_offer() -> None:
    async def main() -> None:
        wire = Wire()
        async with wired(wire) as call:
            await asyncio.sleep(0.1)
            alone = AudioSession("192.0.2.2", codecs=("PCMA",), bind=wire.bind)
            await call.alice.answered(await alone.answer(await call.alice.offer()))
            await asyncio.sleep(0.1)
            assert call.alice.audio.codec == "PCMA"
            types = [packet.payload_type for packet in rtp_of(wire, "192.0.2.1")]
            assert sorted(types) == types
            assert set(types) == {0, 8}
            await alone.close()

    run(main())


def test_a_stream_that_is_taken_out_falls_silent() -> None:
    async def main() -> None:
        wire = Wire()
        async with wired(wire) as call:
            offer = await call.alice.offer()
            gone = offer.with_medium(0, offer.media[0].with_line(attrs.evolve(offer.media[0].line, port=0)))
            assert (await call.bob.answer(gone)).media[0].port == 0
            wire.sent.clear()
            await asyncio.sleep(30.0)
            assert [entry for entry in wire.sent if entry[1][0] == "192.0.2.2"] == []

    run(main())


# Early media


def test_the_answer_of_the_200_repeats_that_of_the_183() -> None:
    async def main() -> None:
        wire = Wire()
        async with wired(wire) as call:
            offer = await call.alice.offer()
            answer = await call.bob.answer(offer)
            for _ in range(3):
                await call.alice.answered(answer)
                await asyncio.sleep(0.1)
            assert [packet.marker for packet in rtp_of(wire, "192.0.2.1")].count(True) == 1

    run(main())


def test_the_fork_that_answers_last_gets_the_media() -> None:
    async def main() -> None:
        wire = Wire()
        async with wired(wire) as call:
            offer = await call.alice.offer()
            fork = AudioSession("192.0.2.3", bind=wire.bind)
            await call.alice.answered(await call.bob.answer(offer))
            await asyncio.sleep(1.0)
            await call.alice.answered(await fork.answer(offer))
            wire.sent.clear()
            await asyncio.sleep(1.0)
            assert {entry[2][0] for entry in wire.sent if entry[1][0] == "192.0.2.1"} == {"192.0.2.3"}
            await fork.close()

    run(main())


def test_media_may_come_before_the_answer(tmp_path: Path) -> None:
    """RFC 3264 §5.1: who offers is ready to receive, from whoever it will be."""

    async def main() -> None:
        call = loopback()
        offer = await call.alice.offer()
        answer = await call.bob.answer(offer)
        call.bob.confirmed()
        async with call.bob.audio.playing(sine(1000.0, 1.0), loop=True):
            async with call.alice.audio.recording(tmp_path / "out.wav"):
                await asyncio.sleep(0.5)
            assert call.alice.audio.statistics.packets_sent == 0
            await call.alice.answered(answer)
            await asyncio.sleep(0.1)
            assert call.alice.audio.statistics.packets_sent == 5
        # 60 ms until a host that nobody named is believed, 60 ms of playout delay
        assert purity(pcm_of(tmp_path / "out.wav")[2240:], 1000.0) > 0.99
        await call.alice.close()
        await call.bob.close()

    run(main())
