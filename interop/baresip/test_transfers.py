"""Blind transfers with baresip: we refer it, and it refers us.

Only the signalling: its echo (aubridge) serves one call of an account, and is silent in the second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from interop.asterisk.listening import TIMEOUT, answering, next_call
from interop.baresip.conftest import Start
from interop.ports import HOST
from sipstack import AudioSession, Call, Referral, TransferFailed, UserAgent

MODULES = ("g711",)


def agent(name: str) -> UserAgent:
    return UserAgent(
        f"sip:{name}@{HOST}",
        listen=f"udp:{HOST}:0",
        media=lambda host: AudioSession(host, security="none"),
    )


@asynccontextmanager
async def two() -> AsyncIterator[tuple[UserAgent, UserAgent]]:
    async with agent("alice") as alice, agent("carol") as carol:
        yield alice, carol


async def test_we_refer_baresip(baresip: Start) -> None:
    phone = baresip(MODULES, "")
    async with two() as (alice, carol), answering(carol) as calls:
        async with alice.call(phone.uri("udp")) as call:
            transfer = asyncio.create_task(call.transfer(carol.contact))
            new = await next_call(calls)
            assert (await asyncio.wait_for(transfer, TIMEOUT)).status == 200
        assert carol.calls == [new]
        await phone.tell("hangup")
        assert (await asyncio.wait_for(new.ended(), TIMEOUT)).by == "remote"


async def test_baresip_tells_that_the_target_is_busy(baresip: Start) -> None:
    async def busy(invitation) -> None:  # type: ignore[no-untyped-def]
        await invitation.reject(486)

    phone = baresip(MODULES, "")
    async with two() as (alice, carol), carol.serving(busy), alice.call(phone.uri("udp")) as call:
        with pytest.raises(TransferFailed) as failed:
            await asyncio.wait_for(call.transfer(carol.contact), TIMEOUT)
        assert failed.value.status == 486


async def test_baresip_refers_us(baresip: Start) -> None:
    followed: asyncio.Queue[Call] = asyncio.Queue()

    async def follow(referral: Referral) -> None:
        async with referral.follow() as call:
            followed.put_nowait(call)
            await call.ended()

    phone = baresip(MODULES, "")
    async with two() as (alice, carol), alice.serving_referrals(follow), answering(carol) as calls:
        async with alice.call(phone.uri("udp")) as old:
            await phone.tell("transfer", carol.contact)
            new = await next_call(calls)
            assert (await next_call(followed)).id == new.id
            assert (await asyncio.wait_for(old.ended(), TIMEOUT)).by == "remote"  # it has heard of the 200
        await new.hang_up()
