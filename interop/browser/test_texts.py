"""MESSAGE and OPTIONS between a browser and us, by way of a registrar."""

from __future__ import annotations

import pytest

from interop.asterisk.listening import eventually
from interop.browser.chromium import Page
from interop.kamailio.agents import AgentFactory, uri
from interop.kamailio.server import DOMAIN, Kamailio
from sipstack import IncomingRequest

TEXT = "Grüße, 日本 🙂"


@pytest.mark.parametrize("ours", ["udp", "wss"])
async def test_texts_and_options_both_ways(
    kamailio: Kamailio, agent: AgentFactory, page: Page, library: str, ours: str
) -> None:
    """The browser speaks secure WebSocket with the registrar, we what is in the name of the test."""
    texts: list[str] = []

    async def take(request: IncomingRequest) -> None:
        texts.append(request.text)
        await request.respond(200)

    settings = {"user": "carol", "domain": DOMAIN, "server": kamailio.proxy("wss"), "password": "secret"}
    await page.call("phone.start", library, settings)
    assert await page.call("phone.register") == 200
    async with agent("bob", ours) as bob, bob.register(), bob.serving(requests={"MESSAGE": take}):
        assert await page.call("phone.message", uri("bob"), TEXT) == 200
        assert await page.call("phone.options", uri("bob")) == 200
        assert texts == [TEXT]
        assert (await bob.message(uri("carol"), TEXT)).status == 200
        assert (await bob.options(uri("carol"))).status == 200

        async def arrived() -> bool:
            return bool(await page.call("phone.received") == [TEXT])

        await eventually(arrived)
    await page.call("phone.stop")
