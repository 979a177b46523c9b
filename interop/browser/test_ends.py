"""Pages that are gone without a word: loaded again or killed, in a call or while it rings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interop.asterisk.listening import TIMEOUT
from interop.asterisk.sound import tone, write_wav
from interop.browser import chromium
from interop.browser.chromium import Page
from interop.browser.pair import THEIR_TONE, US, Held, Phones, phones
from sipstack import CallEnded, Invitation
from sipstack.core.configuration import Timers
from sipstack.errors import FlowClosed

QUICK = Timers(t1=0.05)
"""What waits for repetitions of a request is over in 3.2 s, and not in 32."""


@pytest.fixture
async def pair(page: Page, library: str, tmp_path: Path) -> AsyncIterator[Phones]:
    async with phones(page, library, tmp_path, codec="opus", timers=QUICK) as both:
        yield both


async def test_a_page_that_is_loaded_again_in_a_call_leaves_nothing(pair: Phones) -> None:
    """It says no BYE; its media and its connection end. The call ends by that, and it may call again."""
    before = Held()
    for _ in range(2):
        async with pair.called_by_page() as call:
            await pair.both_are_heard(call)
            await pair.reload()
            async with asyncio.timeout(TIMEOUT):
                ending = await call.ended()
            assert (ending.by, ending.reason) == ("transport", "the peer has closed its media (DTLS)")
        await pair.connect()
    await pair.nothing_is_left(before)


async def test_a_page_that_is_loaded_again_while_it_rings_has_failed(pair: Phones) -> None:
    """No answer can come any more: its connection was the only way to it."""
    before = Held()
    async with pair.ua.invite(pair.contact) as outgoing:
        await pair.page_is("ringing")
        await pair.reload()
        with pytest.raises(FlowClosed):
            async with asyncio.timeout(TIMEOUT):
                await outgoing.answered()
    await pair.connect()
    await pair.nothing_is_left(before)


async def test_a_page_that_is_loaded_again_while_it_calls_cannot_be_answered(pair: Phones) -> None:
    before = Held()
    endings: asyncio.Queue[CallEnded] = asyncio.Queue()

    async def answer_late(invitation: Invitation) -> None:
        await invitation.progress(180)
        await pair.reload()
        async with invitation.accept() as call:
            endings.put_nowait(await call.ended())

    async with pair.ua.serving(answer_late):
        await pair.page.call("phone.dial", US)
        ending = await asyncio.wait_for(endings.get(), TIMEOUT)
        assert (ending.by, ending.reason.partition(":")[0]) == ("transport", "no way back to the peer")
    await pair.connect()
    await pair.nothing_is_left(before)


async def test_a_connection_that_is_lost_in_a_call_and_made_anew_ends_nothing(pair: Phones) -> None:
    """The media go on; the page speaks in the call over another connection, and so do we after that."""
    async with pair.called_by_page() as call:
        await pair.both_are_heard(call)
        await pair.page.call("phone.cut")
        await pair.both_are_heard(call)
        assert await pair.page.call("phone.hold") == 200
        await pair.page_hears(0)
        assert await pair.page.call("phone.resume") == 200
        await pair.both_are_heard(call)
        await call.hold()
        await call.resume()
        await pair.both_are_heard(call)
        await pair.page.call("phone.hangUp")
        assert (await call.ended()).by == "remote"


@pytest.mark.parametrize("library", ["sipjs"])
async def test_a_browser_that_is_killed_while_it_holds_us_is_found_out_by_ice(
    script: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing says that it is gone, and nobody has to send in a call on hold, but it consents no more to what
    we would send it (RFC 7675): that takes 30 s, in this test one.
    """
    monkeypatch.setattr("aioice.ice.CONSENT_INTERVAL", 0.17)
    with chromium.running(tmp_path, write_wav(tmp_path / "microphone.wav", tone(THEIR_TONE, 1.0))) as browser:
        async with (
            chromium.page(browser, script, tmp_path) as page,
            phones(page, library, tmp_path, "opus", timers=QUICK) as pair,
        ):
            before = Held()
            async with pair.called_by_page() as call:
                await pair.both_are_heard(call)
                assert await page.call("phone.hold") == 200
                browser.kill()
                async with asyncio.timeout(TIMEOUT):
                    ending = await call.ended()
                assert ending.by == "transport"
                assert "(ICE)" in ending.reason
            await pair.nothing_is_left(before)
