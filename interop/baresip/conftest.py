"""Fixtures of the tests with baresip: the phone, and what it said beside a failure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from interop.baresip.phone import Baresip, program, running
from interop.bounded import bounded
from interop.processes import tail

LINES_OF_LOG = 300
TEST_TIMEOUT = 30.0  # seconds


class Start(Protocol):
    """Starts a phone; see ``running``."""

    def __call__(self, modules: Sequence[str], parameters: str, *, rtcp_mux: bool = True) -> Baresip: ...


_logs = pytest.StashKey[list[Path]]()


@pytest.fixture
def baresip(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Starts one phone or more, with these modules and parameters of its account; they end with the test."""
    if not program():
        pytest.skip("there is no baresip (Debian: apt-get install baresip-core)")
    logs: list[Path] = []
    request.node.stash[_logs] = logs
    with ExitStack() as stack:

        def start(modules: Sequence[str], parameters: str, *, rtcp_mux: bool = True) -> Baresip:
            folder = tmp_path / f"baresip-{len(logs)}"
            folder.mkdir()
            phone = stack.enter_context(running(folder, modules, parameters, rtcp_mux=rtcp_mux))
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
            report.sections.append(("baresip's log", tail(log, LINES_OF_LOG)))
    return report
