"""Fixtures of the tests through Kamailio: the server, user agents that use it, its log beside a failure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest

from interop.bounded import bounded
from interop.kamailio.agents import AgentFactory
from interop.kamailio.server import Kamailio, program, running

LINES_OF_LOG = 400
TEST_TIMEOUT = 60.0  # seconds

_log = pytest.StashKey[tuple[Path, int]]()


@pytest.fixture(scope="session")
def kamailio() -> Iterator[Kamailio]:
    """The running registrar and proxy."""
    if not program():
        pytest.skip(
            "there is no kamailio on PATH (Debian: apt-get install kamailio kamailio-tls-modules "
            "kamailio-websocket-modules)"
        )
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def edge(kamailio: Kamailio) -> Iterator[Kamailio]:
    """A second one in front of it, which adds a Path."""
    with running(edge_of=kamailio) as server:
        yield server


@pytest.fixture
async def agent(kamailio: Kamailio, request: pytest.FixtureRequest) -> AsyncIterator[AgentFactory]:
    """A factory of user agents. Afterwards no task may be left."""
    request.node.stash[_log] = (kamailio.log, kamailio.log.stat().st_size)
    with bounded(TEST_TIMEOUT):
        yield AgentFactory(kamailio)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and _log in item.stash:
        report.sections.append(("Kamailio's log", _excerpt(*item.stash[_log])))
    return report


def _excerpt(log: Path, start: int) -> str:
    if not log.exists():  # the server is gone: this was its last test
        return ""
    with log.open(errors="replace") as file:
        file.seek(start)
        lines = file.readlines()
    return "".join(lines[-LINES_OF_LOG:])
