"""Fixtures of the tests against Asterisk: the server, user agents that use it, its log beside a failure."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.debian import Unavailable
from interop.asterisk.installation import Installation, find
from interop.asterisk.server import Asterisk, running
from interop.bounded import bounded

LINES_OF_LOG = 300
TEST_TIMEOUT = 60.0  # seconds; the longest test takes 41

_found = pytest.StashKey[Installation | Unavailable]()
_log = pytest.StashKey[tuple[Path, int]]()


def pytest_report_header(config: pytest.Config) -> str | None:
    if config.option.collectonly:
        return None
    found = _installation(config)
    return f"no Asterisk: {found}" if isinstance(found, Unavailable) else str(found)


@pytest.fixture(scope="session")
def installation(pytestconfig: pytest.Config) -> Installation:
    found = _installation(pytestconfig)
    if isinstance(found, Unavailable):
        pytest.skip(f"no Asterisk: {found}")
    return found


@pytest.fixture(scope="session")
def asterisk(installation: Installation) -> Iterator[Asterisk]:
    """The running server."""
    with running(installation) as server:
        yield server


@pytest.fixture
async def agent(asterisk: Asterisk, request: pytest.FixtureRequest) -> AsyncIterator[AgentFactory]:
    """A factory of user agents. Afterwards nothing may be left: no task here, no channel in Asterisk."""
    request.node.stash[_log] = (asterisk.log, asterisk.log.stat().st_size)
    longest = getattr(request.module, "TEST_TIMEOUT", TEST_TIMEOUT)
    with bounded(longest):
        yield AgentFactory(asterisk)
    await _no_channels(asterisk)


async def _no_channels(asterisk: Asterisk) -> None:
    try:
        await asterisk.idle()
    except TimeoutError:
        left = await asterisk.channels()
        await asterisk.cli("channel request hangup all")  # the next test starts without them
        with contextlib.suppress(TimeoutError):
            await asterisk.idle()
        pytest.fail(f"channels are left in Asterisk: {left}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and _log in item.stash:
        report.sections.append(("Asterisk's log", _excerpt(*item.stash[_log])))
    return report


def _excerpt(log: Path, start: int) -> str:
    if not log.exists():  # the server is gone: this was its last test
        return ""
    with log.open(errors="replace") as file:
        file.seek(start)
        lines = file.readlines()
    return "".join(lines[-LINES_OF_LOG:])


def _installation(config: pytest.Config) -> Installation | Unavailable:
    if _found not in config.stash:
        try:
            config.stash[_found] = find(lambda line: _progress(config, line))
        except Unavailable as reason:
            config.stash[_found] = reason
    return config.stash[_found]


def _progress(config: pytest.Config, line: str) -> None:
    capture = config.pluginmanager.getplugin("capturemanager")
    terminal = config.pluginmanager.getplugin("terminalreporter")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        if terminal:
            terminal.write_line(line)
