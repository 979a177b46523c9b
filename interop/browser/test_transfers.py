"""A page transfers us: REFER of both libraries, and what they hear of it."""

from __future__ import annotations

import asyncio

import pytest

from interop.asterisk.listening import TIMEOUT, answering, eventually, next_call
from interop.browser.pair import HOST, Phones
from sipstack import AudioSession, Call, CallRejected, Invitation, Referral, UserAgent


def plain(host: str) -> AudioSession:
    return AudioSession(host, security="none")


async def busy(invitation: Invitation) -> None:
    await invitation.reject(486)


async def notified(pair: Phones, *statuses: int) -> None:
    """Wait until the page has been told these; a 100 or 180 may have been left out."""

    async def told() -> bool:
        return [each for each in await pair.page.call("phone.told") if each >= 200] == [*statuses]

    await eventually(told)


async def test_a_page_transfers_us(pair: Phones) -> None:
    followed: asyncio.Queue[Call] = asyncio.Queue()

    async def follow(referral: Referral) -> None:
        async with referral.follow(media=plain) as call:
            followed.put_nowait(call)
            await call.ended()

    async with (
        UserAgent(f"sip:carol@{HOST}", listen=f"tcp:{HOST}:0", media=plain) as carol,
        answering(carol) as calls,
        pair.ua.serving_referrals(follow),
        pair.called_by_page() as old,
    ):
        assert await pair.page.call("phone.refer", f"{carol.contact};transport=tcp") == 202
        new = await next_call(calls)
        await asyncio.wait_for(followed.get(), TIMEOUT)
        await notified(pair, 200)
        await asyncio.wait_for(end(pair, old), TIMEOUT)
        await new.hang_up()


async def end(pair: Phones, call: Call) -> None:
    """The one ends the call by itself when it is told 200, the other is told to."""
    if not call._is_over:
        await pair.page.call("phone.hangUp")
    assert (await call.ended()).by == "remote"


async def test_a_page_hears_that_the_target_is_busy(pair: Phones) -> None:
    async def follow(referral: Referral) -> None:
        with pytest.raises(CallRejected):
            async with referral.follow(media=plain):
                pytest.fail("answered")

    async with (
        UserAgent(f"sip:carol@{HOST}", listen=f"tcp:{HOST}:0", media=plain) as carol,
        carol.serving(busy),
        pair.ua.serving_referrals(follow),
        pair.called_by_page() as call,
    ):
        assert await pair.page.call("phone.refer", f"{carol.contact};transport=tcp") == 202
        await notified(pair, 486)
        await pair.both_are_heard(call)


async def test_a_page_hears_that_we_take_no_referrals(pair: Phones) -> None:
    async with pair.called_by_page() as call:
        assert await pair.page.call("phone.refer", f"sip:carol@{HOST}:9") == 405
        await pair.both_are_heard(call)
