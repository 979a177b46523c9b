"""Fixtures of the tests with sipp: sipp itself, and a user agent that it calls."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interop.sipp.process import Launch, Sipp, installed
from sipstack import Timers, UserAgent


@pytest.fixture
def sipp(tmp_path: Path, sealed: bool) -> Launch:
    """Makes a `Sipp`; what it writes goes to the test's own folder. Where sessions are sealed it takes the
    UPDATEs by which it is told of them; what it answers has no other effect.
    """
    if not installed():
        pytest.skip("there is no sipp on PATH (Debian: apt-get install sip-tester)")
    return functools.partial(Sipp, folder=tmp_path, takes_updates=sealed)


@pytest.fixture
async def agent(request: pytest.FixtureRequest) -> AsyncIterator[UserAgent]:
    """A user agent on loopback, with the RFC's timers or those in the fixture's parameter."""
    timers = getattr(request, "param", Timers())
    async with UserAgent("sip:sut@127.0.0.1", listen="udp:127.0.0.1:0", timers=timers) as ua:
        yield ua


@pytest.fixture
def target(agent: UserAgent) -> str:
    """Where sipp reaches the agent."""
    ((_, host, port),) = agent.listening
    return f"{host}:{port}"
