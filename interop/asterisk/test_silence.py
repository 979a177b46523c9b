"""Either side falls silent: Asterisk hangs up on us, and we tell it, or hang up ourselves."""

from __future__ import annotations

import asyncio
import os
import signal

from interop.asterisk.agents import AgentFactory
from interop.asterisk.installation import Installation
from interop.asterisk.listening import TIMEOUT, hear_tone
from interop.asterisk.server import Asterisk, booted, rendered
from sipstack import AudioSession
from sipstack.media.peer_address import Address
from sipstack.media.transport import UdpTransport, Uniform, bind_pair, close_both

LONGEST = 2.0  # seconds of silence, for Asterisk too (etc/pjsip.conf)


class Line(UdpTransport):
    """Ports whose RTP is lost on its way out, once it is cut."""

    is_cut = False

    def send_rtp(self, data: bytes, destination: Address) -> None:
        if not self.is_cut:
            super().send_rtp(data, destination)


async def test_asterisk_hangs_up_when_our_rtp_stops(asterisk: Asterisk, agent: AgentFactory) -> None:
    lines: list[Line] = []

    def bind(host: str, ports: tuple[int, int], uniform: Uniform) -> Line:
        line = Line(*bind_pair(host, ports, uniform), close_both)
        lines.append(line)
        return line

    async with (
        agent("impatient") as ua,
        ua.call(asterisk.uri("milliwatt"), media=lambda host: AudioSession(host, bind=bind)) as call,
    ):
        await hear_tone(call.audio, 1004)
        await asyncio.sleep(LONGEST)
        await hear_tone(call.audio, 1004)  # while we send, it stays
        lines[0].is_cut = True
        ending = await asyncio.wait_for(call.ended(), LONGEST + TIMEOUT)
        assert ending.by == "remote"
        assert "cause=44" in ending.reason


async def test_we_are_told_that_asterisk_is_silent_and_the_call_goes_on(
    asterisk: Asterisk, agent: AgentFactory
) -> None:
    told: list[float] = []
    async with (
        agent() as ua,
        ua.call(
            asterisk.uri("pause"),
            media=lambda host: AudioSession(host, timeout=LONGEST, on_silence=told.append),
        ) as call,
    ):
        await hear_tone(call.audio, 440)
        assert told == []
        await hear_tone(call.audio, 1004)
        assert len(told) == 1
        assert LONGEST <= told[0] < LONGEST + 0.5


async def test_we_hang_up_when_asterisk_is_silent(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with (
        agent() as ua,
        ua.call(asterisk.uri("pause"), media=lambda host: AudioSession(host, timeout=LONGEST)) as call,
    ):
        await hear_tone(call.audio, 440)
        ending = await asyncio.wait_for(call.ended(), LONGEST + TIMEOUT)
        assert ending.by == "timeout"
        assert "nothing heard for 2" in ending.reason
        await asterisk.idle()  # it got our BYE


async def test_an_asterisk_that_hangs_ends_the_call_and_nobody_waits_for_it(
    installation: Installation,
) -> None:
    """A process that is stopped: its ports stay open, and nothing comes from them."""
    with rendered(installation) as asterisk, booted(asterisk) as process:
        async with AgentFactory(asterisk)() as ua:
            media = lambda host: AudioSession(host, timeout=LONGEST)  # noqa: E731
            async with ua.call(asterisk.uri("milliwatt"), media=media) as call:
                await hear_tone(call.audio, 1004)
                os.kill(process.pid, signal.SIGSTOP)
                try:
                    ending = await asyncio.wait_for(call.ended(), LONGEST + TIMEOUT)
                finally:
                    os.kill(process.pid, signal.SIGCONT)
            assert ending.by == "timeout"
