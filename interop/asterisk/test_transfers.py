"""Transfers (REFER, Replaces): asked of Asterisk, asked by Asterisk, and a call that is picked up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import TIMEOUT, answering, eventually, hear_tone, next_call
from interop.asterisk.phones import OUR_TONE, THEIR_TONE, connected
from interop.asterisk.server import Asterisk
from interop.asterisk.sound import tone, write_wav
from sipstack import Call, CallRejected, Invitation, Referral, TransferFailed

MILLIWATT = 1004  # Hz


# --- asked of Asterisk ---


async def test_a_blind_transfer(asterisk: Asterisk, agent: AgentFactory, tmp_path: Path) -> None:
    here, there = agent("alice"), agent("bob")
    async with connected(here, there, asterisk.uri("dial-bob"), tmp_path) as (alice, bob):
        response = await alice.transfer(asterisk.uri("milliwatt"))
        assert response.status == 200
        await hear_tone(bob.audio, MILLIWATT)
        await alice.hang_up()  # Asterisk leaves that to us
        assert there.calls == [bob]
        await hear_tone(bob.audio, MILLIWATT)


async def test_a_blind_transfer_of_the_caller_by_the_called(
    asterisk: Asterisk, agent: AgentFactory, tmp_path: Path
) -> None:
    here, there = agent("alice"), agent("bob")
    async with connected(here, there, asterisk.uri("dial-bob"), tmp_path) as (alice, bob):
        assert (await bob.transfer(asterisk.uri("milliwatt"))).status == 200
        await hear_tone(alice.audio, MILLIWATT)


async def test_a_transfer_to_nobody_is_refused_and_the_call_goes_on(
    asterisk: Asterisk, agent: AgentFactory, tmp_path: Path
) -> None:
    async with connected(agent("alice"), agent("bob"), asterisk.uri("dial-bob"), tmp_path) as (alice, bob):
        with pytest.raises(TransferFailed) as failed:
            await alice.transfer(asterisk.uri("nobody-at-all"))
        assert failed.value.status == 404
        await hear_tone(bob.audio, OUR_TONE)


async def test_an_attended_transfer(asterisk: Asterisk, agent: AgentFactory, tmp_path: Path) -> None:
    """Alice has called bob, asks at the milliwatt, and connects the two."""
    here, there = agent("alice"), agent("bob")
    async with connected(here, there, asterisk.uri("dial-bob"), tmp_path) as (alice, bob):
        await alice.hold()
        async with here.call(asterisk.uri("milliwatt")) as consultation:
            await consultation.hold()
            assert (await alice.transfer(consultation)).status == 200
            await hear_tone(bob.audio, MILLIWATT)
        await alice.hang_up()
        await hear_tone(bob.audio, MILLIWATT)


async def test_an_attended_transfer_of_two_phones(
    asterisk: Asterisk, agent: AgentFactory, tmp_path: Path
) -> None:
    here, there, third = agent("alice"), agent("bob"), agent("carol")
    sound = write_wav(tmp_path / "carol.wav", tone(900, 1.0))
    async with (
        third,
        third.register(),
        answering(third) as calls,
        connected(here, there, asterisk.uri("dial-bob"), tmp_path) as (alice, bob),
    ):
        await alice.hold()
        async with here.call(asterisk.uri("dial-carol")) as consultation:
            carol = await next_call(calls)
            async with carol.playing(sound, loop=True):
                assert (await alice.transfer(consultation)).status == 200
                await hear_tone(bob.audio, 900)
                await hear_tone(carol.audio, THEIR_TONE)


# --- asked by Asterisk ---


class Following:
    """Follows, and keeps the new calls and what became of it."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[Call] = asyncio.Queue()
        self.refused: asyncio.Queue[int] = asyncio.Queue()

    async def __call__(self, referral: Referral) -> None:
        try:
            async with referral.follow() as call:
                self.calls.put_nowait(call)
                await call.ended()
        except CallRejected as error:
            self.refused.put_nowait(error.status)


async def test_asterisk_transfers_us(asterisk: Asterisk, agent: AgentFactory, tmp_path: Path) -> None:
    following = Following()
    beep = write_wav(tmp_path / "beep.wav", tone(OUR_TONE, 1.0))
    async with agent() as ua, ua.serving_referrals(following):
        async with ua.call(asterisk.uri("refer-echo")) as old:
            new = await next_call(following.calls)
            async with new.playing(beep, loop=True):
                await hear_tone(new.audio, OUR_TONE)
            assert (await asyncio.wait_for(old.ended(), TIMEOUT)).by == "remote"
        await new.hang_up()


async def test_asterisk_hears_that_the_target_is_busy(asterisk: Asterisk, agent: AgentFactory) -> None:
    following = Following()
    async with agent() as ua, ua.serving_referrals(following), ua.call(asterisk.uri("refer-busy")) as old:
        assert await asyncio.wait_for(following.refused.get(), TIMEOUT) == 486
        await asyncio.wait_for(old.ended(), TIMEOUT)
    assert "TRANSFERSTATUS=FAILURE 486" in asterisk.log.read_text(errors="replace")


async def test_who_takes_no_referrals_is_not_transferred(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as ua, ua.call(asterisk.uri("refer-echo")) as call:
        await asyncio.wait_for(call.ended(), TIMEOUT)
    assert "TRANSFERSTATUS=FAILURE 405" in asterisk.log.read_text(errors="replace")


# --- picked up ---


async def test_a_ringing_call_is_picked_up_with_replaces(
    asterisk: Asterisk, agent: AgentFactory, tmp_path: Path
) -> None:
    """Bob's phone rings; carol takes the call by the dialog that it rings in."""
    ringing: asyncio.Queue[Invitation] = asyncio.Queue()
    cancelled = asyncio.Event()

    async def ring(invitation: Invitation) -> None:
        await invitation.progress(180)
        ringing.put_nowait(invitation)
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    ours = write_wav(tmp_path / "alice.wav", tone(OUR_TONE, 1.0))
    async with agent("bob") as bob, bob.register(), bob.serving(ring), agent("alice") as alice:
        async with alice.invite(asterisk.uri("dial-bob")) as outgoing, agent("carol") as carol:
            invitation = await asyncio.wait_for(ringing.get(), TIMEOUT)
            dialog = f"{invitation.call_id};to-tag={invitation.from_.tag};from-tag={invitation._usage.tag}"
            fields = {"Replaces": dialog, "Require": "replaces"}
            async with carol.call(asterisk.uri("echo"), headers=fields) as taken:
                call = await asyncio.wait_for(outgoing.answered(), TIMEOUT)
                async with call.playing(ours, loop=True):
                    await hear_tone(taken.audio, OUR_TONE)
                await asyncio.wait_for(cancelled.wait(), TIMEOUT)


async def test_a_call_that_asterisk_does_not_know_cannot_be_picked_up(
    asterisk: Asterisk, agent: AgentFactory
) -> None:
    fields = {"Replaces": "nobody;to-tag=1;from-tag=2", "Require": "replaces"}
    async with agent("carol") as carol:
        with pytest.raises(CallRejected) as rejected:
            async with carol.call(asterisk.uri("echo"), headers=fields):
                pytest.fail("answered")
        assert rejected.value.status == 481
        await eventually(lambda: carol.calls == [])
