"""Longer than 64*T1, 32 s: no timer of a transaction may end a call that rings or is established."""

from __future__ import annotations

import asyncio
from pathlib import Path

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import answering, hear, hear_tone, next_call
from interop.asterisk.server import Asterisk
from interop.asterisk.sound import tone, write_wav
from sipstack import Call

DURATION = 40.0  # seconds
PACKETS = DURATION * 50


async def test_calls_of_forty_seconds(asterisk: Asterisk, agent: AgentFactory, tmp_path: Path) -> None:
    """One from us, one to us, and one that is answered after 35 seconds; all at the same time."""
    beep = write_wav(tmp_path / "beep.wav", tone(440, 1.0))

    async def from_us() -> None:
        async with agent("alice") as alice, alice.call(asterisk.uri("echo")) as call:
            await stays_up(call, beep)

    async def to_us() -> None:
        async with agent() as ua, answering(ua) as calls:
            await asterisk.originate("open", "echo", ua.contact)
            await stays_up(await next_call(calls), beep)

    async def rings() -> None:
        async with agent() as ua, ua.call(asterisk.uri("ring-35")) as call, call.playing(beep, loop=True):
            await hear_tone(call.audio, 440)

    async with asyncio.TaskGroup() as calls:
        for conversation in (from_us(), to_us(), rings()):
            calls.create_task(conversation)


async def stays_up(call: Call, beep: Path) -> None:
    async with call.playing(beep, loop=True):
        await hear_tone(call.audio, 440)
        await hear(call.audio, DURATION)
        await hear_tone(call.audio, 440)
    assert call.statistics.packets_sent > 0.9 * PACKETS
    assert call.statistics.packets_received > 0.9 * PACKETS
