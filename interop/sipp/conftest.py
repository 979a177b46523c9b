"""What every test here needs: sipp itself, and a user agent whose timers are short."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interop.sipp.process import Launch, Sipp, installed
from sipstack import Timers, UserAgent

T1 = 0.1


@pytest.fixture
def sipp(tmp_path: Path) -> Launch:
    """Makes a `Sipp`; what it writes goes to the test's own folder."""
    if not installed():
        pytest.skip("there is no sipp on PATH (Debian: apt-get install sip-tester)")
    return functools.partial(Sipp, folder=tmp_path)


@pytest.fixture
async def agent() -> AsyncIterator[UserAgent]:
    """A user agent on loopback, with timers a fifth as long as the RFC's: 64*T1 is 6.4 s."""
    timers = Timers(t1=T1, t2=4 * T1, t4=5 * T1)
    async with UserAgent("sip:sut@127.0.0.1", listen="udp:127.0.0.1:0", timers=timers) as ua:
        yield ua


@pytest.fixture
def target(agent: UserAgent) -> str:
    """Where sipp reaches the agent."""
    ((_, host, port),) = agent.listening
    return f"{host}:{port}"
