"""Opus, G.722 and L16 with Asterisk: what comes back of what we say, and another codec in mid-call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import eventually, hear, hear_tone
from interop.asterisk.server import Asterisk
from interop.asterisk.sound import Samples, samples_of, signal_to_noise, speech_like_noise, tone
from sipstack import AudioSession, Call, Frame
from sipstack.media.io import PcmSource

RATE = 16000
NARROW = 8000


def speech() -> Samples:
    """Three seconds in the band of speech, at 16 kHz."""
    narrow = speech_like_noise(3.0)
    return np.interp(np.arange(3 * RATE) / 2, np.arange(len(narrow)), narrow)


async def echoed(call: Call, said: Samples) -> Samples:
    """What is heard while ``said`` is played, and for half a second after it."""
    heard: list[Frame] = []

    async def listen() -> None:
        async for frame in call.audio:
            heard.append(frame)

    listening = asyncio.ensure_future(listen())
    await call.audio.play(PcmSource((said * 32767).astype("<i2").tobytes(), RATE))
    await asyncio.sleep(0.5)
    listening.cancel()
    await asyncio.wait([listening])
    return samples_of(b"".join(frame.pcm for frame in heard))


@pytest.mark.parametrize(
    ("endpoint", "codec", "name", "ratio"),
    [
        ("g722", "G722", "G722", 15.0),
        ("slin16", "L16/16000", "L16", 60.0),
        ("opus", "opus", "opus", 3.0),
    ],
)
async def test_the_echo_of_each_codec(
    asterisk: Asterisk, agent: AgentFactory, endpoint: str, codec: str, name: str, ratio: float
) -> None:
    said = speech()
    async with agent(endpoint) as ua:
        async with ua.call(asterisk.uri("echo"), media=choosing(codec, "PCMU")) as call:
            assert call.codec == name
            heard = await echoed(call, said)
    decibels = signal_to_noise(said, heard, RATE)
    print(f"{name}: {decibels:.1f} dB")  # noqa: T201 - the figure is asked for
    assert decibels > ratio


@pytest.mark.parametrize(
    ("first", "then", "name"),
    [("opus", "g722", "G722"), ("G722", "slin16", "L16"), ("PCMU", "opus", "opus")],
)
async def test_asterisk_goes_over_to_another_codec(
    asterisk: Asterisk, agent: AgentFactory, first: str, then: str, name: str
) -> None:
    codecs = (first, *(each for each in ("opus", "G722", "L16/16000", "PCMU") if each != first))
    beep = PcmSource((tone(440, 1.0) * 32767).astype("<i2").tobytes())
    media = choosing(*codecs, sample_rate=NARROW)
    async with agent("codecs") as ua, ua.call(asterisk.uri(f"codec-{then}"), media=media) as call:
        before = call.codec
        await eventually(lambda: call.codec == name)
        async with call.playing(beep, loop=True):
            await hear_tone(call.audio, 440)
    assert before == first


async def test_we_go_over_to_another_codec_and_back(asterisk: Asterisk, agent: AgentFactory) -> None:
    """By re-INVITEs of ours: Asterisk's answers have the codec, and so has its audio."""
    media: list[AudioSession] = []

    def make(host: str) -> AudioSession:
        media.append(AudioSession(host, codecs=("PCMU", "G722", "opus", "PCMA"), sample_rate=NARROW))
        return media[-1]

    beep = PcmSource((tone(440, 1.0) * 32767).astype("<i2").tobytes())
    async with agent("codecs") as ua, ua.call(asterisk.uri("echo"), media=make) as call:
        async with call.playing(beep, loop=True):
            for codec in ("PCMU", "G722", "opus", "PCMA", "PCMU"):
                media[0].use_codecs(codec)
                await eventually(partial(sends, call, codec))
                await hear(call.audio, 0.2)  # what was on its way
                await hear_tone(call.audio, 440)
        assert call.statistics.packets_invalid == 0


def sends(call: Call, codec: str) -> bool:
    return call.codec == codec


def choosing(*codecs: str, sample_rate: int = RATE) -> Callable[[str], AudioSession]:
    """Media with these codecs, whose audio has that rate whichever it is."""
    return lambda host: AudioSession(host, codecs=codecs, sample_rate=sample_rate)
