"""Fixtures of the tests with linphone: the phones, and what they said beside a failure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from interop.bounded import bounded
from interop.linphone.phone import Linphone, program, running
from interop.processes import tail

LINES_OF_LOG = 300
TEST_TIMEOUT = 40.0  # seconds

Start = Callable[[str], Linphone]

_logs = pytest.StashKey[list[Path]]()


@pytest.fixture
def linphone(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Starts a phone of this name, or more; they end with the test."""
    if not program():
        pytest.skip("there is no linphonec (Debian: apt-get install linphone-cli)")
    logs: list[Path] = []
    request.node.stash[_logs] = logs
    with ExitStack() as stack:

        def start(name: str) -> Linphone:
            folder = tmp_path / name
            folder.mkdir()
            phone = stack.enter_context(running(folder, name))
            logs.append(phone.log)
            return phone

        yield start


@pytest.fixture(autouse=True)
async def in_time() -> AsyncIterator[None]:
    """Each test is bounded in time, and leaves no task."""
    with bounded(TEST_TIMEOUT):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for log in item.stash.get(_logs, []):
            report.sections.append((f"the log of {log.parent.name}", tail(log, LINES_OF_LOG)))
    return report
