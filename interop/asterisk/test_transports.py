"""TCP, TLS, WebSocket and secure WebSocket, over IPv4 and IPv6: register, calls, hold, re-INVITE."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from interop.asterisk.listening import answering, eventually, hear_tone, next_call
from interop.asterisk.server import Asterisk
from interop.asterisk.sound import tone, write_wav
from interop.asterisk.test_long_calls import stays_up
from interop.asterisk.wires import ALL, Wire

OVER_ALL = pytest.mark.parametrize("wire", ALL, ids=lambda wire: wire.name)
pytestmark = pytest.mark.usefixtures("agent")  # nothing is left afterwards


@OVER_ALL
async def test_register_and_be_called(asterisk: Asterisk, wire: Wire) -> None:
    """The call comes over the connection on which we registered."""
    async with wire.agent(asterisk) as ua:
        async with ua.register(expires=60), answering(ua) as calls:
            (contact,) = await asterisk.contacts(wire.user)
            await asterisk.originate(wire.user, "milliwatt", contact)
            call = await next_call(calls)
            await hear_tone(call.audio, 1004)
            await call.hang_up()
        assert await asterisk.contacts(wire.user) == []


@OVER_ALL
async def test_asterisk_hangs_up(asterisk: Asterisk, wire: Wire) -> None:
    async with wire.agent(asterisk) as ua, ua.call(wire.uri(asterisk, "bye-16")) as call:
        assert (await call.ended()).by == "remote"


@OVER_ALL
async def test_a_call_is_held_and_resumed(asterisk: Asterisk, wire: Wire, tmp_path: Path) -> None:
    beep = write_wav(tmp_path / "beep.wav", tone(440, 1.0))
    async with wire.agent(asterisk) as ua, ua.call(wire.uri(asterisk, "echo")) as call:
        async with call.playing(beep, loop=True):
            await hear_tone(call.audio, 440)
            await call.hold()
            assert call.held
            await call.resume()
            await hear_tone(call.audio, 440)


@OVER_ALL
async def test_asterisk_changes_the_codec(asterisk: Asterisk, wire: Wire, tmp_path: Path) -> None:
    beep = write_wav(tmp_path / "beep.wav", tone(440, 1.0))
    async with wire.agent(asterisk) as ua, ua.call(wire.uri(asterisk, "reinvite")) as call:
        before = call.codec
        async with call.playing(beep, loop=True):
            await eventually(lambda: call.codec != before)
            await hear_tone(call.audio, 440)


@OVER_ALL
async def test_texts_and_options(asterisk: Asterisk, wire: Wire) -> None:
    async with wire.agent(asterisk) as ua:
        assert (await ua.message(wire.uri(asterisk, "drop"), "Grüße")).status == 202
        assert (await ua.options(wire.uri(asterisk, "echo"))).status == 200


async def test_calls_of_forty_seconds(asterisk: Asterisk, tmp_path: Path) -> None:
    """One over each, all at the same time."""
    beep = write_wav(tmp_path / "beep.wav", tone(440, 1.0))

    async def long_call(wire: Wire) -> None:
        async with wire.agent(asterisk) as ua, ua.call(wire.uri(asterisk, "echo")) as call:
            await stays_up(call, beep)

    async with asyncio.TaskGroup() as calls:
        for wire in ALL:
            calls.create_task(long_call(wire))
