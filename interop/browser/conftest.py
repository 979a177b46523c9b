"""Fixtures of the tests with a browser: the page, our phone, and the registrar of interop/kamailio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from interop.asterisk.sound import tone, write_wav
from interop.browser import chromium, libraries
from interop.browser.chromium import Browser, Page
from interop.browser.pair import THEIR_TONE, Phones, phones
from interop.kamailio.conftest import agent, kamailio

__all__ = ["agent", "kamailio"]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One for all tests. Into its microphone somebody whistles."""
    if not chromium.program():
        pytest.skip("there is no Chromium on PATH (Debian: apt-get install chromium)")
    folder = tmp_path_factory.mktemp("chromium")
    microphone = write_wav(folder / "microphone.wav", tone(THEIR_TONE, 1.0))
    with chromium.running(folder, microphone) as started:
        yield started


@pytest.fixture(scope="session")
def script() -> str:
    """The script of the page: both libraries."""
    try:
        return libraries.script()
    except libraries.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
async def page(browser: Browser, script: str, tmp_path: Path) -> AsyncIterator[Page]:
    """A page that is new."""
    async with chromium.page(browser, script, tmp_path) as opened:
        yield opened


@pytest.fixture(params=["sipjs", "jssip"])
def library(request: pytest.FixtureRequest) -> str:
    """Each of the two."""
    return str(request.param)


@pytest.fixture
def codec() -> str | None:
    """That of the calls, where a test has none of its own; None is what we know without being told."""
    return "opus"


@pytest.fixture
async def pair(page: Page, library: str, tmp_path: Path, codec: str | None) -> AsyncIterator[Phones]:
    """The phone of a page, and ours that it is connected to."""
    async with phones(page, library, tmp_path, codec) as both:
        yield both
