"""The example of a voice bot, in a call in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from sipstack import Call, Frame
from sipstack.agents.echo_bot import PAUSE, echo_bot, is_speech
from sipstack.media.tones import sine
from sipstack.testing.link import Link
from sipstack.testing.world import World
from tests.media.hearing import Ear, everything, loudness, purity

pytestmark = pytest.mark.virtual_time

FRAME = 0.02


@contextlib.asynccontextmanager
async def caller(link: Link) -> AsyncIterator[tuple[Call, Ear]]:
    """A call to the bot, and what is heard of it."""
    world = World(link, audio=True)
    ear = Ear()
    async with world.user_agent("alice") as alice, world.user_agent("bot") as bot, bot.serving(echo_bot):
        async with alice.call("sip:bot@bot.test") as call, call.recording(ear):
            yield call, ear
    assert world.leftovers == []


def spoken(ear: Ear, frequency: float) -> list[int]:
    """The numbers of the frames in which this tone is heard."""
    return [
        number
        for number, pcm in enumerate(ear.frames)
        if loudness(pcm) > 500 and purity(pcm, frequency) > 0.8
    ]


def test_speech_is_what_is_loud() -> None:
    loud, quiet = (everything(sine(300.0, 0.02, level=level))[0] for level in (-30.0, -45.0))
    assert is_speech(Frame(loud))
    assert not is_speech(Frame(quiet))
    assert not is_speech(Frame(bytes(320)))


async def test_what_is_said_comes_back_after_a_pause() -> None:
    async with caller(Link(delay=0.02)) as (call, ear):
        await call.play(sine(1000.0, 1.0))
        ended = len(ear.frames)
        await asyncio.sleep(3)
        heard = spoken(ear, 1000.0)
        assert len(heard) * FRAME == pytest.approx(1.0, abs=0.06)
        assert (heard[0] - ended) * FRAME == pytest.approx(PAUSE, abs=0.3)


async def test_a_breath_does_not_end_a_sentence() -> None:
    async with caller(Link(delay=0.02)) as (call, ear):
        await call.play(sine(1000.0, 0.6))
        await asyncio.sleep(PAUSE / 2)
        await call.play(sine(700.0, 0.6))
        await asyncio.sleep(3)
        one, two = spoken(ear, 1000.0), spoken(ear, 700.0)
        assert one
        assert two
        assert (two[0] - one[-1]) * FRAME == pytest.approx(PAUSE / 2, abs=0.1), "the breath came back as well"


async def test_the_bot_is_silent_as_soon_as_the_caller_speaks() -> None:
    async with caller(Link(delay=0.02)) as (call, ear):
        await call.play(sine(1000.0, 3.0))
        await asyncio.sleep(PAUSE + 0.5)
        assert spoken(ear, 1000.0)
        interrupted = len(ear.frames)
        await call.play(sine(700.0, 0.5))
        await asyncio.sleep(3)
        assert (spoken(ear, 1000.0)[-1] - interrupted) * FRAME < 0.3, "two seconds of the answer are not said"
        assert len(spoken(ear, 700.0)) * FRAME == pytest.approx(0.5, abs=0.06), "what interrupted is answered"


async def test_a_bad_network_does_not_confuse_it() -> None:
    async with caller(Link(delay=0.03, jitter=0.02, loss=0.05, duplicate=0.02)) as (call, ear):
        for _ in range(3):
            await call.play(sine(1000.0, 1.0))
            await asyncio.sleep(3)
        assert len(spoken(ear, 1000.0)) * FRAME == pytest.approx(3.0, abs=0.6)


async def test_the_caller_hangs_up_in_mid_sentence() -> None:
    async with caller(Link(delay=0.02)) as (call, _):
        async with call.playing(sine(1000.0, 5.0)):
            await asyncio.sleep(1)
            await call.hang_up()
