"""The sound card, at the seam of sounddevice: a device that the test works."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from sipstack.errors import MediaError
from sipstack.media.io import frame_octets
from sipstack.media.sound import LIMIT, PRIMED, FrameRing, SoundCard
from sipstack.media.tones import sine
from tests.media.hearing import everything, purity
from tests.media.sound_card import Card, PortAudioError, install


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    return install(monkeypatch, Card(8000, 48000))


def frame(value: int, sample_rate: int = 8000) -> bytes:
    return value.to_bytes(2, "little") * (frame_octets(sample_rate) // 2)


# -- the ring ------------------------------------------------------------------------------------------------


def test_a_ring_gives_nothing_until_enough_frames_wait() -> None:
    ring = FrameRing()
    for number in range(1, PRIMED):
        ring.put(frame(number))
        assert ring.take() is None
    ring.put(frame(PRIMED))
    assert [ring.take() for _ in range(PRIMED)] == [frame(number) for number in range(1, PRIMED + 1)]
    assert ring.gaps == 0


def test_a_ring_that_has_run_dry_waits_again_and_counts_one_gap() -> None:
    ring = FrameRing()
    for _ in range(PRIMED):
        ring.put(frame(1))
    for _ in range(PRIMED):
        ring.take()
    assert [ring.take(), ring.take()] == [None, None]
    assert ring.gaps == 1
    ring.put(frame(2))
    assert ring.take() is None, "one frame is not enough to go on with"


def test_a_ring_that_nobody_empties_keeps_the_newest_frames() -> None:
    ring = FrameRing()
    for number in range(LIMIT + 1):
        ring.put(frame(number))
    assert ring.dropped == LIMIT + 1 - PRIMED
    assert [ring.take(), ring.take()] == [frame(LIMIT - 1), frame(LIMIT)]


def test_a_clock_that_is_too_fast_costs_a_bounded_delay() -> None:
    """5 % faster, for a minute: what is taken is never older than the ring is long."""
    ring = FrameRing()
    newest, oldest = 0, 0
    for tick in range(3000):
        for _ in range(2 if tick % 20 == 0 else 1):
            newest += 1
            ring.put(newest.to_bytes(2, "little"))
        taken = ring.take()
        if taken is not None:
            oldest = max(oldest, newest - int.from_bytes(taken, "little"))
    assert oldest <= LIMIT
    assert ring.gaps == 0
    assert ring.dropped == pytest.approx(150, abs=LIMIT)


# -- what is missing is told ---------------------------------------------------------------------------------


async def test_without_sounddevice_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MediaError, match=r"pip install 'sipstack\[sound\]'"):
        async with SoundCard():
            pass


async def test_without_the_library_its_package_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MediaError, match="apt install libportaudio2"):
        async with SoundCard():
            pass


async def test_a_machine_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Card(8000, mute=True))
    with pytest.raises(MediaError, match="there is no sound device on this machine"):
        async with SoundCard():
            pass


async def test_a_device_that_nobody_has_is_named(card: Card) -> None:
    with pytest.raises(MediaError, match=r"the sound device \"nobody's\" cannot be opened: No input device"):
        async with SoundCard(device="nobody's"):
            pass


async def test_a_device_that_another_program_has(card: Card) -> None:
    """Its microphone is free, and is let go of."""
    card.refusal = PortAudioError("Device unavailable")
    with pytest.raises(MediaError, match="the sound device cannot be opened: Device unavailable"):
        async with SoundCard():
            pass
    assert [stream.running for stream in card.inputs] == [False]


async def test_a_device_of_strange_rates_only(monkeypatch: pytest.MonkeyPatch) -> None:
    card = install(monkeypatch, Card(11025))
    with pytest.raises(MediaError, match="the sound device has no mono input: Invalid sample rate"):
        async with SoundCard():
            pass
    assert card.inputs == []


async def test_a_device_that_is_unplugged_is_told_on_both_ways(card: Card) -> None:
    async with SoundCard() as sound:
        card.outputs[0].unplug()
        with pytest.raises(MediaError, match="was it unplugged"):
            sound.microphone.read()
        with pytest.raises(MediaError, match="was it unplugged"):
            sound.speaker.write(frame(1))


async def test_a_microphone_cannot_be_looped(card: Card) -> None:
    async with SoundCard() as sound:
        with pytest.raises(MediaError, match="cannot begin again"):
            sound.microphone.rewind()


# -- both directions -----------------------------------------------------------------------------------------


async def test_what_the_device_hears_and_says(card: Card) -> None:
    async with SoundCard(device=3) as sound:
        for stream in (card.inputs[0], card.outputs[0]):
            assert (stream.samplerate, stream.blocksize, stream.device) == (8000, 160, 3)
        for number in (1, 2):
            assert sound.microphone.read() is None
            sound.speaker.write(frame(number + 10))
            said = card.turn(frame(number))
        assert said == frame(11)
        assert [sound.microphone.read(), sound.microphone.read()] == [frame(1), frame(2)]
        assert [card.turn(), card.turn()] == [frame(12), frame(0)], "silence when nothing is there"
        assert (sound.microphone.ring.dropped, sound.speaker.ring.gaps, sound.glitches) == (0, 1, 0)
        card.turn(late=True)
        assert sound.glitches == 2
        assert card.running
    assert not card.running


async def test_a_device_is_asked_for_the_rate_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    card = install(monkeypatch, Card(48000, 16000))
    async with SoundCard(16000) as sound:
        assert (card.inputs[0].samplerate, card.outputs[0].samplerate) == (16000, 16000)
        assert sound.microphone.sample_rate == 16000


async def test_a_device_of_another_rate_is_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    card = install(monkeypatch, Card(48000))
    said = b""
    async with SoundCard(8000) as sound:
        assert (card.outputs[0].samplerate, card.outputs[0].blocksize) == (48000, 960)
        assert sound.microphone.sample_rate == 48000, "the call resamples what it plays"
        for pcm in everything(sine(1000.0, 0.5)):
            sound.speaker.write(pcm)
            said += card.turn()
    assert len(said) == 48000
    assert purity(said[9600:], 1000.0, 48000) > 0.99


async def test_the_device_is_closed_when_the_call_fails(card: Card) -> None:
    with pytest.raises(RuntimeError):
        async with SoundCard():
            raise RuntimeError
    assert not card.running


async def test_the_device_is_closed_when_opening_it_is_given_up(card: Card) -> None:
    async def enter() -> None:
        async with SoundCard():
            raise AssertionError("entered after all")

    entering = asyncio.create_task(enter())
    await asyncio.sleep(0)
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert not card.running
