"""Fixtures of all tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from sipstack.testing.world import World


@pytest.fixture
def world(sip_world: World) -> World:
    """The plugin's fixture under a shorter name."""
    return sip_world


@pytest.fixture(autouse=True)
def no_callback_raises(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An exception in a callback of the event loop, or in a task that nobody awaits, fails the test: a loop
    only writes it to its log.

    A test that wants to see such an exception sets an exception handler of its own on the loop.
    """
    raised: list[dict[str, Any]] = []
    monkeypatch.setattr(
        asyncio.BaseEventLoop, "default_exception_handler", lambda loop, context: raised.append(context)
    )
    yield
    assert raised == []
