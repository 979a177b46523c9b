"""Calls from us that Asterisk answers: signalling, and sound in both directions."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from interop.asterisk.agents import ACCOUNTS, AgentFactory
from interop.asterisk.listening import hear, hear_tone
from interop.asterisk.server import Asterisk
from interop.asterisk.sound import (
    loudness,
    read_wav,
    signal_to_noise,
    similarity,
    speech_like_noise,
    tone,
    tone_duration,
    write_wav,
)
from sipstack import Call, Invitation, bridge


async def test_the_echo_of_a_file_is_recorded(
    asterisk: Asterisk, agent: AgentFactory, tmp_path: Path
) -> None:
    words, beep = speech_like_noise(1.6), tone(440, 1.0)
    sent = write_wav(tmp_path / "sent.wav", np.concatenate((words, beep)))
    async with agent("alice") as alice, alice.call(asterisk.uri("echo")) as call:
        async with call.recording(tmp_path / "heard.wav"):
            await call.play(sent)
            await asyncio.sleep(0.5)  # for what is on its way
        statistics = call.statistics
    heard = read_wav(tmp_path / "heard.wav")
    assert similarity(words, heard) > 0.9
    assert tone_duration(heard, 440) > 0.6
    assert statistics.packets_sent >= 120
    assert statistics.packets_received >= 120


async def test_a_tone_is_heard(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as ua, ua.call(asterisk.uri("milliwatt")) as call:
        await hear_tone(call.audio, 1004)
        assert tone_duration(await hear(call.audio, 1.0), 1004) >= 0.8


@pytest.mark.parametrize(("name", "codec"), [("ulaw", "PCMU"), ("alaw", "PCMA")])
async def test_the_echo_is_as_clean_as_g711(
    asterisk: Asterisk, agent: AgentFactory, tmp_path: Path, name: str, codec: str
) -> None:
    sent = speech_like_noise(3.0)
    path = write_wav(tmp_path / "sent.wav", sent)
    async with agent(name) as ua, ua.call(asterisk.uri("echo")) as call:
        assert call.codec == codec
        async with call.playing(path):
            heard = await hear(call.audio, 3.5)
    decibels = signal_to_noise(sent, heard)
    print(f"{codec}: {decibels:.1f} dB")  # noqa: T201 - the figure is asked for
    assert decibels >= 36.0


@pytest.mark.parametrize("name", ACCOUNTS.values(), ids=ACCOUNTS)
async def test_a_call_with_digest_authentication(asterisk: Asterisk, agent: AgentFactory, name: str) -> None:
    async with agent(name) as ua, ua.call(asterisk.uri("milliwatt")) as call:
        await hear_tone(call.audio, 1004)


async def test_it_rings_before_it_is_answered(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as ua, ua.invite(asterisk.uri("ring")) as outgoing:
        statuses = [response.status async for response in outgoing.provisionals()]
        await outgoing.answered()
    assert statuses[-1] == 180


async def test_early_media_is_heard_before_the_answer(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as ua, ua.invite(asterisk.uri("early")) as outgoing:
        await hear_tone(outgoing.audio, 440)
        statuses = [response.status async for response in outgoing.provisionals()]
        call = await outgoing.answered()
        await hear_tone(call.audio, 1004)
    assert statuses[-1] == 183


async def test_early_media_is_heard_through_a_bridge_of_ours(asterisk: Asterisk, agent: AgentFactory) -> None:
    """From Asterisk by way of bob, who calls on before he answers, and Asterisk again to alice."""

    async def call_on(invitation: Invitation) -> None:
        async with bob.invite(asterisk.uri("early")) as outgoing:
            await anext(outgoing.provisionals())
            await invitation.progress(183, early_media=True)
            bridging = asyncio.ensure_future(bridge(invitation, outgoing))
            await outgoing.answered()
            async with invitation.accept():
                await bridging

    async with agent("bob") as bob, bob.register(), bob.serving(call_on), agent("alice") as alice:
        async with alice.invite(asterisk.uri("dial-bob")) as outgoing:
            await hear_tone(outgoing.audio, 440)
            call = await outgoing.answered()
            await hear_tone(call.audio, 1004)
        await asterisk.idle()


async def test_the_offer_may_come_from_asterisk(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as ua, ua.invite(asterisk.uri("milliwatt"), offer=False) as outgoing:
        call = await outgoing.answered()
        await hear_tone(call.audio, 1004)


async def test_asterisk_hangs_up_after_its_prompt(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as ua, ua.call(asterisk.uri("prompt")) as call:
        heard = await hear(call.audio, 1.0)
        ended = await call.ended()
    assert loudness(heard) > 0.01
    assert ended.by == "remote"


async def test_asterisk_hangs_up_with_a_reason(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as ua, ua.call(asterisk.uri("bye-34")) as call:
        ended = await call.ended()
    assert ended.by == "remote"


async def test_we_hang_up(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as ua, ua.call(asterisk.uri("echo")) as call:
        assert len(await asterisk.channels()) == 1
        await call.hang_up()
        ended = await call.ended()
        assert ended.by == "local"
        await asterisk.idle()


async def test_two_calls_at_once(asterisk: Asterisk, agent: AgentFactory) -> None:
    async def listen(call: Call, frequency: float) -> float:
        await hear_tone(call.audio, frequency)
        return tone_duration(await hear(call.audio, 1.0), frequency)

    async with (
        agent("alice") as alice,
        alice.call(asterisk.uri("milliwatt")) as first,
        alice.call(asterisk.uri("early")) as second,
    ):
        assert len(await asterisk.channels()) == 2
        assert min(await asyncio.gather(listen(first, 1004), listen(second, 1004))) >= 0.8
