"""A browser that connects to us: no proxy, no registrar but our own handler (RFC 7118)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from interop.browser.chromium import Page
from interop.browser.test_texts import TEXT
from sipstack import IncomingRequest, Tls, UserAgent
from sipstack.testing.certificates import CertificateAuthority

HOST = "127.0.0.1"


async def test_a_browser_sends_us_texts_and_options(page: Page, library: str, tmp_path: Path) -> None:
    texts: list[str] = []
    contacts: list[str] = []

    async def take(request: IncomingRequest) -> None:
        texts.append(request.text)
        await request.respond(200)

    async def bind(request: IncomingRequest) -> None:
        (contact,) = request.request.headers.raw("Contact")
        contacts.append(contact)
        await request.respond(200, headers=(("Contact", f"{contact.partition('>')[0]}>;expires=600"),))

    certificate, key = CertificateAuthority().issue(HOST).write(tmp_path, "server")
    tls = Tls(certificate=certificate, key=key)
    async with (
        UserAgent(f"sip:us@{HOST}", listen=f"wss:{HOST}:0", tls=tls) as ua,
        ua.serving(requests={"MESSAGE": take, "REGISTER": bind}),
    ):
        ((_, _, port),) = ua.listening
        settings = {"user": "carol", "domain": HOST, "server": f"wss://{HOST}:{port}/", "password": ""}
        await page.call("phone.start", library, settings)
        assert await page.call("phone.register") == 200
        assert await page.call("phone.message", f"sip:us@{HOST}", TEXT) == 200
        assert await page.call("phone.options", f"sip:us@{HOST}") == 200
        assert texts == [TEXT]
        contact = contacts[0].partition("<")[2].partition(">")[0]
        async with asyncio.timeout(10):
            assert (await ua.options(contact)).status == 200  # over its connection: the host is .invalid
            assert (await ua.message(contact, TEXT)).status == 200
        assert await page.call("phone.received") == [TEXT]
        await page.call("phone.stop")
