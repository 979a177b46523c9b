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
from sipstack import TracedMessage, UserAgent

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


async def test_who_goes_over_tcp_for_the_size_alone_is_reached_where_he_listens(asterisk: Asterisk) -> None:
    """Asterisk is bound to UDP for this endpoint, and sends nothing over a connection, not even over ours."""
    trace: list[TracedMessage] = []
    listen = f"udp:{asterisk.host}:0"
    async with (
        UserAgent("sip:open@127.0.0.1", listen=listen, tcp_above=1, trace=trace.append) as ua,
        ua.call(asterisk.uri("milliwatt")) as call,
    ):
        await hear_tone(call.audio, 1004)
        await call.hold()
        await call.resume()
        await hear_tone(call.audio, 1004)
        (channel,) = await asterisk.channels()
        await asterisk.cli(f"channel request hangup {channel}")
        assert (await asyncio.wait_for(call.ended(), 5)).by == "remote"
    invites = [each for each in trace if each.sent and each.data.startswith(b"INVITE ")]
    assert len(invites) == 3
    assert all(b"\r\nVia: SIP/2.0/TCP " in each.data for each in invites)
    (bye,) = [each for each in trace if each.data.startswith(b"BYE ")]
    assert b"\r\nVia: SIP/2.0/UDP " in bye.data


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
