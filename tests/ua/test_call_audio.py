"""What a call plays and records by its own verbs: all options of ``Audio`` reach it; music on hold."""

from __future__ import annotations

import asyncio
import contextlib
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sipstack import Call, Invitation, MediaError
from sipstack.media.call_tones import ringback
from sipstack.media.recording import Sides
from sipstack.media.tones import sine
from sipstack.rtp.packet import RtpPacket
from sipstack.testing.world import World
from tests.media.hearing import Ear, everything, loudness, purity

pytestmark = pytest.mark.virtual_time

SILENCE = b"\xff" * 160
"""Of PCMU."""
TONE = b"".join(everything(sine(1000.0, 1.0)))


class Pair:
    """Alice and Bob in a call, and what Bob hears."""

    def __init__(self) -> None:
        self.world = World(audio=True)
        self.ear = Ear()
        self.alice: Call
        self.bob: Call

    @contextlib.asynccontextmanager
    async def talking(self) -> AsyncIterator[None]:
        answered = asyncio.Event()

        async def answer(invitation: Invitation) -> None:
            async with invitation.accept() as self.bob, self.bob.recording(self.ear):
                answered.set()
                await self.bob.ended()

        world = self.world
        async with world.user_agent("alice") as alice, world.user_agent("bob") as bob, bob.serving(answer):
            async with alice.call(bob.contact) as self.alice:
                await answered.wait()
                await asyncio.sleep(0.5)
                self.ear.frames.clear()
                yield
        assert world.leftovers == []

    def said_by_alice(self, since: float) -> list[bytes]:
        """The payloads of her packets from then on."""
        host = self.world.names["alice.test"][0]
        sent = [each.data for each in self.world.sent if each.source[0] == host and each.time >= since]
        return [RtpPacket.parse(data).payload for data in sent if len(data) == 172]


def heard(ear: Ear, start: float, end: float) -> bytes:
    return b"".join(ear.frames[round(start * 50) : round(end * 50)])


async def test_barge_in_is_silence_on_the_wire_within_20_ms() -> None:
    pair = Pair()
    async with pair.talking():
        async with pair.alice.playing(sine(1000.0, 9.0)) as playing:
            await asyncio.sleep(1.003)
            playing.stop()
            stopped = asyncio.get_running_loop().time()
            assert playing.heard == pytest.approx(1.0, abs=0.03)
            await playing.finished()
            await asyncio.sleep(1)
        said = pair.said_by_alice(stopped)
        assert len(said) >= 49
        assert set(said) == {SILENCE}  # the next packet is within 20 ms
        assert SILENCE not in pair.said_by_alice(stopped - 0.5)[:20]


async def test_one_after_the_other_softer_and_at_another_rate() -> None:
    pair = Pair()
    async with pair.talking():
        wide = b"".join(everything(sine(500.0, 1.0, sample_rate=16000)))
        async with asyncio.TaskGroup() as group:
            group.create_task(pair.alice.play(TONE))
            await asyncio.sleep(0.1)
            group.create_task(pair.alice.play(wide, queue=True, gain=-12.0, sample_rate=16000))
        await asyncio.sleep(0.2)
    first, second = heard(pair.ear, 0.2, 0.9), heard(pair.ear, 1.3, 1.9)
    assert purity(first, 1000.0) > 0.99
    assert purity(second, 500.0) > 0.99
    assert loudness(second) == pytest.approx(loudness(first) / 4, rel=0.1)


async def test_pieces_as_they_come_and_what_is_muted_runs_on() -> None:
    pair = Pair()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield TONE

    async with pair.talking():
        async with pair.alice.playing(pieces()) as playing:
            await asyncio.sleep(1)
            pair.alice.audio.muted = True
            await asyncio.sleep(1)
            pair.alice.audio.muted = False
            await playing.finished()
            assert playing.heard == pytest.approx(3.0)
    assert purity(heard(pair.ear, 0.3, 0.9), 1000.0) > 0.99
    assert loudness(heard(pair.ear, 1.2, 1.9)) == 0.0
    assert purity(heard(pair.ear, 2.3, 2.9), 1000.0) > 0.99


@pytest.mark.parametrize(
    ("sides", "tones"),
    [
        ("heard", [(400.0,)]),
        ("said", [(1000.0,)]),
        ("mixed", [(400.0, 1000.0)]),
        ("stereo", [(400.0,), (1000.0,)]),
    ],
)
async def test_either_side_or_both_are_recorded(
    sides: Sides, tones: list[tuple[float, ...]], tmp_path: Path
) -> None:
    pair, path = Pair(), tmp_path / "call.wav"
    async with pair.talking():
        async with pair.bob.playing(sine(400.0, 9.0)), pair.alice.playing(sine(1000.0, 9.0)):
            await asyncio.sleep(0.5)
            async with pair.alice.recording(path, sides=sides):
                await asyncio.sleep(1)
    with wave.open(str(path), "rb") as file:
        assert file.getnchannels() == len(tones)
        pcm = file.readframes(file.getnframes())
    for channel, frequencies in enumerate(tones):
        samples = [pcm[at : at + 2] for at in range(2 * channel, len(pcm), 2 * len(tones))]
        side = b"".join(samples[1600:6400])
        assert sum(purity(side, frequency) for frequency in frequencies) > 0.99
        assert min(purity(side, frequency) for frequency in frequencies) > 0.4


async def test_no_such_sides_and_no_such_file_are_told(tmp_path: Path) -> None:
    pair = Pair()
    async with pair.talking():
        with pytest.raises(MediaError, match="no such sides"):
            pair.alice.recording(tmp_path / "call.wav", sides="both")  # type: ignore[arg-type]
        with pytest.raises(MediaError):
            await pair.alice.play(tmp_path / "none.wav")


async def test_who_is_held_hears_the_music_and_is_not_heard() -> None:
    pair, ear = Pair(), Ear()
    async with pair.talking():
        await pair.alice.hold()
        assert pair.bob.remote_held
        pair.ear.frames.clear()
        async with pair.bob.playing(sine(400.0, 9.0)), pair.alice.recording(ear):
            async with pair.alice.playing(ringback("de"), loop=True):
                await asyncio.sleep(6)
        assert loudness(b"".join(ear.frames)) == 0.0
        assert purity(heard(pair.ear, 0.3, 0.9), 425.0) > 0.99
        assert loudness(heard(pair.ear, 1.5, 4.5)) == 0.0
        assert purity(heard(pair.ear, 5.3, 5.9), 425.0) > 0.99  # its cadence: 1 s on, 4 s off
        await pair.alice.resume()
        async with pair.bob.playing(sine(400.0, 9.0)):
            await asyncio.sleep(0.5)
            async with pair.alice.recording(ear):
                await asyncio.sleep(0.5)
        assert purity(b"".join(ear.frames[-20:]), 400.0) > 0.99
