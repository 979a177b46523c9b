"""ConfBridge with three calls of ours: each hears the two others and not itself."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import numpy as np
import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import hear, hear_tone
from interop.asterisk.server import Asterisk
from interop.asterisk.sound import RATE, Samples, tone, tone_share
from sipstack import AudioSession, Call
from sipstack.media.io import PcmSource

MIXED = {"open": ("PCMU", 440), "g722": ("G722", 620), "opus": ("opus", 1000)}
"""By their endpoints: the codec, and the frequency that it sends."""
G711 = {"open": ("PCMU", 440), "ulaw": ("PCMU", 620), "alaw": ("PCMA", 1000)}
FAINT = 0.001  # of the energy, -30 dB: what may come back of one's own


@pytest.mark.parametrize("parties", [G711, MIXED], ids=["G711", "PCMU-G722-opus"])
async def test_each_of_three_hears_the_two_others(
    asterisk: Asterisk, agent: AgentFactory, parties: dict[str, tuple[str, float]]
) -> None:
    if parties is MIXED and "codec_opus" not in await asterisk.cli("module show like codec_opus"):
        pytest.skip(f"{asterisk.installation} has no codec for Opus, so that it cannot mix it")
    frequencies = {name: frequency for name, (_, frequency) in parties.items()}
    async with AsyncExitStack() as conference:
        calls = {name: await joined(conference, asterisk, agent, name, *parties[name]) for name in parties}
        assert {name: call.codec for name, call in calls.items()} == {n: c for n, (c, _) in parties.items()}
        heard = await asyncio.gather(*(others(call, name, frequencies) for name, call in calls.items()))
    own = [share(sound, frequencies[name]) for name, sound in zip(parties, heard, strict=True)]
    print("of one's own comes back:", own)  # noqa: T201 - the figure is asked for
    assert max(own) < FAINT


async def joined(
    stack: AsyncExitStack, asterisk: Asterisk, agent: AgentFactory, name: str, codec: str, frequency: float
) -> Call:
    """A call to the conference that sends its tone."""
    ua = await stack.enter_async_context(agent(name))
    call = await stack.enter_async_context(
        ua.call(
            asterisk.uri("conference"),
            media=lambda host: AudioSession(host, codecs=(codec,), sample_rate=RATE),
        )
    )
    source = PcmSource((tone(frequency, 1.0, amplitude=0.2) * 32767).astype("<i2").tobytes())
    await stack.enter_async_context(call.playing(source, loop=True))
    return call


async def others(call: Call, name: str, frequencies: dict[str, float]) -> Samples:
    """A second of what is heard, once it is the two others and nothing else."""
    await hear_tone(call.audio, *(frequency for each, frequency in frequencies.items() if each != name))
    return await hear(call.audio, 1.0)


def share(sound: Samples, frequency: float, window: float = 0.2) -> float:
    """Of the tone in the sound: the median over windows."""
    parts = np.split(sound[: len(sound) // RATE * RATE], round(1 / window))
    return float(np.median([tone_share(part, frequency) for part in parts]))
