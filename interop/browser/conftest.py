"""Fixtures of the tests with a browser: its page, ours that it calls, and the registrar of interop/kamailio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interop.browser import chromium, libraries
from interop.browser.chromium import Page
from interop.browser.pair import Phones, phones
from interop.kamailio.conftest import agent, kamailio

__all__ = ["agent", "kamailio"]


@pytest.fixture(scope="session")
def script() -> str:
    """The script of the page: both libraries."""
    if not chromium.program():
        pytest.skip("there is no Chromium on PATH (Debian: apt-get install chromium)")
    try:
        return libraries.script()
    except libraries.Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
async def page(script: str, tmp_path: Path) -> AsyncIterator[Page]:
    """A page in a browser that is new."""
    async with chromium.page(script, tmp_path) as opened:
        yield opened


@pytest.fixture(params=["sipjs", "jssip"])
def library(request: pytest.FixtureRequest) -> str:
    """Each of the two."""
    return str(request.param)


@pytest.fixture
async def pair(page: Page, library: str, tmp_path: Path) -> AsyncIterator[Phones]:
    """The phone of a page, and ours that it is connected to."""
    async with phones(page, library, tmp_path) as both:
        yield both
