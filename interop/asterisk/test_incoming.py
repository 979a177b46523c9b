"""Calls that Asterisk makes to us: answered, refused, redirected, cancelled."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import TIMEOUT, answering, hear, hear_tone, next_call
from interop.asterisk.server import Asterisk
from interop.asterisk.sound import tone, tone_duration, write_wav
from sipstack import CallRejected, Invitation

MAPPED_STATUSES = {404: 404, 480: 480, 486: 486, 500: 500, 503: 503, 603: 403}
"""The status that the caller gets for the status of the callee (603 and 403 are the same cause)."""


@pytest.mark.parametrize(("ours", "told"), MAPPED_STATUSES.items())
async def test_we_refuse(asterisk: Asterisk, agent: AgentFactory, ours: int, told: int) -> None:
    async def refuse(invitation: Invitation) -> None:
        await invitation.reject(ours)

    async with agent("bob") as bob, bob.register(), bob.serving(refuse), agent("alice") as alice:
        with pytest.raises(CallRejected) as refused:
            async with alice.call(asterisk.uri("dial-bob")):
                pytest.fail("answered")
    assert refused.value.status == told


async def test_a_handler_that_does_not_answer_is_not_available(
    asterisk: Asterisk, agent: AgentFactory
) -> None:
    async def ignore(invitation: Invitation) -> None:
        pass

    async with agent("bob") as bob, bob.register(), bob.serving(ignore), agent("alice") as alice:
        with pytest.raises(CallRejected) as refused:
            async with alice.call(asterisk.uri("dial-bob")):
                pytest.fail("answered")
    assert refused.value.status == 480


async def test_asterisk_cancels_while_we_ring(asterisk: Asterisk, agent: AgentFactory) -> None:
    ringing, cancelled = asyncio.Event(), asyncio.Event()

    async def ring(invitation: Invitation) -> None:
        await invitation.progress(180)
        ringing.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with agent() as ua, ua.serving(ring):
        await asterisk.originate("open", "echo", ua.contact)
        await asyncio.wait_for(ringing.wait(), TIMEOUT)
        await asterisk.cli("channel request hangup all")
        await asyncio.wait_for(cancelled.wait(), TIMEOUT)
        await asterisk.idle()


async def test_the_slower_of_two_callees_is_cancelled(asterisk: Asterisk, agent: AgentFactory) -> None:
    cancelled = asyncio.Event()

    async def ring(invitation: Invitation) -> None:
        await invitation.progress(180)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with (
        agent("carol") as carol,
        carol.register(),
        carol.serving(ring),
        agent("bob") as bob,
        bob.register(),
        answering(bob) as calls,
        agent("alice") as alice,
        alice.call(asterisk.uri("either")),
    ):
        await next_call(calls)
        await asyncio.wait_for(cancelled.wait(), TIMEOUT)
        assert len(await asterisk.channels()) == 2


async def test_we_answer_and_hang_up(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as ua, answering(ua) as calls:
        await asterisk.originate("open", "milliwatt", ua.contact)
        call = await next_call(calls)
        await hear_tone(call.audio, 1004)
        await call.hang_up()
        await asterisk.idle()


async def test_we_answer_and_asterisk_hangs_up(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as ua, answering(ua) as calls:
        await asterisk.originate("open", "prompt", ua.contact)
        call = await next_call(calls)
        ended = await asyncio.wait_for(call.ended(), TIMEOUT)
    assert ended.by == "remote"


async def test_our_sound_comes_back_through_the_echo(
    asterisk: Asterisk, agent: AgentFactory, tmp_path: Path
) -> None:
    beep = write_wav(tmp_path / "beep.wav", tone(440, 1.0))
    async with agent() as ua, answering(ua) as calls:
        await asterisk.originate("open", "echo", ua.contact)
        call = await next_call(calls)
        async with call.playing(beep, loop=True):
            await hear_tone(call.audio, 440)
            assert tone_duration(await hear(call.audio, 1.0), 440) >= 0.6
        await call.hang_up()


@pytest.mark.parametrize(("status", "early_media"), [(180, False), (183, True)])
async def test_the_caller_sees_that_it_rings_and_is_connected(
    asterisk: Asterisk, agent: AgentFactory, tmp_path: Path, status: int, early_media: bool
) -> None:
    beep = write_wav(tmp_path / "beep.wav", tone(440, 1.0))

    async def ring_and_answer(invitation: Invitation) -> None:
        await invitation.progress(status, early_media=early_media)
        await asyncio.sleep(0.5)
        async with invitation.accept() as call, call.playing(beep, loop=True):
            await call.ended()

    async with agent("bob") as bob, bob.register(), bob.serving(ring_and_answer), agent("alice") as alice:
        async with alice.invite(asterisk.uri("dial-bob")) as outgoing:
            statuses = [response.status async for response in outgoing.provisionals()]
            call = await outgoing.answered()
            await hear_tone(call.audio, 440)
        await asterisk.idle()
    assert status in statuses


async def test_a_redirection_is_followed(asterisk: Asterisk, agent: AgentFactory) -> None:
    async def redirect(invitation: Invitation) -> None:
        await invitation.redirect(asterisk.uri("milliwatt"))

    async with (
        agent("bob") as bob,
        bob.register(),
        bob.serving(redirect),
        agent("alice") as alice,
        alice.call(asterisk.uri("dial-bob")) as call,
    ):
        await hear_tone(call.audio, 1004)
