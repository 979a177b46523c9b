"""Calls between a browser and us by way of a proxy: it speaks secure WebSocket there, we UDP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interop.asterisk.listening import eventually
from interop.browser.chromium import Page
from interop.browser.pair import Phones
from interop.kamailio.agents import AgentFactory, uri
from interop.kamailio.server import DOMAIN, Kamailio
from sipstack import AudioSession


@pytest.fixture
async def pair(
    kamailio: Kamailio, agent: AgentFactory, page: Page, library: str, tmp_path: Path
) -> AsyncIterator[Phones]:
    """Both are registered there."""

    def media(host: str) -> AudioSession:
        return AudioSession(host, security="dtls")

    account = {"user": "carol", "domain": DOMAIN, "server": kamailio.proxy("wss"), "password": "secret"}
    async with agent("bob") as bob, bob.register():
        both = Phones(page, library, tmp_path, bob, uri("bob"), account, uri("carol"), media)
        await both.connect()
        yield both
        await page.call("phone.stop")


async def test_the_page_calls_us_holds_and_hangs_up(pair: Phones) -> None:
    async with pair.called_by_page() as call:
        await pair.both_are_heard(call)
        assert (call.security or "").startswith("DTLS-SRTP A")
        assert await pair.page.call("phone.hold") == 200
        await pair.page_hears(0)
        assert await pair.page.call("phone.resume") == 200
        await pair.both_are_heard(call)
        await pair.page.call("phone.hangUp")
        assert (await call.ended()).by == "remote"


async def test_we_call_the_page_hold_and_hang_up(pair: Phones) -> None:
    async with pair.calling_page() as call:
        await pair.both_are_heard(call)
        await call.hold()
        await call.resume()
        await pair.both_are_heard(call)
        await call.dtmf.send("5", way="info")
        await eventually(lambda: pressed(pair, "5"))
        await call.hang_up()
        await pair.page_is("ended")


async def pressed(pair: Phones, digits: str) -> bool:
    return bool(await pair.page.call("phone.pressed") == digits)
