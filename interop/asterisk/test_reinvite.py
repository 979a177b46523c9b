"""A session that changes while it lasts (RFC 3261 §14, RFC 3264 §8): held, resumed, moved."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from interop.asterisk.agents import AgentFactory
from interop.asterisk.configuration import HOLD_TONE
from interop.asterisk.listening import eventually, hear_tone
from interop.asterisk.phones import OUR_TONE, THEIR_TONE, connected
from interop.asterisk.server import Asterisk
from interop.asterisk.sound import tone, write_wav
from sipstack import TracedMessage


async def test_the_party_on_hold_hears_the_hold_tone(
    asterisk: Asterisk, agent: AgentFactory, tmp_path: Path
) -> None:
    async with connected(agent("alice"), agent("bob"), asterisk.uri("dial-bob"), tmp_path) as (alice, bob):
        await alice.hold()
        assert alice.held
        await hear_tone(bob.audio, HOLD_TONE)
        await alice.resume()
        await hear_tone(bob.audio, OUR_TONE)
        await hear_tone(alice.audio, THEIR_TONE)
        assert (alice.held, bob.held) == (False, False)


async def test_the_callee_holds(asterisk: Asterisk, agent: AgentFactory, tmp_path: Path) -> None:
    async with connected(agent("alice"), agent("bob"), asterisk.uri("dial-bob"), tmp_path) as (alice, bob):
        await bob.hold()
        await hear_tone(alice.audio, HOLD_TONE)
        await bob.resume()
        await hear_tone(alice.audio, THEIR_TONE)


async def test_asterisk_holds_us(asterisk: Asterisk, agent: AgentFactory, tmp_path: Path) -> None:
    async with connected(agent("alice"), agent("held"), asterisk.uri("dial-held"), tmp_path) as (alice, held):
        await alice.hold()
        await eventually(lambda: held.remote_held)
        await hear_tone(held.audio, OUR_TONE)  # who holds goes on, with music
        await alice.resume()
        await eventually(lambda: not held.remote_held)
        await hear_tone(held.audio, OUR_TONE)
        await hear_tone(alice.audio, THEIR_TONE)


async def test_music_of_asterisk(asterisk: Asterisk, agent: AgentFactory) -> None:
    """Also while we hold, and after it."""
    async with agent() as ua, ua.call(asterisk.uri("music")) as call:
        await hear_tone(call.audio, HOLD_TONE)
        await call.hold()
        await call.resume()
        await hear_tone(call.audio, HOLD_TONE)


async def test_both_hold(asterisk: Asterisk, agent: AgentFactory, tmp_path: Path) -> None:
    async with connected(agent("alice"), agent("held"), asterisk.uri("dial-held"), tmp_path) as (alice, held):
        await alice.hold()
        await eventually(lambda: held.remote_held)
        await held.hold()
        await alice.resume()
        await eventually(lambda: not held.remote_held)
        await held.resume()
        await hear_tone(held.audio, OUR_TONE)
        await hear_tone(alice.audio, THEIR_TONE)


async def test_offers_cross(asterisk: Asterisk, agent: AgentFactory, tmp_path: Path) -> None:
    """Both hold at the same time, so that each refuses the other's re-INVITE with 491 and tries again."""
    trace: list[TracedMessage] = []
    here, there = agent("alice", trace=trace.append), agent("held", trace=trace.append)
    async with connected(here, there, asterisk.uri("dial-held"), tmp_path) as (alice, held):
        async with asyncio.timeout(30):
            while not any(entry.data.startswith(b"SIP/2.0 491") for entry in trace):
                await asyncio.gather(alice.hold(), held.hold())
                await asyncio.gather(alice.resume(), held.resume())
        await hear_tone(held.audio, OUR_TONE)
        await hear_tone(alice.audio, THEIR_TONE)


async def test_asterisk_changes_the_codec(asterisk: Asterisk, agent: AgentFactory, tmp_path: Path) -> None:
    trace: list[TracedMessage] = []
    beep = write_wav(tmp_path / "beep.wav", tone(OUR_TONE, 1.0))
    async with agent(trace=trace.append) as ua, ua.call(asterisk.uri("reinvite")) as call:
        before = call.codec
        async with call.playing(beep, loop=True):
            await eventually(lambda: call.codec != before)
            await hear_tone(call.audio, OUR_TONE)
        assert [before, call.codec] == ["PCMU", "PCMA"]
    assert len(requests(trace, "INVITE")) == 1  # answered at once: Asterisk did not repeat it


async def test_the_call_goes_on_after_an_update(
    asterisk: Asterisk, agent: AgentFactory, tmp_path: Path
) -> None:
    trace: list[TracedMessage] = []
    beep = write_wav(tmp_path / "beep.wav", tone(OUR_TONE, 1.0))
    async with agent(trace=trace.append) as ua, ua.call(asterisk.uri("update")) as call:
        await eventually(lambda: bool(requests(trace, "UPDATE")))
        async with call.playing(beep, loop=True):
            await hear_tone(call.audio, OUR_TONE)
    assert len(requests(trace, "UPDATE")) == 1


async def test_asterisk_connects_us_directly(asterisk: Asterisk, agent: AgentFactory, tmp_path: Path) -> None:
    trace: list[TracedMessage] = []
    here, there = agent("near", trace=trace.append), agent("far", trace=trace.append)
    async with connected(here, there, asterisk.uri("dial-far"), tmp_path) as (near, far):
        await eventually(
            lambda: any(media_port(request) not in asterisk.media for request in requests(trace, "INVITE"))
        )
        await hear_tone(near.audio, THEIR_TONE)
        await hear_tone(far.audio, OUR_TONE)


def requests(trace: list[TracedMessage], method: str) -> list[bytes]:
    """The requests of this method that came from Asterisk."""
    return [entry.data for entry in trace if not entry.sent and entry.data.startswith(f"{method} ".encode())]


def media_port(message: bytes) -> int:
    found = re.search(rb"^m=audio (\d+)", message, re.MULTILINE)
    assert found, message
    return int(found[1])
