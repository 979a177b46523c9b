"""Opus, G.722 and L16 with Asterisk: what comes back of what we say, and another codec in mid-call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import eventually
from interop.asterisk.server import Asterisk
from interop.asterisk.sound import Samples, samples_of, speech_like_noise
from sipstack import AudioSession, Call, Frame
from sipstack.media.io import PcmSource

RATE = 16000


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


def quality(said: Samples, heard: Samples, window: float = 0.2) -> tuple[float, float]:
    """The correlation and the signal-to-noise ratio in dB: medians over windows, each where it fits best, so
    that one late packet does not count for all."""
    length = int(window * RATE)
    results = [_fit(said[at : at + length], heard) for at in range(length, len(said) - length, length)]
    correlation = float(np.median(results))
    return correlation, float(10 * np.log10(correlation**2 / max(1 - correlation**2, 1e-12)))


def _fit(part: Samples, heard: Samples) -> float:
    size = len(heard) + len(part)
    dots = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(part, size)), size)
    energy = np.convolve(heard**2, np.ones(len(part)), "valid")
    norms = np.sqrt(np.maximum(energy, 1e-9) * np.sum(part**2))
    return float(np.max(dots[: len(norms)] / norms))


@pytest.mark.parametrize(
    ("endpoint", "codec", "name", "ratio"),
    [("g722", "G722", "G722", 15.0), ("slin16", "L16/16000", "L16", 60.0), ("opus", "opus", "opus", 3.0)],
)
async def test_the_echo_of_each_codec(
    asterisk: Asterisk, agent: AgentFactory, endpoint: str, codec: str, name: str, ratio: float
) -> None:
    said = speech()
    async with agent(endpoint) as ua:
        async with ua.call(asterisk.uri("echo"), media=choosing(codec, "PCMU")) as call:
            assert call.codec == name
            heard = await echoed(call, said)
    correlation, decibels = quality(said, heard)
    print(f"{name}: correlation {correlation:.4f}, {decibels:.1f} dB")  # noqa: T201 - the figure is asked for
    assert decibels > ratio


@pytest.mark.parametrize(
    ("first", "then", "name"),
    [("opus", "g722", "G722"), ("G722", "slin16", "L16"), ("PCMU", "opus", "opus")],
)
async def test_asterisk_goes_over_to_another_codec(
    asterisk: Asterisk, agent: AgentFactory, first: str, then: str, name: str
) -> None:
    said = speech()
    codecs = (first, *(each for each in ("opus", "G722", "L16/16000", "PCMU") if each != first))
    async with agent("codecs") as ua:
        async with ua.call(asterisk.uri(f"codec-{then}"), media=choosing(*codecs)) as call:
            before = call.codec
            await eventually(lambda: call.codec == name)
            heard = await echoed(call, said)
    assert before == first
    correlation, _ = quality(said, heard)
    assert correlation > 0.8


def choosing(*codecs: str) -> Callable[[str], AudioSession]:
    """Media with these codecs, whose audio has 16 kHz whichever it is."""
    return lambda host: AudioSession(host, codecs=codecs, sample_rate=RATE)
